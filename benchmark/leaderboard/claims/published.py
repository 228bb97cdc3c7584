"""The seed papers' findings as claims. Figures that could not be read are not quoted; sources of the others are said.

Conventions: the positive side is the paper's. A method is represented by its row with the fewest options, the first of
these in the grid. Tagging-like are the tasks of level timbre, style and affect.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import pandas as pd

from benchmark.interfaces import Info
from benchmark.leaderboard.claims.claim import Claim, Verdict, judge, untestable
from benchmark.leaderboard.claims.interaction import best_differs
from benchmark.leaderboard.claims.speed import TEST as SPEED_TEST
from benchmark.leaderboard.claims.speed import UNIT as SPEED_UNIT
from benchmark.leaderboard.claims.speed import faster
from benchmark.leaderboard.record import Run, percent
from benchmark.leaderboard.statistics.evidence import FEW, Comparison, Evidence, compare

TAGGING = ("timbre", "style", "affect")
RIVALS = ("byol", "barlow_twins", "vicreg", "dino")
CLMR = "Spijkervet & Burgoyne, ISMIR 2021 (CLMR)"
MULTI_VIEW = "Meseguer-Brocal, Desblancs & Hennequin, ICASSP 2024"
SEMISUPCON = "Guinot, Quinton & Fazekas, ISMIR 2024 (SemiSupCon)"
MSCOL = "Garoufis, Zlatintsi & Maragos, SMC 2023 (MSCOL)"
CHOI = "Choi, Jang, Cho & Chung, ICME 2022"
NO_FEW = f"scores at {percent(FEW)} of the labels or less"
NO_TAGGING = f"tasks of level {', '.join(TAGGING)}"


class FewLabels(Claim):
    """CLMR: with few labels, a frozen encoder and a probe beat the same encoder trained with labels."""

    info = Info("clmr_few_labels", "Few labels: pre-training beats supervision", CLMR)
    statement = (
        "On tagging-like tasks with 1% of the labels, a linear probe of the frozen SimCLR encoder beats the supervised "
        "encoder."
    )
    measured = (
        "SampleCNN on MagnaTagATune (50 tags, PR-AUC): linear probe 33.1 at 1%, 33.7 at 10%, 35.1 at 100% of the "
        "labels; supervised 24.8, 28.4, 34.9. On the Million Song Dataset 22.3 against 14.3 at 1%, and the curves "
        "cross between 10% and 20%. From the figure notebook of the released code; its sampler may have left about "
        "a third of the clips in the 1%."
    )
    needs = (
        "simclr and supervised at 1% of the labels, or the smallest fraction up to 10%, on tasks of level timbre, "
        "style or affect"
    )

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Compare simclr with supervised on tagging-like tasks."""
        evidence = Evidence.of(scores, run).final
        fraction, tasks = evidence.few(), evidence.levels(*TAGGING)
        if fraction is None or not tasks:
            return untestable([NO_FEW if fraction is None else NO_TAGGING])
        notes = [_stands_for(fraction, 0.01)]
        return _against(evidence.at(fraction).tasks(tasks), "simclr", ["supervised"], notes)


class ContrastiveLeads(Claim):
    """The multi-view study's order on tagging, at one label fraction."""

    needs = "simclr, byol, barlow_twins, vicreg and dino on tasks of level timbre, style or affect"
    #: what is missing if there is no such fraction
    no_fraction: ClassVar[str] = NO_FEW

    @abstractmethod
    def fraction(self, evidence: Evidence) -> float | None:
        """At which fraction; None if the grid has none."""

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Compare simclr with each of the other four on tagging-like tasks."""
        evidence = Evidence.of(scores, run).final
        fraction, tasks = self.fraction(evidence), evidence.levels(*TAGGING)
        if fraction is None or not tasks:
            return untestable([self.no_fraction if fraction is None else NO_TAGGING])
        notes = [_at(fraction)]
        return _against(evidence.at(fraction).tasks(tasks), "simclr", RIVALS, notes)


class ContrastiveLeadsWithAllLabels(ContrastiveLeads):
    """Multi-view study: contrastive learning leads at 100% of the labels."""

    info = Info("multiview_all_labels", "Contrastive learning leads on tagging", MULTI_VIEW)
    statement = "On tagging-like tasks with all labels, SimCLR beats each of BYOL, Barlow Twins, VICReg and DINO."
    measured = (
        "A ResNet of 2.8 M parameters, about 4 M tracks, two segments of a track; mAP on MagnaTagATune: contrastive "
        ".430, clustering (DINO) .399, Barlow Twins .366, BYOL .364, VICReg .360. It led on four of five tag sets; on "
        "Jamendo's moods clustering had .115 and contrastive .114. Digitised from the poster. All five shared head "
        "and schedule: an order with minimal tuning."
    )

    no_fraction = "scores with all labels"

    def fraction(self, evidence: Evidence) -> float | None:
        """All labels."""
        return 1.0 if 1.0 in set(evidence.table["fraction"]) else None


class ContrastiveLeadsWithFewLabels(ContrastiveLeads):
    """Multi-view study: contrastive learning leads with limited data."""

    info = Info("multiview_few_labels", "Contrastive learning leads on tagging with few labels", MULTI_VIEW)
    statement = "On tagging-like tasks with few labels, SimCLR beats each of BYOL, Barlow Twins, VICReg and DINO."
    measured = (
        "As with all labels, at 1, 5, 10 and 20%, four resamples each; mAP on MagnaTagATune at 1 / 10%: contrastive "
        ".285 / .384, clustering (DINO) .282 / .365, VICReg .266 / .333, BYOL .260 / .331, Barlow Twins .242 / .332. "
        "It led at every fraction on the three tag sets shown; at 1% by .003 on MagnaTagATune, by .009 and .018 on the "
        "others. Digitised from the poster."
    )

    def fraction(self, evidence: Evidence) -> float | None:
        """1%, or the smallest up to 10%."""
        return evidence.few()


class FewLabelsInPretraining(Claim):
    """SemiSupCon's comparison: labels in pre-training against none, on tasks whose labels were not heard."""

    #: whether corrupted test audio is read
    corrupted: ClassVar[bool] = False
    #: what is missing if there are no scores
    nothing: ClassVar[str] = "scores"

    needs = "semisupcon with labels, and without (or simclr), on tasks that do not read the labels that it heard"

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Compare at the largest label fraction."""
        evidence = Evidence.of(scores, run, self.corrupted).final
        if evidence.table.empty:
            return untestable([self.nothing])
        rows = evidence.rows("semisupcon")
        subjects = [row for row in rows if evidence.labelled(row)]
        pure = [row for row in rows if not evidence.labelled(row)] or evidence.rows("simclr")
        if subjects and pure:
            return self._on_foreign_tasks(evidence.at(evidence.most()), subjects[0], pure[0])
        absent = {"semisupcon with labels": subjects, "semisupcon without labels, or simclr": pure}
        return untestable([f"scores of {what}" for what, found in absent.items() if not found])

    def _on_foreign_tasks(self, evidence: Evidence, subject: str, pure: str) -> Verdict:
        tasks = list(evidence.table["task"].unique())
        heard = sorted(task for task in tasks if evidence.run.heard(subject, task))
        foreign = [task for task in tasks if task not in heard]
        notes = [f"Left out, their labels were heard: {', '.join(heard)}."] if heard else []
        if not foreign:
            return untestable([f"tasks whose labels {subject} did not hear"], notes)
        notes += [f"At {percent(evidence.most())} of the downstream labels."]
        if evidence.method(pure) != "semisupcon":
            notes.append(f"No semisupcon without labels: {pure} stands in, which differs in more than labels.")
        return _rows(evidence.tasks(foreign), [(subject, pure)], notes)


class LabelsHelpDownstream(FewLabelsInPretraining):
    """SemiSupCon: some labels in pre-training help downstream."""

    info = Info("semisupcon_downstream", "A few labels in pre-training help", SEMISUPCON)
    statement = "Some labels in pre-training raise scores on tasks whose labels were not heard."
    measured = (
        "SampleCNN, self-supervision on FMA-medium, labels of MagnaTagATune: better tagging than without labels from "
        "5% of them on (of those very tags, which is not tested here), and transfer to pitch and key. From the "
        "abstract; the tables could not be read."
    )


class LabelsHelpUnderCorruption(FewLabelsInPretraining):
    """SemiSupCon: some labels in pre-training help where test audio is corrupted."""

    info = Info("semisupcon_corruption", "A few labels in pre-training help under corruption", SEMISUPCON)
    statement = "Some labels in pre-training raise scores on corrupted audio, on tasks whose labels were not heard."
    measured = (
        "Test audio under the training augmentations at five severities, and under held-out ones (time stretch, "
        "reverb, distortion, MP3 and others): more robust than without labels. From the abstract and the released "
        "code; the tables could not be read."
    )
    needs = f"{FewLabelsInPretraining.needs}, at severities above 0"
    corrupted = True
    nothing = "scores under corruption (severity above 0)"


class FewerUpdates(Claim):
    """MSCOL: contrast with sources reaches a score with fewer updates than COLA."""

    info = Info("mscol_updates", "Sources speed up learning", MSCOL)
    statement = "Multi-source contrast reaches a given score with fewer crops heard than COLA."
    measured = (
        "EfficientNet-B0 on MagnaTagATune, sources by Open-Unmix: faster convergence. From the abstract, without a "
        "figure; the released code prints epochs of the downstream probe, not of pre-training, so that this is another "
        "reading of the word."
    )
    needs = "multi_source and cola, scored at several points of pre-training (column `crops`)"

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Compare how many crops each needs to the lower of both final scores."""
        evidence = Evidence.of(scores, run)
        missing = _absent(evidence, ["multi_source", "cola"])
        if missing:
            return untestable(missing)
        subject, reference = evidence.rows("multi_source")[0], evidence.rows("cola")[0]
        found = faster(evidence.at(evidence.most()).table, subject, reference)
        if found is None:
            return untestable([f"scores of {subject} and {reference} at several points of pre-training"])
        return judge([found], [_at(evidence.most())], test=SPEED_TEST, unit=SPEED_UNIT)


class Steering(Claim):
    """MSCOL: training with one source helps the tasks of that source."""

    info = Info("mscol_steering", "One source helps its tasks", MSCOL)
    statement = "Contrast with the lead alone helps melody and instrument, with the drums alone rhythm."
    measured = (
        "Pre-training on single separated sources (vocals, drums, bass, other) and on all of them: the choice of "
        "source steers what is learnt. From the abstract and the released code; the tables could not be read."
    )
    needs = "multi_source with one source, and with all at otherwise equal options, on tasks of that source"

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Compare each steered row with the same one on all sources, on the tasks of its source."""
        evidence = Evidence.of(scores, run).final
        found, missing, table = list[Comparison](), list[str](), evidence.at(evidence.most())
        steered = set[str]()
        for row in evidence.rows("multi_source"):
            source, *more = evidence.options(row).get("sources", ["", ""])
            tasks = _tasks_of(source, evidence) if not more else []
            steered |= {source} if tasks else set()
            like = _unsteered(row, evidence)
            if tasks and not like:
                missing.append(f"multi_source with all sources and otherwise the options of {row}")
            elif tasks and (comparison := compare(table.tasks(tasks), row, like[0])):
                found.append(comparison)
        missing += [f"multi_source with [{s}] alone, on its tasks" for s in ("lead", "drums") if s not in steered]
        return judge(found, [_at(evidence.most())] if found else [], missing)


def _tasks_of(source: str, evidence: Evidence) -> list[str]:
    """Tasks that a source answers: who plays the melody, and which, for the lead; all of rhythm for the drums."""
    present = evidence.table["task"].unique()
    sung = [task for task in present if task in ("melody", "instrument")]
    return {"lead": sung, "drums": evidence.levels("time")}.get(source, [])


def _unsteered(row: str, evidence: Evidence) -> list[str]:
    """Rows of all sources that differ from `row` in nothing else."""
    wanted = {name: value for name, value in evidence.options(row).items() if name != "sources"}
    return [other for other in evidence.rows("multi_source") if evidence.options(other) == wanted]


class BestDiffers(Claim):
    """Choi et al.: which strategy is best depends on the task."""

    info = Info("choi_best_differs", "The best strategy differs by task", CHOI)
    statement = "No single pretext task is the best for all downstream tasks."
    measured = (
        "Contrastive strategies that differ in positives, negatives and encoder levels, linear probes on instruments "
        "(IRMAS), genre (FMA-small) and music recommendation: each suits other tasks. From the abstract; the tables "
        "could not be read."
    )
    needs = "two pretext tasks or more with two seeds or more, complete on two tasks or more"

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Test the interaction of strategy and task, and what choosing by task gains."""
        return best_differs(Evidence.of(scores, run).final)


def _against(evidence: Evidence, subject: str, rivals: Iterable[str], notes: list[str]) -> Verdict:
    """A method against each of others."""
    rivals = list(rivals)
    missing = _absent(evidence, [subject, *rivals])
    first = evidence.rows(subject)[:1]
    pairs = [(row, other) for row in first for rival in rivals for other in evidence.rows(rival)[:1]]
    return _rows(evidence, pairs, notes, missing)


def _rows(
    evidence: Evidence, pairs: Iterable[tuple[str, str]], notes: list[str], missing: Iterable[str] = ()
) -> Verdict:
    """Rows against rows."""
    found, absent = list[Comparison](), list(missing)
    for pair in pairs:
        comparison = compare(evidence, *pair)
        if comparison is None:
            absent.append(f"scores of {' and '.join(pair)} on one task, label draw, seed and encoder")
        else:
            found.append(comparison)
    return judge(found, notes, absent)


def _absent(evidence: Evidence, methods: Iterable[str]) -> list[str]:
    return [f"scores of {method}" for method in methods if not evidence.rows(method)]


def _at(fraction: float) -> str:
    return f"At {percent(fraction)} of the labels."


def _stands_for(fraction: float, paper: float) -> str:
    note = f"the smallest fraction up to {percent(FEW)} here; the paper's is {percent(paper)}."
    return _at(fraction) if fraction == paper else f"{_at(fraction)[:-1]}, {note}"
