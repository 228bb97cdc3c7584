"""Which strategies differ on one task: every pair, on the same test items, label draws and pre-training seeds.

Two strategies that are scored on the same items share much of their error, so a difference is surer than two
intervals side by side suggest. Everything here is a pure function of a table of runs with their bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmark.leaderboard.statistics.stats import ENTRY
from benchmark.leaderboard.statistics.student import Floats, student

#: one win matrix, and the family of its comparisons
MATRIX = ["task", "fraction", "probe"]
FIRST = [f"first_{name}" for name in ENTRY]
SECOND = [f"second_{name}" for name in ENTRY]
#: the share of true ties that one matrix may call a difference
LEVEL = 0.05
#: what `wins` says when first and second change places
TURNED = {"first": "second", "second": "first"}


def pairwise(draws: pd.DataFrame, higher_is_better: Mapping[str, bool]) -> pd.DataFrame:
    """Compare every two strategies on every task, fraction and probe.

    Runs are paired by label draw and pre-training seed. A strategy with one seed (mfcc has nothing to seed) is held
    against each seed of the other; two without a common seed are paired in the order of their seeds; label draws
    that only one of them has are left out. The squared standard error of the mean difference is v_t + v_s + v_d:
    its variance over bootstrap draws of the test groups, and those of its mean over seeds and over label draws
    (crossed, as in `stats.half_width`). It is read on Student's distribution at Satterthwaite's degrees of freedom.
    What did not vary (a single seed) adds nothing: nothing is pretended about it.

    Among 190 pairs with three seeds each, some seeds agree by luck, and two degrees of freedom would let none but
    the lucky pairs pass Holm's first steps. So a pair's spread between seeds (label draws) counts at least as much
    as that of the average pair of its matrix, with (strategies - 1) (seeds - 1) degrees of freedom: those of
    strategies crossed with seeds in an analysis of variance.

    All pairs of one task, fraction and probe are one family: Holm's correction holds the risk of any false
    difference in a matrix at 5 % (simulated: 2 to 5 %; up to 10 % where two of twenty strategies scatter four times
    as widely as the rest). Several matrices are not corrected for one another.

    Args:
        draws: one row per run on the task's main metric, columns as `stats.prepare` leaves them: `stats.ENTRY`, task,
            fraction, probe, resample, seed, `value`; and `draws`: B scores on B bootstrap draws of the test groups,
            the b-th the same for all rows of a task. A score that a draw leaves undefined is NaN; a row without
            draws has None. Where there is a column `groups` (how many the test set has), few groups widen the error.
        higher_is_better: direction of the metric by task; up where a task is not listed.

    Returns:
        One row per matrix (`MATRIX`) and unordered pair (`FIRST`, `SECOND`): `difference` (mean of first - second),
        `stderr`, `freedom`, `half_width` (95 %, uncorrected), `p` (two-sided), `p_holm`, `distinct` (`p_holm` at
        most 5 %), `wins` (first, second, tied or missing), `first_seeds`, `second_seeds` and `label_draws`. A
        strategy without a run in a matrix, or with one that is not a finite number, is missing there (NaN).
    """
    entries = draws[ENTRY].drop_duplicates().sort_values(ENTRY, ignore_index=True)
    matrices = [part for _, part in draws.groupby(MATRIX)] or [draws]  # no runs: an empty table, columns and all
    table = pd.concat([_matrix(part, entries) for part in matrices], ignore_index=True)
    table["distinct"] = table["p_holm"] <= LEVEL
    sign = np.array([1.0 if higher_is_better.get(task, True) else -1.0 for task in table["task"]])
    better = np.where(sign * table["difference"] > 0, "first", "second")
    verdict = np.where(table["distinct"], better, "tied")
    table["wins"] = np.where(table["difference"].isna(), "missing", verdict)
    return table


def both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Every pair of `pairwise` in both orders: all off-diagonal cells of the win matrices."""
    turned = pairs.rename(columns=dict(zip([*FIRST, *SECOND], [*SECOND, *FIRST], strict=True)))
    turned = turned.rename(columns={"first_seeds": "second_seeds", "second_seeds": "first_seeds"})
    turned = turned.assign(difference=-pairs["difference"], wins=pairs["wins"].replace(TURNED))
    return pd.concat([pairs, turned[pairs.columns]], ignore_index=True)


def holm(p: ArrayLike) -> Floats:
    """Adjust the p-values of one family by Holm's step-down method; unknown ones (NaN) are no part of it."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]  # NaN sorts last
    steps = np.arange(len(order), 0, -1)
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * values[order]), 1.0)
    return adjusted


def _matrix(part: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """All pairs of one task, fraction and probe."""
    runs = _runs(part, entries)
    seeds = np.isfinite(runs[..., 0]).any(axis=1).sum(axis=1)
    first, second = np.triu_indices(len(entries), 1)
    pairs = _differences(_one_seed_for_all(runs), first, second)
    groups = part["groups"].min() if "groups" in part else np.inf
    # A variance over n draws from G groups is too small by (G - 1) / G, and no surer than G values make it.
    with np.errstate(divide="ignore", invalid="ignore"):  # one group: nothing is known
        test = pairs["test"].to_numpy() / (1 - 1 / groups), np.minimum(pairs["test_n"].to_numpy(), groups) - 1
    seeded = seeds > 1
    kind = seeded[first].astype(int) + seeded[second]  # of one side only, of none: less varies
    seed = _spread(pairs["seed"], pairs["seed_n"], kind, int(seeded.sum()))
    label = _spread(pairs["label"], pairs["label_n"], np.ones_like(kind), int((seeds > 0).sum()))
    difference = pairs["difference"].to_numpy()
    judged = {"difference": difference, **student(difference, [test, seed, label])._asdict()}
    sides = [(FIRST, first), (SECOND, second)]
    which = {name: part[name].to_numpy()[np.zeros_like(first)] for name in MATRIX}  # one value, once per pair
    names = {name: entries[own].to_numpy()[i] for side, i in sides for name, own in zip(side, ENTRY, strict=True)}
    counts = {"first_seeds": seeds[first], "second_seeds": seeds[second], "label_draws": pairs["label_n"]}
    return pd.DataFrame(which | names | judged | {"p_holm": holm(judged["p"])} | counts)


def _runs(part: pd.DataFrame, entries: pd.DataFrame) -> Floats:
    """Scores as (strategies, label draws, seeds, 1 + B), the score itself first; NaN where there is no run."""
    own = pd.MultiIndex.from_frame(entries).get_indexer(pd.MultiIndex.from_frame(part[ENTRY]))
    resample, resamples = pd.factorize(part["resample"], sort=True)
    seed, seeds = pd.factorize(part["seed"], sort=True)
    values = np.column_stack([part["value"].to_numpy(np.float64), _lists(part["draws"])])
    runs = np.full((len(entries), len(resamples), len(seeds), values.shape[1]), np.nan)
    runs[own, resample, seed] = values
    # Leaving out a run that diverged would flatter its strategy.
    runs[own[~np.isfinite(values[:, 0])]] = np.nan
    return runs


def _lists(column: pd.Series) -> Floats:
    known = column.notna().to_numpy()
    width = max((len(values) for values in column[known]), default=0)
    table = np.full((len(column), width), np.nan)
    if width:
        table[known] = np.stack(column[known].to_list())
    return table


def _one_seed_for_all(runs: Floats) -> Floats:
    """Repeat the runs of a strategy with one seed for every seed: equal columns have no spread, so none is added."""
    has = np.asarray(np.isfinite(runs[..., 0]).any(axis=1))
    single = np.flatnonzero(has.sum(axis=1) == 1)
    repeated = runs.copy()
    only = has[single] @ np.arange(has.shape[1])
    repeated[single] = runs[single, :, only][:, :, None]
    return repeated


def _in_order(runs: Floats) -> Floats:
    """Move each strategy's seeds to the front."""
    absent = ~np.isfinite(runs[..., 0]).any(axis=1)
    order = np.argsort(absent, axis=1, kind="stable")
    return np.take_along_axis(runs, order[:, None, :, None], axis=2)


def _differences(runs: Floats, first: NDArray[np.int64], second: NDArray[np.int64]) -> pd.DataFrame:
    """Of each pair the mean difference, and variances over test draws, seeds and label draws with their counts."""
    pairs = runs[first] - runs[second]
    strangers = np.flatnonzero(~np.isfinite(pairs[..., 0]).any(axis=(1, 2)))
    ordered = _in_order(runs)
    pairs[strangers] = ordered[first[strangers]] - ordered[second[strangers]]
    used = np.isfinite(pairs[..., :1])
    with np.errstate(invalid="ignore"):  # no common run: 0 / 0 is NaN, which is meant
        mean = np.where(used, pairs, 0.0).sum(axis=(1, 2)) / used.sum(axis=(1, 2))
    columns = {"difference": mean[:, 0]}
    by = {"test": mean[:, 1:], "seed": _mean(pairs[..., 0], 1), "label": _mean(pairs[..., 0], 2)}
    for name, values in by.items():
        columns[name], columns[f"{name}_n"] = _variance(values)
    return pd.DataFrame(columns)


def _spread(variance: pd.Series, n: pd.Series, kind: NDArray[np.int64], strategies: int) -> tuple[Floats, Floats]:
    """Variance of a mean of `n`, never below that of the average pair of its kind, and its degrees of freedom."""
    least = np.maximum(variance, variance.groupby(kind).transform("mean"))
    return (least / n).fillna(0.0).to_numpy(), ((n - 1) * max(strategies - 1, 1)).to_numpy(np.float64)


def _mean(values: Floats, axis: int) -> Floats:
    """Mean of what is there; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis))


def _variance(values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Variance (ddof 1) of what is there along the last axis, NaN below two values; and how many there are."""
    known = np.isfinite(values)
    n = known.sum(axis=-1)
    deviations = np.where(known, values - _mean(values, -1)[..., None], 0.0)
    variance = np.square(deviations).sum(axis=-1) / np.maximum(n - 1, 1)
    return np.where(n > 1, variance, np.nan), n
