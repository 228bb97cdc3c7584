"""One order over all tasks, three ways: interquartile mean, Borda count and mean rank; and how far to trust it.

Everything here looks at one label fraction and one probe. A strategy that lacks a score is incomplete: it gets no
number at all, since every number over fewer tasks is a number over other tasks.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc

from benchmark.leaderboard.statistics.stats import CELL, ENTRY

#: below this many tasks a rank test can hardly find anything, and its approximations do not hold (Demšar 2006)
LEAST_TASKS = 5


@dataclass(frozen=True)
class RankTest:
    """Friedman's test that all strategies rank alike, and Nemenyi's critical difference of two mean ranks."""

    statistic: float
    p: float
    critical_difference: float
    strategies: int
    tasks: int


def runs_at(scores: pd.DataFrame, cells: pd.DataFrame, fraction: float, probe: str) -> pd.DataFrame:
    """All runs of the planned cells at one label fraction under one probe, on each task's main metric.

    Args:
        scores: the result of `stats.prepare`.
        cells: the result of `tables.cells`.
        fraction: label fraction.
        probe: probe type.

    Returns:
        `stats.ENTRY`, task, resample, seed and value in the plan's order; a cell without runs is one row without
        a value.
    """
    planned = cells[cells["main"] & (cells["fraction"] == fraction) & (cells["probe"] == probe)]
    runs = planned[[*CELL, "status"]].merge(scores, on=CELL, how="left")
    runs["value"] = runs["value"].where(runs["status"] != "missing")  # some of its runs may be there
    return runs[[*ENTRY, "task", "resample", "seed", "value"]]


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean scores, strategies x tasks in the order of `runs`; NaN for a cell with a run that is no finite number."""
    finite = runs.assign(value=runs["value"].where(np.isfinite(runs["value"])))
    cells = finite.groupby([*ENTRY, "task"], sort=False)["value"].agg(["mean", "size", "count"])
    table = cells["mean"].where(cells["size"] == cells["count"]).unstack("task")
    return table.reindex(index=pd.MultiIndex.from_frame(runs[ENTRY].drop_duplicates()), columns=runs["task"].unique())


def normalized(runs: pd.DataFrame, floor: Mapping[str, float], higher_is_better: Mapping[str, bool]) -> pd.DataFrame:
    """Bring the scores of all tasks to one scale: 0 is the floor, 1 a perfect score. Scores below it stay below.

    Args:
        runs: the result of `runs_at`.
        floor: by task, what needs no audio: the constant predictor's mean score, or chance.
        higher_is_better: direction by task; up where a task is not listed.

    Returns:
        The runs with `value` on that scale; NaN on a task without a floor, or where it is perfect: such a task leaves
        every strategy incomplete until the caller drops it, and says so.
    """
    up = {task: higher_is_better.get(task, True) for task in runs["task"].unique()}
    room = {task: float(better) - floor.get(task, np.nan) for task, better in up.items()}  # perfect is 1, or else 0
    room = {task: width if (width > 0) == up[task] and width != 0 else np.nan for task, width in room.items()}
    value = (runs["value"] - runs["task"].map(floor)) / runs["task"].map(room)
    return runs.assign(value=value.astype(float))


def interquartile_means(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean of the middle half of a strategy's scores over all tasks and pre-training seeds (Agarwal et al. 2021).

    Args:
        runs: the result of `normalized`. Label draws are averaged within each task and seed.

    Returns:
        One row per strategy: `stats.ENTRY`, `iqm`, `seeds` (those with every task). A strategy that lacks a task, or
        has a run that is no finite number, is missing (NaN).
    """
    complete = means(runs).notna().all(axis=1).to_dict()
    rows: list[dict[str, Any]] = []
    for entry, own in runs.groupby(ENTRY, sort=False):
        table = own.groupby(["seed", "task"])["value"].mean().unstack("task").dropna() if complete[entry] else own[:0]
        iqm = float(_middle(table.to_numpy().ravel())) if len(table) else np.nan
        rows.append({**dict(zip(ENTRY, entry, strict=True)), "iqm": iqm, "seeds": len(table)})
    return pd.DataFrame(rows)


def _middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the middle half along the last axis; scores on its edges count in part, so that copies change nothing."""
    n = values.shape[-1]
    inside = np.clip(np.arange(1, n + 1) - n / 4, 0, 1)
    weight = np.minimum(inside, inside[::-1])
    middle: NDArray[np.float64] = np.sort(values, axis=-1) @ (weight / weight.sum())
    return middle


def ranks(table: pd.DataFrame, higher_is_better: Mapping[str, bool]) -> pd.DataFrame:
    """Rank the complete strategies on each task, 1 = best, ties averaged.

    Args:
        table: the result of `means`.
        higher_is_better: direction by task; up where a task is not listed.

    Returns:
        Strategies x tasks, without incomplete strategies: a partial one shifts nobody's rank.
    """
    whole = table.dropna()
    signs = np.array([-1.0 if higher_is_better.get(str(task), True) else 1.0 for task in table])
    return (whole * signs).round(12).rank()


def borda(ranked: pd.DataFrame) -> pd.Series:
    """Borda count: on each task a strategy earns as many points as it leaves strategies behind (a tie is half).

    As in MTEB, but incomplete strategies are left out instead of earning nothing where they lack a score.
    With k strategies on T tasks it is T (k - mean rank), so its order is that of the mean ranks.
    """
    return (len(ranked) - ranked).sum(axis=1)


def rank_test(ranked: pd.DataFrame, level: float = 0.05) -> RankTest | None:
    """Friedman's test, corrected for ties, and Nemenyi's critical difference (Demšar 2006, JMLR 7, section 3.2).

    Args:
        ranked: the result of `ranks`.
        level: share of false alarms that is accepted.

    Returns:
        None with fewer than 5 tasks or 3 strategies: ranks alone then prove nothing.
    """
    from scipy.stats import studentized_range

    k, tasks = ranked.shape
    if tasks < LEAST_TASKS or k < 3:
        return None
    table = ranked.to_numpy()
    expected = (k + 1) / 2
    spread = np.square(table - expected).sum()  # 0 if all tie on every task
    statistic = (k - 1) * np.square((table - expected).sum(axis=1)).sum() / spread if spread else 0.0
    critical = studentized_range.ppf(1 - level, k, np.inf) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * tasks))
    return RankTest(float(statistic), float(chdtrc(k - 1, statistic)), float(critical), k, tasks)


def groups(mean_ranks: Sequence[float], critical_difference: float) -> list[list[int]]:
    """Who cannot be told apart: the bars of a critical-difference diagram.

    Args:
        mean_ranks: one per strategy.
        critical_difference: mean ranks at least so far apart differ.

    Returns:
        Maximal groups of two or more strategies whose mean ranks all lie closer; each a list of positions in
        `mean_ranks`, best first.
    """
    values = np.asarray(mean_ranks, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    line = values[order]
    ends = np.searchsorted(line, line + critical_difference)  # the first that is too far away
    found: list[list[int]] = []
    reached = 0
    for start, end in enumerate(ends.tolist()):
        if end > max(reached, start + 1):  # a group that ends where one before it does lies within it
            found.append(order[start:end].tolist())
        reached = max(reached, end)
    return found


def rank_stability(runs: pd.DataFrame, higher_is_better: Mapping[str, bool]) -> pd.DataFrame:
    """Compare the orders that each two pre-training seeds give by themselves: Kendall's tau-b of the mean ranks.

    Only strategies that have every task with both seeds take part: mfcc, which has nothing to seed, would agree
    with itself and make the order look stabler than it is.

    Args:
        runs: the result of `runs_at`; those of one task give the stability on that task.
        higher_is_better: direction by task; up where a task is not listed.

    Returns:
        One row per pair of seeds: `first`, `second`, `tau` (1: same order, 0: unrelated, -1: reversed; NaN if a seed
        ties all), `strategies` (how many took part). No row for seeds with fewer than two such strategies.
    """
    from scipy.stats import kendalltau

    tasks = runs["task"].unique()
    seeds = sorted(runs["seed"].dropna().astype(int).unique().tolist())
    tables = {seed: means(runs[runs["seed"] == seed]).reindex(columns=tasks).dropna() for seed in seeds}
    rows = []
    for first, second in itertools.combinations(seeds, 2):
        common = tables[first].index.intersection(tables[second].index)
        if len(common) > 1:
            orders = [ranks(tables[s].loc[common], higher_is_better).mean(axis=1) for s in (first, second)]
            rows.append((first, second, float(kendalltau(*orders).statistic), len(common)))
    return pd.DataFrame(rows, columns=["first", "second", "tau", "strategies"])
