"""How far a mean over runs may be from the truth: what test items, seeds and label draws each add, every source once.

A run's score owes something to its test items (`luck`), to its seed, to its label draw, and to their meeting. All runs
share the test set, but not all luck with it is shared: a checkpoint's own mistakes are its own. Bootstrap draws of the
test groups move all runs at once, so their covariance between different runs is the luck that more runs do not average
away; luck of single runs is in the spread between seeds and label draws already. With T that covariance, S seeds and R
label draws, crossed, the squared standard error of the mean is

    T + u_s / S + u_d / R - u_e / (S R)

u_s and u_d are variances of the means of seeds and of label draws; both hold the residual u_e of their crossing, which
counts once. T is the bootstrap variance of the mean itself less the same three terms of the draws. Three seeds say
little about a variance, so it leans on the other rows of the comparison (`moderated`). What was drawn only once
(`draws` of 1: all labels, or one draw of them) is held fixed: nothing is said about other draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from benchmark.leaderboard.statistics.student import Floats

Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]


class Counts(NamedTuple):
    """How many seeds and label draws each row has, at least one of each."""

    seeds: Floats
    draws: Floats

    @classmethod
    def of(cls, there: Bools) -> Counts:
        """Count, from which of (rows, label draws, seeds) there are."""
        return cls(*(np.maximum(there.any(axis=axis).sum(axis=1), 1).astype(np.float64) for axis in (1, 2)))


class Terms(NamedTuple):
    """Of each row, variances of the means of seeds, of those of label draws, and of single runs about both."""

    seed: Floats
    draw: Floats
    rest: Floats

    def of_mean(self, counts: Counts) -> Floats:
        """What they come to in the variance of a mean: the rest, which is in either, once."""
        return np.asarray((self.seed - self.rest / counts.draws) / counts.seeds + self.draw / counts.draws)


class Sampling(NamedTuple):
    """Variances from sampling other test groups: of a row's mean; `luck`, that of its single runs; degrees of freedom.

    Where there are no bootstrap draws, `mean` is an upper bound and nothing is known of single runs.
    """

    mean: Floats
    luck: Terms
    freedom: Floats


def cube(part: pd.DataFrame, row: Indices, rows: int) -> Floats:
    """Runs as (rows, label draws, seeds, 1 + B): the score, then its bootstrap draws; NaN where there is none.

    Args:
        part: runs of one task, fraction, probe and metric, with `value`, `resample`, `seed` and `draws`.
        row: which row each run belongs to.
        rows: how many there are. A row with a run that is no finite number is left without any: to leave out the run
            that diverged would flatter it.
    """
    resample, resamples = pd.factorize(part["resample"], sort=True)
    seed, seeds = pd.factorize(part["seed"], sort=True)
    values = np.column_stack([part["value"].to_numpy(np.float64), _lists(part["draws"])])
    runs = np.full((rows, len(resamples), len(seeds), values.shape[1]), np.nan)
    runs[row, resample, seed] = values
    runs[row[~np.isfinite(values[:, 0])]] = np.nan
    return runs


def bound(part: pd.DataFrame, row: Indices, rows: int) -> Floats:
    """The most that test sampling adds to the variance of each row's mean, by its runs' own standard errors."""
    if "test_stderr" not in part:
        return np.full(rows, np.nan)
    squares = np.square(part["test_stderr"].to_numpy(np.float64))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(row, squares, rows) / np.bincount(row, minlength=rows))


def groups_of(part: pd.DataFrame) -> float:
    """How many groups the test set has; infinite where nobody says."""
    return float(part["groups"].fillna(np.inf).min()) if "groups" in part and len(part) else np.inf


def _lists(column: pd.Series) -> Floats:
    known = column.notna().to_numpy()
    width = max((len(values) for values in column[known]), default=0)
    table = np.full((len(column), width), np.nan)
    if width:
        table[known] = np.stack(column[known].to_list())
    return table


def residual(values: Floats) -> Floats:
    """Variance of single runs, (rows, label draws, seeds), about the means of their seed and of their label draw."""
    there = np.isfinite(values)
    seeds, draws = means(values, 1), means(values, 2)
    rest = values - seeds[:, None] - draws[:, :, None] + overall(values)[:, None, None]
    freedom = there.sum(axis=(1, 2)) - np.isfinite(seeds).sum(axis=1) - np.isfinite(draws).sum(axis=1) + 1
    return np.asarray(np.square(np.where(there, rest, 0.0)).sum(axis=(1, 2)) / np.maximum(freedom, 1))


def means(runs: Floats, axis: int) -> Floats:
    """Scores (rows, label draws, seeds) averaged over one axis; NaN where nothing is."""
    known = np.isfinite(runs)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, runs, 0.0).sum(axis=axis) / known.sum(axis=axis))


def overall(runs: Floats) -> Floats:
    """Scores (rows, label draws, seeds) averaged; NaN where nothing is."""
    return means(runs.reshape(len(runs), runs.shape[1] * runs.shape[2]), 1)


def variance(values: Floats) -> Floats:
    """Variance (ddof 1) of what is there along the second axis; 0 below two values."""
    known = np.isfinite(values)
    n = known.sum(axis=1, keepdims=True)
    filled = np.where(known, values, 0.0)
    deviations = np.where(known, filled - filled.sum(axis=1, keepdims=True) / np.maximum(n, 1), 0.0)
    return np.asarray((np.square(deviations) / np.maximum(n - 1, 1)).sum(axis=1))


def sampling(runs: Floats, first: Indices, second: Indices, groups: float, bound: Floats) -> Sampling:
    """Read test sampling off bootstrap draws, of differences between rows.

    Args:
        runs: the result of `cube`.
        first: the row of each difference; and
        second: the one that is taken from it. Only runs that both have count.
        groups: how many groups the test set has. Under the bootstrap the variance of a mean over G groups is too small
            by (G - 1) / G, and no surer than G values make it.
        bound: of each difference, the most that test sampling can add to the variance of its mean, where there are no
            bootstrap draws.
    """
    there, drawn = np.isfinite(runs[..., 0]), runs[..., 1:]
    defined = (np.isfinite(drawn) | ~there[..., None]).all(axis=(1, 2))  # a rare tag may be in none of a draw's items
    known = np.concatenate([there.reshape(len(runs), there.shape[1] * there.shape[2]), defined], axis=1)
    shared = known[first] & known[second]
    found, n = np.zeros((4, len(first))), np.zeros(len(first))
    for pattern, members in _alike(shared):
        runs_of, draws_of = np.split(pattern, [there[0].size])
        if draws_of.sum() < 2 or not runs_of.any():
            continue
        n[members] = draws_of.sum()
        rows, places = np.unique([first[members], second[members]], return_inverse=True)
        deviations = _deviations(drawn[rows][..., draws_of], runs_of.reshape(there.shape[1:]))
        found[:, members] = [_squared(d, *places.reshape(2, -1)) for d in deviations]
    enough = (n > 1) & (groups > 1)
    scale = np.where(enough, 1 / np.maximum(n - 1, 1), 0.0) / (1 - 1 / groups if groups > 1 else 1.0)
    mean, *luck = found * scale
    return Sampling(np.where(enough, mean, bound), Terms(*luck), np.where(enough, np.minimum(n, groups) - 1.0, np.inf))


def _alike(patterns: Bools) -> Iterator[tuple[Bools, Indices]]:
    """The different ones, and where each is."""
    if not patterns.size:
        return
    packed = np.ascontiguousarray(np.packbits(patterns, axis=1))
    _, at, which = np.unique(packed.view(f"V{packed.shape[1]}")[:, 0], return_index=True, return_inverse=True)
    for i, place in enumerate(at):
        yield patterns[place], np.flatnonzero(which == i)


def _deviations(drawn: Floats, there: Bools) -> list[Floats]:
    """By row, deviations over bootstrap draws whose sums of squares are those of the mean and of the three `Terms`."""
    kept = drawn[:, there.any(axis=1)][:, :, there.any(axis=0)]
    w = there[there.any(axis=1)][:, there.any(axis=0)].astype(np.float64)
    draws, seeds = w.shape
    x = np.where(w[..., None] > 0, kept - kept.mean(axis=-1, keepdims=True), 0.0)
    mean, by_seed = x.sum(axis=(1, 2)) / w.sum(), x.sum(axis=1) / w.sum(axis=0)[:, None]
    by_draw = x.sum(axis=2) / w.sum(axis=1)[:, None]
    rest = (x - by_seed[:, None] - by_draw[:, :, None] + mean[:, None, None]) * w[..., None]
    freedom = max(w.sum() - seeds - draws + 1, 1)
    apart = [(by_seed, seeds - 1), (by_draw, draws - 1)]
    terms = [(v - v.mean(axis=1, keepdims=True)) / np.sqrt(max(f, 1)) for v, f in apart]
    return [mean, *terms, rest / np.sqrt(freedom)]


def _squared(deviations: Floats, first: Indices, second: Indices) -> Floats:
    """Squared distances of rows; exactly zero where they are equal."""
    flat = deviations.reshape(len(deviations), -1)
    products = flat @ flat.T
    own = np.diagonal(products)
    both = own[first] + own[second]
    squares = both - 2 * products[first, second]
    return np.where(squares > 1e-12 * both, squares, 0.0)


def moderated(values: Floats, freedom: Floats, most: float) -> tuple[Floats, Floats]:
    """Let variances of few degrees of freedom lean on each other (Smyth 2004, section 6.2).

    True variances are taken to scatter as d0 s0 / chi^2_d0 does. Both are read off the logarithms of those observed, so
    that one row whose seeds are far apart says that variances scatter widely, and widens its own interval before all
    others': with plain moments it sets the mean of all.

    Args:
        values: variances of one kind.
        freedom: of each, 0 where it is unknown.
        most: degrees of freedom of all together.

    Returns:
        The variances and their degrees of freedom, an unknown one from the others alone; zero if there are none.
    """
    known = freedom > 0
    if not known.any():
        return np.zeros(values.shape), np.ones(values.shape)
    seen, own = values[known], np.where(known, freedom, 0.0)
    # scores that happen to be equal, as few items make them, tell nothing of a scatter: a zero has no logarithm
    telling = seen > 1e-5 * np.median(seen)
    d = freedom[known][telling]
    logs = np.log(seen[telling]) - digamma(d / 2) + np.log(d / 2)
    scatter = logs.var(ddof=1) - polygamma(1, d / 2).mean() if len(logs) > 1 else 0.0
    if scatter <= 0:
        return np.full(values.shape, seen.mean()), np.full(values.shape, most)
    prior = 2 * _trigamma_inverse(float(scatter))
    usual = np.exp(logs.mean() + digamma(prior / 2) - np.log(prior / 2))
    leaning = (prior * usual + own * np.where(known, values, 0.0)) / (prior + own)
    return leaning, np.minimum(prior + own, most)


def _trigamma_inverse(y: float) -> float:
    """The x whose trigamma is y > 0: trigamma lies between 1 / x and 1 / x + 1 / x^2."""
    return float(brentq(lambda x: polygamma(1, x) - y, 1 / y, (1 + np.sqrt(1 + 4 * y)) / (2 * y)))
