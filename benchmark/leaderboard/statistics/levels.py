"""One score per level of what is heard: its tasks on one scale, each weighted by how reliably it tells rows apart.

A level's scores are a table like a task's: `compare.pairwise` and `stats.summarize` read it as they read any other, and
since its bootstrap draws are weighted sums of its tasks', what tasks on the same test items share is counted,
where they have labels of the same ones (`dance` has them of an eighth of the tunes of `collection`: as if of others).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmark.leaderboard.statistics.compare import LEVEL, MATRIX
from benchmark.leaderboard.statistics.stats import ENTRY, RUN
from benchmark.leaderboard.statistics.student import Floats
from benchmark.leaderboard.statistics.variance import Indices

#: how often a difference of the detectable size would be found
POWER = 0.8
#: with less reliability than this, what a task or level seems to tell apart is said of nobody
RELIABLE = 0.5
#: the weight of a task that tells nothing apart, in its level: below, where rows are equal but for their seeds' luck,
#: more than 5 % of the levels have a false leader; the long test of planted winners counts them
LEAST = 0.75


def power(pairs: pd.DataFrame, among: Collection[str] | None = None) -> pd.DataFrame:
    """What each task (or level) can tell apart.

    Args:
        pairs: the result of `compare.pairwise`.
        among: the strategies that are meant; a constant predictor would make every task look reliable. None: all.

    Returns:
        One row per matrix: `MATRIX`; `reliability`, the share of the variance of rows' means that is no error, test
        items included: 1 - (mean squared standard error of a difference) / (mean squared difference), at least 0;
        and `detectable`, the difference that a single comparison at 5 % finds in 80 % of cases, on average over pairs.
        NaN without a pair that may be tested.
    """
    chosen = pairs[pairs["p"].notna()]
    if among is not None:
        chosen = chosen[chosen["first_strategy"].isin(list(among)) & chosen["second_strategy"].isin(list(among))]
    quantiles = stdtrit(chosen["freedom"], 1 - LEVEL / 2) + stdtrit(chosen["freedom"], POWER)
    table = chosen.assign(
        spread=np.square(chosen["difference"]),
        detectable=quantiles * chosen["stderr"],
    )
    found = table.groupby(MATRIX)[["error", "spread", "detectable"]].mean()
    found["reliability"] = (1 - found["error"] / found["spread"]).clip(lower=0.0)
    whole = pd.MultiIndex.from_frame(pairs[MATRIX].drop_duplicates())
    return found.reindex(whole)[["reliability", "detectable"]].reset_index()


def judged(pairs: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Pairs with the columns of `power`, and no verdict where too little is reliable, or nobody knows how much.

    Args:
        pairs: the result of `compare.pairwise`.
        found: the result of `power`.
    """
    pairs = pairs.merge(found, on=MATRIX, how="left")
    told = pairs["distinct"] & (pairs["reliability"] >= RELIABLE)
    return pairs.assign(distinct=told, wins=pairs["wins"].where(told | (pairs["wins"] == "missing"), "tied"))


def weights(found: pd.DataFrame, levels: Mapping[str, str]) -> dict[str, float]:
    """By task, its mean reliability over label fractions, so that a level's score means the same at each of them.

    None weighs less than `LEAST`: reliability is estimated from the very scores that it weighs, and where nothing
    differs it picks the tasks on which rows happen to.

    Args:
        found: the result of `power` under one probe.
        levels: of each task.
    """
    mean = found.groupby("task")["reliability"].mean().reindex(list(levels)).fillna(0.0).clip(lower=LEAST)
    return {str(task): float(weight) for task, weight in mean.items()}


def level_scores(
    scores: pd.DataFrame,
    levels: Mapping[str, str],
    weights: Mapping[str, float],
    floor: Mapping[str, float],
    higher_is_better: Mapping[str, bool],
) -> pd.DataFrame:
    """Average each run's scores over the tasks of each level, from 0, the floor, to 1, a perfect score.

    Args:
        scores: runs at one fraction under one probe on main metrics, as `stats.prepare` leaves them.
        levels: of each task; tasks that are not listed take no part.
        weights: of each task, as its reliability; a task of weight 0, or without one, takes no part.
        floor: by task, what needs no audio; a task without one, or at its ceiling, takes no part.
        higher_is_better: direction by task; up where a task is not listed.

    Returns:
        The columns of `scores`, one row per level (its name is the `task`) and run; up is better. The value of a run
        that lacks a task is NaN, so that its row is missing on that level. Numbers of tracks are means over tasks.
    """
    slopes = _slopes(levels, weights, floor, higher_is_better)
    part = scores[scores["task"].isin(list(slopes))]
    keys = ["level", *ENTRY, *RUN]
    part = part.assign(level=part["task"].map(levels), slope=part["task"].map(slopes).astype(float))
    part = part.sort_values(keys, kind="stable", ignore_index=True)
    run = np.asarray(part.groupby(keys).ngroup(), np.int64)
    slope = np.asarray(part["slope"], np.float64)
    base = np.asarray(slope * part["task"].map(floor).to_numpy(np.float64), np.float64)
    found = part.drop_duplicates(keys, ignore_index=True)
    tasks = pd.Series({task: levels[task] for task in slopes}, dtype=object).value_counts()
    complete = np.bincount(run) == tasks.reindex(found["level"]).to_numpy()
    values = np.bincount(run, slope * part["value"].to_numpy() - base)
    found = found.assign(
        task=found["level"],
        metric="level score",
        **{name: np.bincount(run, part[name]) / np.bincount(run) for name in ("n_train", "n_test")},
        value=np.where(complete, values, np.nan),
        # luck with the items of several tasks may all go one way
        test_stderr=np.bincount(run, np.abs(slope) * part["test_stderr"].to_numpy()),
        groups=part.groupby(run)["groups"].min().to_numpy(),
        draws=_summed(part["draws"], slope, base, run),
    )
    return found[list(scores)]


def _slopes(
    levels: Mapping[str, str], weights: Mapping[str, float], floor: Mapping[str, float], up: Mapping[str, bool]
) -> dict[str, float]:
    """What one unit of a task's metric adds to the score of its level."""
    room = {task: float(up.get(task, True)) - floor.get(task, np.nan) for task in levels}  # perfect is 1, or else 0
    used = {t: weights.get(t, 0.0) for t, width in room.items() if (width > 0) == up.get(t, True) and abs(width) > 0}
    used = {task: weight for task, weight in used.items() if weight > 0}
    total: dict[str, float] = {}
    for task, weight in used.items():
        total[levels[task]] = total.get(levels[task], 0.0) + weight
    return {task: weight / total[levels[task]] / room[task] for task, weight in used.items()}


def _summed(draws: pd.Series, slope: Floats, base: Floats, run: Indices) -> NDArray[np.object_]:
    """Weighted sums of bootstrap draws by run; None where a task has none."""
    known, runs = draws.notna().to_numpy(), int(run.max(initial=-1)) + 1
    if not known.any():
        return np.full(runs, None)
    drawn = np.stack(draws[known].to_list())
    total = np.zeros((runs, drawn.shape[1]))
    np.add.at(total, run[known], slope[known, None] * drawn - base[known, None])
    lacking = np.bincount(run, ~known) > 0
    found = np.full(runs, None)
    for at in np.flatnonzero(~lacking):
        found[at] = total[at]
    return found
