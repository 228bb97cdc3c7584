"""Labels saved: how many labels what learns without a pretext task needs to score as high as one does with few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import UNTRAINED_KIND, Run, percent
from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.headline import references
from benchmark.leaderboard.statistics.student import Floats
from benchmark.leaderboard.statistics.tables import Entry

#: columns of `labels.csv`, whose table may have no row
CSV = (*Entry._fields, "level", "task", "fraction", "probe", "labels", "reference", "needed", "low", "high", "at_most")


@dataclass(frozen=True)
class Needed:
    """Labeled tracks that a reference needs for a score: infinite where no share of the labels was enough.

    Attributes:
        low: the fewest that the 95 % intervals of both scores leave possible; `high`, the most; NaN where an interval
            is unknown.
        least: the fewest labels that the reference was given: where `number` is that, fewer may do.
    """

    number: float
    low: float
    high: float
    least: float

    @property
    def never(self) -> bool:
        """Whether no share of the labels was enough."""
        return not np.isfinite(self.number)

    @property
    def text(self) -> str:
        """In words, with the interval; a dash where the reference never gets there."""
        if self.never:
            return "\N{EM DASH}" if not np.isfinite(self.low) else f"\N{EM DASH} (from {self.low:,.0f})"
        if self.low == self.high <= self.least:
            return self._said(self.number)
        ends = "?" if np.isnan(self.low) else f"{self._said(self.low)}\N{EN DASH}{self._said(self.high)}"
        return f"{self._said(self.number)} ({ends})"

    def _said(self, number: float) -> str:
        """Of the fewest labels that the reference was given, nobody knows whether fewer would do."""
        return f"{'≤' if number <= self.least else ''}{number:,.0f}" if np.isfinite(number) else "∞"


@dataclass(frozen=True)
class Saved:
    """What one row scores with `labels` tracks on one task or level, and how many `over` needs for it."""

    entry: Entry
    task: str
    probe: str
    fraction: float
    labels: float
    over: str
    needed: Needed


def needed(n: Floats, score: Floats, half: Floats, goal: float, about: float) -> Needed:
    """Invert a learning curve: monotone regression, then straight lines between its points over log n.

    A number of labels is possible if the two scores differ by no more than both half-widths together, root of the sum
    of squares: rows that share test items differ less, so the interval is wide rather than narrow.

    Args:
        n: labeled tracks, ascending.
        score: of the reference; up is better.
        half: half-widths of its intervals, NaN where unknown.
        goal: the score to reach, and
        about: the half-width of its interval.
    """
    from scipy.optimize import isotonic_regression

    curve = isotonic_regression(score).x
    margin = np.hypot(half, about)
    ends = [_crossing(n, np.maximum.accumulate(line), goal) for line in (curve + margin, curve, curve - margin)]
    low, high = (ends[0], ends[2]) if np.isfinite(margin).all() else (np.nan, np.nan)
    return Needed(ends[1], low, high, float(n[0]))


def _crossing(n: Floats, rising: Floats, goal: float) -> float:
    """Where a rising line reaches a goal: its first point if it begins there, infinity if it never does."""
    at = int(np.searchsorted(rising, goal - 1e-12))
    if at == len(n):
        return np.inf
    if at == 0:
        return float(n[0])
    share = (goal - rising[at - 1]) / (rising[at] - rising[at - 1])
    return float(np.exp(np.log(n[at - 1]) + share * (np.log(n[at]) - np.log(n[at - 1]))))


def saved(cells: pd.DataFrame, run: Run) -> list[Saved]:
    """Hold every pretext task's scores against the learning curves of `mfcc` and the best supervised row.

    Args:
        cells: main metrics, as `tables.cells` or `headline.headline` has them.
        run: which rows are references.
    """
    known = cells[cells["mean"].notna() & (cells["n_train"] > 0)]
    known = known.assign(score=known["mean"].where(known["higher_is_better"], -known["mean"]))
    parts = known.groupby(["task", "probe"], sort=False)
    return [one for (task, probe), part in parts for one in _on(str(task), str(probe), part, run)]


def _on(task: str, probe: str, part: pd.DataFrame, run: Run) -> list[Saved]:
    own = {Entry(*map(str, key)): rows.sort_values("n_train") for key, rows in part.groupby(stats.ENTRY, sort=False)}
    curves = {entry: _curve(rows) for entry, rows in own.items()}
    ends = [(entry, float(curve[1][-1])) for entry, curve in curves.items()]
    found = []
    for entry in filter(lambda entry: run.pretext(entry.strategy), own):
        against = {kind: row for kind, row in references(ends, entry, run).items() if kind != UNTRAINED_KIND}
        for fraction, n, score, half in zip(own[entry]["fraction"], *curves[entry], strict=True):
            for row in against.values():
                known = needed(*curves[row], float(score), float(half))
                found.append(Saved(entry, task, probe, float(fraction), float(n), row.strategy, known))
    return found


def _curve(rows: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    n, score, half = rows[["n_train", "score", "half_width"]].to_numpy(np.float64).T
    return n, score, half


@dataclass(frozen=True)
class Layout:
    """Labels saved on one task or level: by row, for each reference and label fraction what the reference needs.

    Attributes:
        columns: references, and label fractions with the mean number of labeled tracks.
    """

    columns: list[tuple[str, str, float]]
    rows: list[tuple[Entry, list[Needed | None]]]


def layout(found: Sequence[Saved]) -> Layout:
    """Lay out the labels saved on one task or level under one probe."""
    labels = pd.DataFrame([(one.fraction, one.labels) for one in found], columns=["fraction", "labels"])
    counts = labels.groupby("fraction")["labels"].mean()
    overs = dict.fromkeys(one.over for one in found)
    columns = [(over, float(fraction)) for over in overs for fraction in counts.index]
    by_place = {(one.entry, one.over, one.fraction): one.needed for one in found}
    rows = [
        (entry, [by_place.get((entry, *column)) for column in columns])
        for entry in dict.fromkeys(one.entry for one in found)
    ]
    return Layout([(over, percent(fraction), float(counts[fraction])) for over, fraction in columns], rows)


def frame(of_levels: Sequence[Saved], of_tasks: Sequence[Saved], run: Run) -> pd.DataFrame:
    """As written to `labels.csv`; an empty `task` is a level's score, an empty number is never reached."""
    names = [(one, one.task, "") for one in of_levels] + [(one, run.level(one.task), one.task) for one in of_tasks]
    rows = [
        {
            **one.entry._asdict(),
            "level": level,
            "task": task,
            "fraction": one.fraction,
            "probe": one.probe,
            "labels": one.labels,
            "reference": one.over,
            "needed": one.needed.number,
            "low": one.needed.low,
            "high": one.needed.high,
            "at_most": one.needed.number <= one.needed.least,
        }
        for one, level, task in names
    ]
    return pd.DataFrame(rows, columns=CSV).replace(np.inf, np.nan)
