"""All that a leaderboard shows, computed from a run's output: for the page, and for the export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.leaderboard.claims import claim
from benchmark.leaderboard.drawing.draw import GREY, Drawing
from benchmark.leaderboard.page import price
from benchmark.leaderboard.page.audio_examples import Example, load_examples
from benchmark.leaderboard.page.by_task import TaskPart, task_parts
from benchmark.leaderboard.page.heard import Heard, heard
from benchmark.leaderboard.page.trust import Trust, trust
from benchmark.leaderboard.record import Run, load_run
from benchmark.leaderboard.statistics import stats, tables
from benchmark.leaderboard.statistics.order import Order, order_of
from benchmark.leaderboard.statistics.robustness import load_robustness
from benchmark.leaderboard.statistics.tables import Entry, Row, Standing, entries_of


@dataclass(frozen=True)
class Panel:
    """One label fraction under one probe: the ranked table, the other metrics, the order over tasks."""

    id: str
    main: Standing
    others: Standing
    order: Order

    @property
    def leaders(self) -> list[Row]:
        """The rows with the best mean rank; none if no strategy is complete."""
        ranks = [row.mean_rank for row in self.main.rows if row.mean_rank is not None]
        return [row for row in self.main.rows if ranks and row.mean_rank == min(ranks)]

    @property
    def close(self) -> int:
        """How many others the rank test cannot tell from the leaders."""
        lead = {row.entry for row in self.leaders}
        return len({entry for bar in self.order.bars if lead & set(bar) for entry in bar} - lead)


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
    """

    run: Run
    table: pd.DataFrame
    pairs: pd.DataFrame | None
    entries: list[Entry]
    usual: tuple[str, str] | None
    probes: list[str]
    fractions: list[float]
    filters: list[Filter]
    panels: list[Panel]
    tasks: list[TaskPart]
    prices: list[Drawing]
    heard: list[Heard]
    verdicts: list[tuple[type[claim.Claim], claim.Verdict]]
    trust: Trust
    examples: list[Example]

    @property
    def drawings(self) -> list[Drawing]:
        """Those of the tasks and those of the price."""
        return [task.drawing for task in self.tasks] + self.prices

    @property
    def firsts(self) -> list[Panel]:
        """The panels of the first probe, by label fraction."""
        return [panel for panel in self.panels if panel.main.probe == self.probes[0]]


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
    pairs = compared if scores["draws"].notna().any() else None
    entries, panels = entries_of(table), _panels(scores, table, run)
    probes = list(dict.fromkeys(panel.main.probe for panel in panels))
    firsts = [panel.main for panel in panels if panel.main.probe == probes[0]]
    taus = {(panel.main.probe, panel.main.fraction): panel.order.stability for panel in panels}
    return Report(
        run=run,
        table=table,
        pairs=pairs,
        entries=entries,
        usual=_usual(entries),
        probes=probes,
        fractions=[standing.fraction for standing in firsts],
        filters=_filters(entries, firsts[0], run),
        panels=panels,
        tasks=task_parts(scores, table, run, firsts, pairs, load_robustness(folder, run)),
        prices=price.drawings(raw, table, run, probes[0]),
        heard=heard(raw, entries, run),
        verdicts=claim.check_all(raw, run),
        trust=trust(scores, table, run, taus),
        examples=load_examples(folder),
    )


def _panels(scores: pd.DataFrame, table: pd.DataFrame, run: Run) -> list[Panel]:
    """By probe and label fraction, the probe that stands for all first."""
    first = run.first_probe(table["probe"])
    ranked, others = tables.standings(table, run), tables.standings(table, run, main=False)
    both = sorted(zip(ranked, others, strict=True), key=lambda pair: pair[0].probe != first)
    probes, fractions = list(dict.fromkeys(main.probe for main, _ in both)), sorted(set(table["fraction"]))
    return [
        Panel(
            f"{probes.index(main.probe)}-{fractions.index(main.fraction)}",
            main,
            rest,
            order_of(scores, table, run, main.fraction, main.probe),
        )
        for main, rest in both
    ]


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
