"""All that a leaderboard shows, computed from a run's output: for the page, and for the export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.leaderboard.claims import claim
from benchmark.leaderboard.drawing.draw import GREY, Drawing
from benchmark.leaderboard.drawing.figures import label_efficiency
from benchmark.leaderboard.page import labels, price
from benchmark.leaderboard.page.audio_examples import Example, load_examples
from benchmark.leaderboard.page.by_task import TaskPart, task_parts
from benchmark.leaderboard.page.heard import Heard, heard
from benchmark.leaderboard.page.how_much import BudgetPart, budget_parts
from benchmark.leaderboard.page.trust import Trust, trust
from benchmark.leaderboard.record import Run, load_run
from benchmark.leaderboard.statistics import headline, levels, stats, tables
from benchmark.leaderboard.statistics.headline import Answer, Headline
from benchmark.leaderboard.statistics.matrix import Matrix, matrices
from benchmark.leaderboard.statistics.robustness import load_robustness
from benchmark.leaderboard.statistics.tables import Column, Entry, Standing, entries_of


@dataclass(frozen=True)
class Panel:
    """One label fraction under one probe: levels, what they are made of, and every task.

    Attributes:
        answers: by level, with the labels that its leader saves.
        duels: every pair, by level; none without draws to compare, or under another probe than the first.
        weights: of each task in its level, all of a level 1 together; of a task without a floor, 0.
        unplaced: tasks without a floor.
    """

    id: str
    levels: Standing
    answers: list[tuple[Answer, list[labels.Saved]]]
    duels: list[Matrix]
    weights: dict[str, float]
    unplaced: list[str]
    main: Standing
    others: Standing

    @property
    def sorted_by(self) -> int:
        """The level that rows are ordered by."""
        return headline.sorting(self.levels.columns)

    def of_level(self, level: str) -> list[Column]:
        """Its tasks."""
        return [column for column in self.main.columns if column.level == level]


@dataclass(frozen=True)
class LabelPart:
    """Learning curves of one level or task, and labels saved, under the first probe."""

    name: str
    drawing: Drawing
    saved: labels.Layout


@dataclass(frozen=True)
class Filter:
    """What the main table can be narrowed to: values of an attribute of its rows, or of its columns."""

    name: str
    label: str
    values: list[str]


@dataclass(frozen=True)
class Report:
    """Everything shown, in the order of the questions that it answers.

    Attributes:
        entries: the rows, in the plan's order.
        usual: encoder and pre-training corpus of most rows, None if there is no such pair.
        probes: the one that stands for all first.
        opens: the label fraction that is shown first: the middle one of those that have scores.
    """

    run: Run
    table: pd.DataFrame
    headline: Headline
    pairs: pd.DataFrame | None
    saved: pd.DataFrame
    entries: list[Entry]
    usual: tuple[str, str] | None
    probes: list[str]
    fractions: list[float]
    opens: float
    filters: list[Filter]
    panels: list[Panel]
    labels: list[LabelPart]
    budgets: list[BudgetPart]
    tasks: list[TaskPart]
    prices: list[Drawing]
    heard: list[Heard]
    verdicts: list[tuple[type[claim.Claim], claim.Verdict]]
    verdicts_after: dict[str, list[tuple[float, claim.Verdict]]]
    trust: Trust
    examples: list[Example]

    @property
    def drawings(self) -> list[Drawing]:
        """Those of levels and tasks, and those of the price."""
        return [part.drawing for part in self.labels] + [task.drawing for task in self.tasks] + self.prices

    @property
    def firsts(self) -> list[Panel]:
        """The panels of the first probe, by label fraction."""
        return [panel for panel in self.panels if panel.main.probe == self.probes[0]]


# Names are taken one by one here, which of Arrow's strings takes a fifth longer.
@pd.option_context("mode.string_storage", "python")
def gather(folder: Path) -> Report:
    """Compute everything from a run's output.

    Args:
        folder: `scores.parquet`, and where there are such `run.json`, `draws.parquet` and `audio/index.json`.

    Raises:
        UserError: the scores are absent or unusable; the message says what to do.
    """
    run, scores = load_run(folder), stats.load_scores(folder)
    compared, raw = tables.pairs(scores, run), stats.read_scores(folder)
    table = tables.cells(scores, run, compared)
    answer = headline.headline(scores, table, run)
    compared = levels.judged(compared, tables.power(compared, run))
    pairs = compared if scores["draws"].notna().any() else None
    of_levels, of_tasks = labels.saved(answer.table, run), labels.saved(table[table["main"]], run)
    entries, panels = entries_of(table), _panels(table, answer, of_levels, run, pairs is not None)
    probes = list(dict.fromkeys(panel.main.probe for panel in panels))
    firsts = [panel for panel in panels if panel.main.probe == probes[0]]
    saved = {
        task: labels.layout([one for one in of_tasks if (one.task, one.probe) == (task, probes[0])])
        for task in table["task"].unique()
    }
    return Report(
        run=run,
        table=table,
        headline=answer,
        pairs=pairs,
        saved=labels.frame(of_levels, of_tasks, run),
        entries=entries,
        usual=_usual(entries),
        probes=probes,
        fractions=[panel.main.fraction for panel in firsts],
        opens=price.middle_fraction(scores if len(scores) else table),
        filters=_filters(entries, firsts[0].main, run),
        panels=panels,
        labels=_labels(answer, firsts[0].levels, of_levels),
        budgets=budget_parts(raw, answer, run),
        tasks=task_parts(
            scores, table, run, [panel.main for panel in firsts], pairs, load_robustness(folder, run), saved
        ),
        prices=price.drawings(raw, table, answer, run, probes[0]),
        heard=heard(raw, entries, run),
        verdicts=claim.check_all(raw, run),
        verdicts_after=claim.check_after(raw, run),
        trust=trust(scores, run),
        examples=load_examples(folder),
    )


def _labels(answer: Headline, first: Standing, found: list[labels.Saved]) -> list[LabelPart]:
    return [
        LabelPart(
            column.task,
            label_efficiency(answer.table, column, first.probe, of_level=True),
            labels.layout([one for one in found if (one.task, one.probe) == (column.task, first.probe)]),
        )
        for column in first.columns
    ]


def _with_labels(answer: Answer, shown: Standing, found: list[labels.Saved]) -> tuple[Answer, list[labels.Saved]]:
    lead = [entry for entry, _ in answer.best][:1]
    at = (answer.column.task, shown.probe, shown.fraction)
    return answer, [one for one in found if one.entry in lead and (one.task, one.probe, one.fraction) == at]


def _panels(table: pd.DataFrame, answer: Headline, found: list[labels.Saved], run: Run, duels: bool) -> list[Panel]:
    """By probe and label fraction, the probe that stands for all first."""
    first = run.first_probe(table["probe"])
    shown = sorted(headline.standings(answer, run, tables.settings(table)), key=lambda one: one.probe != first)
    probes, fractions = list(dict.fromkeys(one.probe for one in shown)), sorted(set(table["fraction"]))
    against = matrices(answer.pairs, first, {}) if duels else []
    panels = []
    for one in shown:
        at, order = (one.fraction, one.probe), [row.entry for row in one.rows]
        panels.append(
            Panel(
                f"{probes.index(one.probe)}-{fractions.index(one.fraction)}",
                one,
                [_with_labels(level, one, found) for level in headline.answers(one, answer, run)],
                [
                    duel
                    for column in one.columns
                    for duel in against
                    if (duel.task, duel.fraction, duel.probe) == (column.task, *at)
                ],
                _shares(answer.weights.get(one.probe, {}), run),
                answer.unplaced.get(one.probe, []),
                tables.standing(table, run, *at, order=order),
                tables.standing(table, run, *at, main=False, order=order),
            )
        )
    return panels


def _shares(weights: dict[str, float], run: Run) -> dict[str, float]:
    totals = Counter[str]()
    for task, weight in weights.items():
        totals[run.level(task)] += weight  # type: ignore[assignment]
    return {task: weight / totals[run.level(task)] for task, weight in weights.items()}


def _usual(entries: list[Entry]) -> tuple[str, str] | None:
    """What most rows have in common need not be said in each."""
    pair, count = Counter((entry.encoder, entry.pretrain_corpus) for entry in entries).most_common(1)[0]
    return pair if 2 * count > len(entries) > 2 else None


def _filters(entries: list[Entry], standing: Standing, run: Run) -> list[Filter]:
    """Those with a choice; `constant` and `random` are in sight under each."""
    rows = [entry for entry in entries if entry.strategy not in GREY]
    notes = [run.task(column.task) for column in standing.columns]
    found = [
        Filter("family", "Family", _values(run.strategy(e.strategy).family for e in rows)),
        Filter("encoder", "Encoder", _values(entry.encoder for entry in rows)),
        Filter("level", "Task level", _values(note.level for note in notes)),
        Filter("corpus", "Corpus of the task", _values(note.corpus for note in notes)),
    ]
    return [one for one in found if len(one.values) > 1]


def _values(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]
