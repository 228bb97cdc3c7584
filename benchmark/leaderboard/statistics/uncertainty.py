"""The variance of means over runs, and of differences of two: the terms of `variance`, each with its freedom.

Rows of one table lean on each other: three seeds of one row say little about what a seed does, those of twenty rows
say it well. A row with a single seed has nothing else; where no row has two, what a seed does is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmark.leaderboard.statistics.student import Floats, Part, satterthwaite
from benchmark.leaderboard.statistics.variance import (
    Bools,
    Counts,
    Indices,
    Sampling,
    Terms,
    means,
    moderated,
    overall,
    residual,
    sampling,
    variance,
)


class Known(NamedTuple):
    """Variances of single seeds or label draws and the degrees of freedom of each; `plain` ones lean on no others."""

    leaning: Floats
    freedom: Floats
    plain: Floats


class Found(NamedTuple):
    """Means over runs, what adds up to their variances, and how many seeds and label draws they are of.

    `plain`: these variances where none leans on others: of one mean unsure, on average over many without bias.
    `lone`: seeds matter, and there is but one, so that nothing may be concluded.
    """

    mean: Floats
    parts: list[Part]
    plain: Floats
    counts: Counts
    lone: Bools


def of_rows(runs: Floats, groups: float, bound: Floats, fixed: Bools) -> Found:
    """Means of the rows of one table.

    What moves all rows alike (an easy label draw) was seen once for each label draw or seed, however many rows there
    are; what moves each by itself was seen in all of them. A single row has no others to lean on: its variances are no
    less than luck with the test items makes them, for three seeds that happen to agree would say that nothing varies.

    Args:
        runs: the result of `variance.cube`.
        groups: of the test set.
        bound: for `variance.sampling`.
        fixed: which rows have nothing to seed.
    """
    values, rows = runs[..., 0], np.arange(len(runs))
    seed = [
        Known(np.where(fixed, 0.0, v), f, np.where(fixed, 0.0, plain))
        for v, f, plain in _split(np.where(fixed[:, None], np.nan, means(values, 1)))
    ]
    nothing = np.zeros((1, *runs.shape[1:]))  # a mean is a difference from nothing
    test = sampling(np.concatenate([runs, nothing]), rows, np.full_like(rows, len(rows)), groups, bound)
    draw = _split(means(values, 2))
    if len(runs) == 1:
        seed, draw = [_at_least(luck, found) for luck, found in zip(test.luck[:2], (seed, draw), strict=True)]
    return _found(values, test, [~fixed], seed, draw, int((~fixed & _there(runs)).sum()))


def of_pairs(
    runs: Floats,
    first: Indices,
    second: Indices,
    groups: float,
    bound: Floats,
    fixed: Bools,
    origin: Indices | None = None,
) -> Found:
    """Means of paired differences of rows, first - second, over the seeds and label draws that both have.

    A row that has nothing to seed meets every seed of the other; two without a common seed are paired in the order of
    their seeds. Pairs lean on pairs of their kind: of two rows with seeds, of one, or of a row with itself.

    Args:
        runs: the result of `variance.cube`.
        first: of each pair; and
        second: what is taken from it.
        groups: of the test set.
        bound: for `variance.sampling`.
        fixed: which rows have nothing to seed.
        origin: by row, whose trainings it is of: equal for a row after several budgets, which share trunks, so that it
            differs less from itself than from others. By default each row is of its own.
    """
    origin = np.arange(len(runs)) if origin is None else origin
    met, most = _meeting(runs, fixed), bound[first] + bound[second]
    values = met[first, ..., 0] - met[second, ..., 0]
    strangers = ~np.isfinite(values).any(axis=(1, 2))
    if strangers.any():  # two copies of all rows, of which they take the second
        met = np.concatenate([met, _in_order(met)])
        first, second = first + strangers * len(runs), second + strangers * len(runs)
        values = met[first, ..., 0] - met[second, ..., 0]
    test, there = sampling(met, first, second, groups, most), _there(runs)  # who has no score lends nothing
    seeded = len(np.unique(origin[~fixed & there]))
    kind = np.tile((~fixed).astype(int), 2)[[first, second]].sum(axis=0)
    itself = np.equal(*np.tile(origin, 2)[[first, second]])
    kinds = [(kind == 1) & ~itself, (kind == 2) & ~itself, (kind > 0) & itself]
    seed, draw = np.zeros((2, 3, len(first)))
    for of in kinds:
        seed[:, of] = _moderated(means(values, 1)[of], seeded)
    for of in (itself, ~itself):
        draw[:, of] = _moderated(means(values, 2)[of], len(np.unique(origin[there])))
    return _found(values, test, kinds, [Known(*seed)], [Known(*draw)], seeded)


def _there(runs: Floats) -> Bools:
    """Rows that have any score."""
    return np.asarray(np.isfinite(runs[..., 0]).any(axis=(1, 2)))


def _found(
    values: Floats, test: Sampling, kinds: Sequence[Bools], seed: list[Known], draw: list[Known], seeded: int
) -> Found:
    """Put together what is known of rows or pairs; `kinds` are those that have seeds, which lend to each other."""
    counts, own = Counts.of(np.isfinite(values)), residual(values)
    rest, luck, lone = np.zeros(len(values)), [*map(np.copy, test.luck)], np.zeros(len(values), bool)
    for of in kinds:
        alone, several = of & (counts.seeds == 1), of & (counts.seeds > 1)
        lone |= alone
        if several.any():
            rest[of] = own[several].mean()
            luck[0][alone], luck[2][alone] = luck[0][several].mean(), luck[2][several].mean()
    s, r = counts

    def parts(seeds: list[Floats], draws: list[Floats]) -> list[Part]:
        by_seed, by_draw = [v / s for v in seeds], [v / r for v in draws]
        least = np.minimum(np.sum(by_seed, axis=0), np.sum(by_draw, axis=0))
        return [
            (test.mean, test.freedom),
            (-np.minimum(Terms(*luck).of_mean(counts), test.mean), test.freedom * np.maximum(s * r - 1, 1)),
            *[(v, known.freedom) for v, known in zip(by_seed, seed, strict=True)],
            *[(v, known.freedom) for v, known in zip(by_draw, draw, strict=True)],
            (-np.minimum(rest / (s * r), least), np.maximum((s - 1) * (r - 1), 1) * max(seeded - 1, 1)),
        ]

    leaning = parts([known.leaning for known in seed], [known.leaning for known in draw])
    plain = parts([known.plain for known in seed], [known.plain for known in draw])
    return Found(overall(values), leaning, satterthwaite(plain)[0], counts, lone)


def _at_least(luck: Floats, found: list[Known]) -> list[Known]:
    """Raise the last of some variances where all together are below this."""
    *others, last = found
    rest = luck - sum(known.leaning for known in others)
    return [*others, last._replace(leaning=np.maximum(last.leaning, rest))]


def _split(values: Floats) -> list[Known]:
    """Variances of (rows, n) from what moves all rows alike, and from what moves each by itself."""
    n = np.isfinite(values).sum(axis=1)
    deviations = values - means(values, 1)[:, None]
    common = means(deviations[n > 1], 0) if (n > 1).sum() > 1 else np.zeros(values.shape[1])
    alike = np.full(len(values), float(variance(common[None])[0]) if (n > 1).any() else 0.0)
    return [
        Known(alike, np.full(len(values), max(float(n.max(initial=2)) - 1, 1.0)), alike),
        _moderated(deviations - common, int((n > 1).sum())),
    ]


def _moderated(values: Floats, rows: int) -> Known:
    """Variances of (rows or pairs, n), leaning on each other, where `rows` vary independently."""
    n, own = np.isfinite(values).sum(axis=1), variance(values)
    leaning, freedom = moderated(own, n - 1.0, max(rows - 1, 1) * max(float(n.max(initial=2)) - 1, 1))
    return Known(leaning, freedom, np.where(n > 1, own, leaning))


def _meeting(runs: Floats, fixed: Bools) -> Floats:
    """Repeat the runs of rows that have nothing to seed for every seed: equal columns have no spread."""
    met = runs.copy()
    for row in np.flatnonzero(fixed):
        met[row] = runs[row][:, [int(np.isfinite(runs[row, ..., 0]).any(axis=0).argmax())]]
    return met


def _in_order(runs: Floats) -> Floats:
    """Move each row's seeds to the front."""
    absent = ~np.isfinite(runs[..., 0]).any(axis=1)
    order = np.argsort(absent, axis=1, kind="stable")
    return np.take_along_axis(runs, order[:, None, :, None], axis=2)
