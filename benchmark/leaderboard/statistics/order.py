"""One order over all tasks for each panel of the page, with what it takes to doubt it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import aggregate, compare, stats
from benchmark.leaderboard.statistics.tables import Entry

#: the strategy whose scores are each task's floor
FLOOR = "constant"


@dataclass(frozen=True)
class Place:
    """One complete strategy: interquartile mean of its normalized scores, Borda count, mean rank."""

    entry: Entry
    iqm: float
    borda: float
    mean_rank: float


@dataclass(frozen=True)
class Order:
    """Strategies over all tasks at one label fraction under one probe, best mean rank first.

    Attributes:
        unscaled: tasks without a floor, which the interquartile means leave out.
        test: None with too few tasks.
        bars: groups that the critical difference cannot tell apart.
        taus: Kendall's tau of each two seeds' orders.
    """

    places: list[Place]
    unscaled: list[str]
    test: aggregate.RankTest | None
    bars: list[list[Entry]]
    taus: list[float]

    @property
    def stability(self) -> str:
        """The taus in words."""
        if not self.taus:
            return "one seed: unknown"
        ends = [f"{tau:.2f}" for tau in (min(self.taus), max(self.taus))]
        return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def order_of(scores: pd.DataFrame, cells: pd.DataFrame, run: Run, fraction: float, probe: str) -> Order:
    """Lay out one panel's order.

    Args:
        scores: the result of `stats.prepare`.
        cells: the result of `tables.cells`.
        run: directions of the metrics.
        fraction: label fraction.
        probe: probe type.
    """
    runs = aggregate.runs_at(scores, cells, fraction, probe)
    up = {name: note.higher_is_better for name, note in run.tasks.items()}
    table = aggregate.means(runs)
    ranked = aggregate.ranks(table, up)
    floors = {str(task): float(value) for task, value in _floor(table).items() if np.isfinite(value)}
    scaled = aggregate.normalized(runs, floors, up)
    unscaled = [str(task) for task, part in scaled.groupby("task", sort=False) if part["value"].isna().all()]
    placed = pd.DataFrame({"mean_rank": ranked.mean(axis=1), "borda": aggregate.borda(ranked)})
    if len(unscaled) < len(table.columns):
        on_scale = scaled[~scaled["task"].isin(unscaled)]
        placed = placed.join(aggregate.interquartile_means(on_scale).set_index(stats.ENTRY))
    placed = placed.sort_values("mean_rank", kind="stable").reset_index()
    columns = placed.reindex(columns=[*stats.ENTRY, "iqm", "borda", "mean_rank"])
    places = [Place(Entry(*row[:3]), *row[3:]) for row in columns.itertuples(index=False, name=None)]
    test = aggregate.rank_test(ranked)
    found = aggregate.groups([place.mean_rank for place in places], test.critical_difference) if test else []
    bars = [[places[i].entry for i in bar] for bar in found]
    taus = aggregate.rank_stability(runs, up)["tau"].dropna().tolist()
    return Order(places, unscaled, test, bars, taus)


def _floor(table: pd.DataFrame) -> pd.Series:
    """By task, the constant predictor's mean score; empty if it did not take part."""
    rows = table[table.index.get_level_values("strategy") == FLOOR]
    return rows.iloc[0] if len(rows) else pd.Series(dtype=float)


@dataclass(frozen=True)
class Field:
    """One field of a win matrix: row minus column. `wins`: first (the row), second, tied, missing or itself."""

    difference: float
    half: float
    wins: str


@dataclass(frozen=True)
class Matrix:
    """All strategies, of at most `seeds` seeds, against each other on one task at one fraction, best first."""

    task: str
    fraction: float
    probe: str
    entries: list[Entry]
    fields: list[list[Field]]
    seeds: int


def matrices(pairs: pd.DataFrame, probe: str, run: Run) -> list[Matrix]:
    """The win matrices under one probe, by task and fraction."""
    both = compare.both_ways(pairs[pairs["probe"] == probe])
    return [_matrix(part, run, *key) for key, part in both.groupby(compare.MATRIX, sort=False)]


def _matrix(part: pd.DataFrame, run: Run, task: Any, fraction: Any, probe: Any) -> Matrix:
    low_first = not run.task(str(task)).higher_is_better
    ahead = part.groupby(compare.FIRST, sort=False)["difference"].mean().sort_values(ascending=low_first, kind="stable")
    entries = [Entry(*row) for row in ahead.index]
    found = {
        (Entry(*row[:3]), Entry(*row[3:6])): Field(*row[6:])
        for row in part[[*compare.FIRST, *compare.SECOND, "difference", "half_width", "wins"]].itertuples(index=False)
    }
    itself = Field(np.nan, np.nan, "itself")
    fields = [[found.get((first, second), itself) for second in entries] for first in entries]
    seeds = int(part["first_seeds"].max())
    return Matrix(str(task), float(fraction), str(probe), entries, fields, seeds)
