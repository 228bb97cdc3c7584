"""What a run of one question says about each label: who leads, the learning curve, how many labels more would take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import compare, stats, tables
from benchmark.leaderboard.statistics.levels import POWER
from benchmark.recommend import curve
from benchmark.recommend.curve import Forecast, Points
from benchmark.recommend.question import FLOOR

#: scores that people ask for are multiples of this, and so much better than what they have
_STEP, _BETTER = 0.05, 0.02


@dataclass(frozen=True)
class Row:
    """One contestant on one label: its score with all labels, and its learning curve as (labels, mean, low, high).

    Attributes:
        leads: whether it is the best, or not told apart from it.
        heard: what its weights heard; `none` without any.
        weights: the export that they are from; empty without any.
    """

    name: str
    heard: str
    weights: str
    mean: float
    low: float
    high: float
    leads: bool
    curve: list[tuple[float, float, float, float]]


@dataclass(frozen=True)
class Difference:
    """Of two rows with all labels, first - second, up is better.

    Attributes:
        wins: `first`, `second` or `tied`, by the pair test.
        detectable: the difference that this comparison finds in 80 % of cases; infinite where nothing is concluded.
    """

    first: str
    second: str
    mean: float
    half: float
    wins: str
    detectable: float


@dataclass(frozen=True)
class Advice:
    """Everything about one label.

    Attributes:
        labels: labeled training tracks.
        rows: from the best down; the last one is the floor.
        pairs: of every two rows, by name, in both orders.
        forecast: of the best row; None where it is not told from the floor, its curve follows no law, or nothing is
            left to gain.
    """

    task: str
    metric: str
    labels: int
    tested: int
    rows: list[Row]
    pairs: dict[tuple[str, str], Difference]
    goal: float | None
    forecast: Forecast | None

    @property
    def best(self) -> Row:
        """The contestant with the highest score."""
        return self.contestants[0]

    @property
    def contestants(self) -> list[Row]:
        """All but the floor."""
        return [row for row in self.rows if row.name != FLOOR]

    @property
    def leading(self) -> list[Row]:
        """The best, and all that are not told apart from it."""
        return [row for row in self.contestants if row.leads]

    @property
    def untrained(self) -> list[Row]:
        """Those that nobody trained."""
        return [row for row in self.contestants if not row.weights]

    @property
    def pretrained(self) -> list[Row]:
        """Those whose weights come from a pre-training."""
        return [row for row in self.contestants if row.weights]


def advise(scores: pd.DataFrame, run: Run, goal: float | None = None) -> list[Advice]:
    """Read the scores of a recommendation's run, task by task.

    Args:
        scores: the scores table, with its bootstrap draws.
        run: its record.
        goal: a score to draw learning curves on to; by default the next one that people would ask for.
    """
    runs = tables.main_runs(stats.prepare(scores), run)
    told = compare.pairwise(runs, run.up, run.fixed)
    cells = tables.cells(scores, run, told)
    cells = cells[cells["main"]]
    cells = cells.assign(contends=cells["strategy"] != FLOOR)
    cells["mark"] = compare.marks(cells, told, run.up)
    return [_of(str(task), part, runs[runs["task"] == task], told, run, goal) for task, part in cells.groupby("task")]


def _of(task: str, cells: pd.DataFrame, runs: pd.DataFrame, told: pd.DataFrame, run: Run, goal: float | None) -> Advice:
    at_all = cells[cells["fraction"] == cells["fraction"].max()].dropna(subset="mean").sort_values("mean")[::-1]
    rows = [_row(name, cells, run) for name in at_all["strategy"]]
    rows.sort(key=lambda row: (row.name == FLOOR, -row.mean))
    pairs = _pairs(told[(told["task"] == task) & (told["fraction"] == cells["fraction"].max())])
    first = at_all.iloc[0]
    if goal is None:
        goal = next_goal(rows[0].mean)
    heard = (rows[0].name, FLOOR) not in pairs or pairs[rows[0].name, FLOOR].wins == "first"
    points = curve.points(runs[runs["strategy"] == rows[0].name]) if heard else None
    return Advice(
        task,
        str(first["metric"]),
        round(first["n_train"]),
        round(first["n_test"]),
        rows,
        pairs,
        goal,
        _forecast(points, goal),
    )


def _forecast(points: Points | None, goal: float | None) -> Forecast | None:
    return None if points is None or goal is None or goal <= points.scores[-1] else curve.forecast(points, goal)


def next_goal(score: float) -> float | None:
    """The score that people would ask for next; None where hardly anything is left to gain."""
    goal = round(_STEP * float(np.ceil((score + _BETTER) / _STEP)), 6)
    return goal if goal < 1 else None


def _row(name: str, cells: pd.DataFrame, run: Run) -> Row:
    own = cells[cells["strategy"] == name].dropna(subset="mean").sort_values("fraction")
    last = own.iloc[-1]
    points = own[["n_train", "mean", "low", "high"]].itertuples(index=False, name=None)
    return Row(
        name,
        str(last["pretrain_corpus"]),
        str(run.strategy(name).options.get("weights", "")),
        float(last["mean"]),
        float(last["low"]),
        float(last["high"]),
        last["mark"] in ("best", "tied"),
        [(float(n), float(mean), float(low), float(high)) for n, mean, low, high in points],
    )


def _pairs(told: pd.DataFrame) -> dict[tuple[str, str], Difference]:
    """Every two rows, in both orders."""
    both = compare.both_ways(told)
    quantiles = stdtrit(both["freedom"], 1 - compare.LEVEL / 2) + stdtrit(both["freedom"], POWER)
    both = both.assign(detectable=np.where(both["p"].isna(), np.inf, quantiles * both["stderr"]))
    columns = ["first_strategy", "second_strategy", "difference", "half_width", "wins", "detectable"]
    found = (Difference(*values) for values in both[columns].itertuples(index=False, name=None))
    return {(one.first, one.second): one for one in found}
