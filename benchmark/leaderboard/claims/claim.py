"""Published findings as statements that a grid's own scores support, contradict or leave open.

A claim is an entry point of group `benchmark.claims`, whoever wrote it, or comes by `report --plugin FILE`: a class
with `info`, `statement`, `measured`, `needs` and `check`. The seed papers' are in `published.py`, beside this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from benchmark import registry
from benchmark.interfaces import Info, UserError
from benchmark.leaderboard.record import Run, nominal
from benchmark.leaderboard.statistics.budgets import after_each
from benchmark.leaderboard.statistics.compare import LEVEL, holm
from benchmark.leaderboard.statistics.evidence import BOUNDED, NOTHING, TEST, Comparison, Estimate

Word = Literal["supported", "contradicted", "undecided", "cannot be tested here"]

UNIT = "of the main metric"
#: for the page, above the verdicts
EXPLANATION = (
    "Each statement below is a finding of one of the papers whose pretext tasks are compared here, tested again on the "
    "scores of this run alone. It is supported if the whole 95% interval of the effect lies on the side that the "
    "paper claims, of every comparison where there are several; contradicted if one lies on the other side, corrected "
    "for their number; and undecided otherwise. The effect is the mean "
    "difference on the tasks' main metrics, positive where it is as claimed, between runs that share task, label draw "
    "and pre-training seed; its interval adds up what other test items, seeds and label draws would change. Words for "
    "single tasks are corrected for the number of tests (Holm, 5%), so that an interval beside zero may still read "
    "undecided. One seed yields no interval and no verdict. A verdict is about this encoder, corpus and budget: the "
    "papers trained longer, on other music, and what they measured stands beside each statement. A statement whose "
    "rows this run lacks cannot be tested here, and says which rows those are."
)


@dataclass(frozen=True)
class Part:
    """One test within a claim; `p` is corrected over all tests of the claim."""

    name: str
    word: Word
    estimate: Estimate
    p: float


@dataclass(frozen=True)
class Verdict:
    """What a grid's scores say about a claim.

    Attributes:
        word: supported, contradicted, undecided, or cannot be tested here.
        estimate: effect and 95% interval, positive where the claim is right; of several comparisons, of the one that
            decides. NaN where there is none.
        unit: of the effect.
        test: how it was tested.
        compared: the comparison that decides, by the names of its rows.
        tasks: behind the verdict.
        parts: the single tests.
        notes: what a reader has to know besides.
        missing: rows that the claim needs and the grid lacks.
    """

    word: Word
    estimate: Estimate = NOTHING
    unit: str = UNIT
    test: str = ""
    compared: str = ""
    tasks: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Claim(ABC):
    """One published finding.

    `info` names it (entry point, short title, citation). `statement` is the finding as a sentence on this benchmark,
    `measured` what the paper measured and under which conditions, `needs` which rows it is tested on.
    """

    info: ClassVar[Info]
    statement: ClassVar[str]
    measured: ClassVar[str]
    needs: ClassVar[str]

    @abstractmethod
    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        """Test the claim.

        Args:
            scores: `scores.parquet`, corrupted test audio included; `draws`, where known, are the main metric's
                values on bootstrap draws of the test groups.
            run: the run's record.
        """


def check_all(scores: pd.DataFrame, run: Run, chosen: Iterable[type[Claim]] = ()) -> list[tuple[type[Claim], Verdict]]:
    """Check every registered claim, or those chosen, by name.

    Raises:
        UserError: a claim cannot be loaded or checked; the message names it.
    """
    classes = list(chosen) or [registry.claims.get(name) for name in registry.claims.names()]
    return [(claim, _check(claim, scores, run)) for claim in classes]


def check_after(
    scores: pd.DataFrame, run: Run, chosen: Iterable[type[Claim]] = ()
) -> dict[str, list[tuple[float, Verdict]]]:
    """By claim, the verdict after each budget but the main one, with that in crops; nothing where there is but one.

    Corrupted test audio is scored after the main budget alone.
    """
    found: dict[str, list[tuple[float, Verdict]]] = {}
    for share, part in after_each(scores, run).items():
        if share != 1:
            crops = nominal(float(part.loc[part["strategy"].map(run.pretext), "crops"].mean()))
            for claim, verdict in check_all(part, run, chosen):
                found.setdefault(claim.info.name, []).append((crops, verdict))
    return found


def frame_after(checked: Mapping[str, Sequence[tuple[float, Verdict]]]) -> pd.DataFrame:
    """The verdicts of `check_after` as a table, for CSV and LaTeX."""
    return pd.DataFrame(
        [
            {"claim": name, "crops": crops, "verdict": verdict.word, **verdict.estimate._asdict()}
            for name, verdicts in checked.items()
            for crops, verdict in verdicts
        ]
    )


def _check(claim: type[Claim], scores: pd.DataFrame, run: Run) -> Verdict:
    try:
        return claim().check(scores, run)
    except Exception as error:
        raise UserError(
            f"claim {claim.info.name!r} ({claim.__module__}) cannot be checked: {type(error).__name__}: {error}"
        ) from error


def untestable(missing: Sequence[str], notes: Sequence[str] = ()) -> Verdict:
    """The verdict where rows are missing."""
    return Verdict("cannot be tested here", missing=tuple(missing), notes=tuple(notes))


def judge(
    comparisons: Sequence[Comparison],
    notes: Sequence[str] = (),
    missing: Sequence[str] = (),
    test: str = TEST,
    unit: str = UNIT,
) -> Verdict:
    """The verdict on a claim that holds if every comparison does, each over all its tasks.

    It is supported if each interval is above zero (which needs no correction: all of them have to be), contradicted
    if one is below, corrected over the comparisons. With a comparison missing it is not supported.
    """
    if not comparisons:
        return untestable(missing, notes)
    parts = _parts({c.name: c.over for c in comparisons})
    contradicted = [part for part in parts if part.word == "contradicted"]
    holds = all(part.estimate.low > 0 for part in parts) and not missing
    word: Word = "contradicted" if contradicted else "supported" if holds else "undecided"
    unsettled = [part for part in parts if not part.estimate.low > 0]
    deciding = min(contradicted or unsettled or parts, key=lambda part: part.estimate.effect)
    tasks = dict.fromkeys(task for c in comparisons for task in c.by_task)
    single = {f"{c.name}: {task}": found for c in comparisons for task, found in c.by_task.items()}
    return Verdict(
        word,
        deciding.estimate,
        unit=unit,
        test=test,
        compared=deciding.name,
        tasks=tuple(tasks),
        parts=(*(parts if len(parts) > 1 or len(tasks) == 1 else ()), *(_parts(single) if len(tasks) > 1 else ())),
        notes=(*notes, *_remarks(comparisons)),
        missing=tuple(missing),
    )


def _parts(estimates: dict[str, Estimate]) -> tuple[Part, ...]:
    corrected = holm([found.p for found in estimates.values()])
    return tuple(
        Part(name, _word(found, p), found, float(p))
        for (name, found), p in zip(estimates.items(), corrected, strict=True)
    )


def _word(found: Estimate, p: float) -> Word:
    if not p < LEVEL:
        return "undecided"
    return "supported" if found.effect > 0 else "contradicted"


def _remarks(comparisons: Sequence[Comparison]) -> list[str]:
    """Why an interval is absent, and which tasks were left out."""
    remarks = []
    if any(c.over.seeds < 2 for c in comparisons):
        remarks.append("Fewer than two pre-training seeds: no interval, no verdict.")
    elif any(np.isnan(c.over.low) for c in comparisons):
        remarks.append("The scores do not say how far other test items would move them: no interval, no verdict.")
    elif not all(c.paired for c in comparisons):
        remarks.append(BOUNDED)
    dropped = sorted({task for c in comparisons for task in c.dropped})
    if dropped:
        remarks.append(f"Left out, a run is missing or no number: {', '.join(dropped)}.")
    return remarks


def frame(checked: Iterable[tuple[type[Claim], Verdict]]) -> pd.DataFrame:
    """The verdicts as a table, one row each, for CSV and LaTeX."""
    return pd.DataFrame(
        [
            {
                "claim": claim.info.name,
                "paper": claim.info.citation,
                "statement": claim.statement,
                "verdict": verdict.word,
                **verdict.estimate._asdict(),
                "unit": verdict.unit,
                "compared": verdict.compared,
                "tasks": len(verdict.tasks),
                "test": verdict.test,
                "notes": " ".join(verdict.notes),
                "missing": "; ".join(verdict.missing),
            }
            for claim, verdict in checked
        ]
    )
