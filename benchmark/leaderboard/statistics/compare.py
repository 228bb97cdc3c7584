"""Which strategies differ on one task: every pair, on the same test items, label draws and pre-training seeds.

Two strategies that are scored on the same items share much of their error, so a difference is surer than two
intervals side by side suggest. Everything here is a pure function of a table of runs with their bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from benchmark.leaderboard.statistics.stats import ENTRY
from benchmark.leaderboard.statistics.student import Floats, student
from benchmark.leaderboard.statistics.uncertainty import of_pairs
from benchmark.leaderboard.statistics.variance import Indices, bound, cube, groups_of

Mark = Literal["best", "tied", "", "missing"]

#: one win matrix, and the family of its comparisons
MATRIX = ["task", "fraction", "probe"]
FIRST = [f"first_{name}" for name in ENTRY]
SECOND = [f"second_{name}" for name in ENTRY]
#: the share of true ties that one matrix may call a difference
LEVEL = 0.05
#: test groups from which on something may be concluded: five that all say the same do so by chance in 6 % of cases
FEWEST = 6
#: what `wins` says when first and second change places
TURNED = {"first": "second", "second": "first"}


def pairwise(
    draws: pd.DataFrame,
    higher_is_better: Mapping[str, bool],
    fixed: Collection[str] = (),
    origin: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare every two strategies on every task, fraction and probe.

    Runs are paired by label draw and pre-training seed. A strategy that has nothing to seed (mfcc) is held against each
    seed of the other; two without a common seed are paired in the order of their seeds; label draws that only one of
    them has are left out. What varies is put together by `uncertainty.of_pairs`, which pairs lean on each other for,
    and read on Student's distribution at Satterthwaite's degrees of freedom. Where seeds matter and a pair has but one
    in common, nothing is concluded: its interval borrows the spread of the other pairs' seeds, and it has no p-value.
    Neither has any on a test set of fewer than `FEWEST` groups, where two rows may be as far apart on every bootstrap
    draw, and that is no certainty.

    All pairs of one task, fraction and probe are one family: Holm's correction holds the risk of any false
    difference in a matrix near 5 % (docs/statistics.md has the simulations). Several matrices are not corrected for
    one another.

    Args:
        draws: one row per run on the task's main metric, columns as `stats.prepare` leaves them: `stats.ENTRY`, task,
            fraction, probe, resample, seed, `value`; and `draws`: B scores on B bootstrap draws of the test groups,
            the b-th the same for all rows of a task. A score that a draw leaves undefined is NaN; a row without draws
            has None, and `test_stderr` bounds what test sampling does to it. Where there is a column `groups` (how
            many the test set has), few groups widen the error.
        higher_is_better: direction of the metric by task; up where a task is not listed.
        fixed: strategies that have nothing to seed.
        origin: by strategy, whose trainings it is of, where some share them (see `uncertainty.of_pairs`).

    Returns:
        One row per matrix (`MATRIX`) and unordered pair (`FIRST`, `SECOND`): `difference` (mean of first - second),
        `stderr`, `freedom`, `half_width` (95 %, uncorrected), `p` (two-sided), `p_holm`, `distinct` (`p_holm` at
        most 5 %), `wins` (first, second, tied or missing), `first_seeds`, `second_seeds` and `label_draws`; `error`,
        the squared standard error by the pair's own runs alone, for averages over pairs. A strategy without a run in
        a matrix, or with one that is not a finite number, is missing there (NaN).
    """
    entries = draws[ENTRY].drop_duplicates().sort_values(ENTRY, ignore_index=True)
    matrices = [part for _, part in draws.groupby(MATRIX)] or [draws]  # no runs: an empty table, columns and all
    named = entries.assign(strategy=[(origin or {}).get(name, name) for name in entries["strategy"]])
    trainings = np.asarray(named.groupby(ENTRY).ngroup(), np.int64)
    table = pd.concat([_matrix(part, entries, fixed, trainings) for part in matrices], ignore_index=True)
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


def marks(cells: pd.DataFrame, pairs: pd.DataFrame, higher_is_better: Mapping[str, bool]) -> list[Mark]:
    """Mark the best of each column and all that the pair test cannot tell from it.

    Who is better than every single other contender is the best, however many there are: that takes all of the tests at
    once, each at 5 %, and choosing the highest first does not raise the risk above it (Gutmann & Maymin 1987, Annals
    of Statistics 15, theorem 1). Where one test fails, any is told from the best only after Holm's correction.

    Args:
        cells: main metrics: `stats.CELL`, `mean` (NaN where missing) and `lone`; where there is a column `contends`,
            no other row is the best.
        pairs: the result of `pairwise`.
        higher_is_better: direction of the metric by task; up where a task is not listed.

    Returns:
        By cell `best` (exact ties share it), `tied`, `missing` or "". A `lone` row has one seed, and no test: it is the
        best only where all are, and else no contender, of whom nothing is said.
    """
    up = cells["task"].map(lambda task: 1.0 if higher_is_better.get(task, True) else -1.0).astype(float)
    score, column = (up * cells["mean"]).round(12), [cells[name] for name in MATRIX]
    contender = score.where(cells.get("contends", pd.Series(True, cells.index)))
    able = contender.where(~cells["lone"])
    some = able.groupby(column).transform("count") > 0
    candidate = able.where(some, contender)
    best = candidate.notna() & (candidate == candidate.groupby(column).transform("max"))
    leaders = best.groupby(column).transform("sum")
    corrected, plain = (_behind(cells, best, pairs[pairs[p] <= LEVEL]) == leaders for p in ("p_holm", "p"))
    alone = (plain | best | candidate.isna()).groupby(column).transform("all") & (leaders == 1)
    behind = corrected | (alone & candidate.notna()) | (cells["lone"] & some)
    words = np.select([score.isna(), best, ~behind], ["missing", "best", "tied"], "")
    return cast(list[Mark], words.tolist())


def _behind(cells: pd.DataFrame, best: pd.Series, told: pd.DataFrame) -> pd.Series:
    """From how many of the best of its column each cell is told, by these pairs."""
    leads = cells.loc[best, [*MATRIX, *ENTRY]].rename(columns=dict(zip(ENTRY, FIRST, strict=True)))
    pairs = both_ways(told).merge(leads, on=[*MATRIX, *FIRST])
    count = pairs.groupby([*MATRIX, *SECOND]).size().rename("told").rename_axis([*MATRIX, *ENTRY]).reset_index()
    found = cells[[*MATRIX, *ENTRY]].merge(count, on=[*MATRIX, *ENTRY], how="left")["told"].fillna(0)
    return found.set_axis(cells.index)


def holm(p: ArrayLike) -> Floats:
    """Adjust the p-values of one family by Holm's step-down method; unknown ones (NaN) are no part of it."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]  # NaN sorts last
    steps = np.arange(len(order), 0, -1)
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * values[order]), 1.0)
    return adjusted


def _matrix(part: pd.DataFrame, entries: pd.DataFrame, fixed: Collection[str], trainings: Indices) -> pd.DataFrame:
    """All pairs of one task, fraction and probe."""
    row, k = pd.MultiIndex.from_frame(entries).get_indexer(pd.MultiIndex.from_frame(part[ENTRY])), len(entries)
    runs = cube(part, row, k)
    first, second = np.triu_indices(k, 1)
    unseeded = entries["strategy"].isin(list(fixed)).to_numpy()
    groups = groups_of(part)
    found = of_pairs(runs, first, second, groups, bound(part, row, k), unseeded, trainings)
    judged = {"difference": found.mean, **student(found.mean, found.parts)._asdict()}
    judged |= {"p": np.where(found.lone | (groups < FEWEST), np.nan, judged["p"]), "error": found.plain}
    seeds = np.isfinite(runs[..., 0]).any(axis=1).sum(axis=1)
    sides = [(FIRST, first), (SECOND, second)]
    which = {name: part[name].to_numpy()[np.zeros_like(first)] for name in MATRIX}  # one value, once per pair
    names = {name: entries[own].to_numpy()[i] for side, i in sides for name, own in zip(side, ENTRY, strict=True)}
    label_draws = np.where(np.isfinite(found.mean), found.counts.draws, 0).astype(int)
    counts = {"first_seeds": seeds[first], "second_seeds": seeds[second], "label_draws": label_draws}
    return pd.DataFrame(which | names | judged | {"p_holm": holm(judged["p"])} | counts)
