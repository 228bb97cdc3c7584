"""Is a ranking stable? Kendall's tau between budgets, between seeds, and between halves of a level's tasks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import headline, levels, tables
from benchmark.leaderboard.statistics.headline import Headline
from benchmark.leaderboard.statistics.student import Floats

#: what the lower end of an interval has to reach: three of four pairs of rows in the same order
STABLE = 0.5
#: ways to halve the tasks of a level that are looked at
HALVINGS = 10
BUDGETS = "budgets"


@dataclass(frozen=True)
class Tau:
    """Kendall's tau with what the sampling of test items leaves possible; NaN where there is nothing to compare."""

    value: float
    low: float
    high: float

    @property
    def agrees(self) -> bool:
        """Whether three of four pairs are in the same order, whatever the test items."""
        return self.low >= STABLE

    @property
    def differs(self) -> bool:
        """Whether fewer are, whatever the test items."""
        return self.high < STABLE


@dataclass(frozen=True)
class Stability:
    """How well the order of the pretext tasks on a level is known.

    Attributes:
        budgets: tau of the main budget, after which rows are compared, with each smaller one, by share.
        seeds: between pairs of seeds at the main budget, on average; `halves`, between halves of the level's tasks.
        orders: the best five after each of these budgets, by share.
    """

    level: str
    fraction: float
    probe: str
    budgets: dict[float, Tau]
    seeds: Tau
    halves: Tau
    orders: dict[float, list[str]]

    @property
    def stable(self) -> bool:
        """Whether the main budget and the one before, the seeds and the halves all say so."""
        return all(tau.agrees for tau in self.asked.values())

    @property
    def asked(self) -> dict[str, Tau]:
        """What has to agree, by name."""
        last = self.budgets[max(self.budgets)] if self.budgets else Tau(np.nan, np.nan, np.nan)
        return {BUDGETS: last, "seeds": self.seeds, "halves of the tasks": self.halves}


def stability(found: Headline, budgets: Mapping[float, pd.DataFrame], run: Run) -> list[Stability]:
    """Of every level at each label fraction under each probe.

    Args:
        found: whose weights the levels have.
        budgets: the result of `budgets.runs_by_budget`; the largest that all rows have is 1.
        run: which rows are pretext tasks.
    """
    shares = sorted(share for share in budgets if share <= 1)
    runs = {share: _pretext(tables.main_runs(budgets[share], run), run) for share in shares}
    whole = tables.main_runs(budgets[shares[-1]], run)
    result = []
    for probe, fraction in sorted(set(zip(whole["probe"], whole["fraction"], strict=True))):
        floor = headline.floors(whole[whole["probe"] == probe], run)
        at = {share: part[(part["probe"] == probe) & (part["fraction"] == fraction)] for share, part in runs.items()}
        named = {run.level(task) for task in found.weights.get(probe, {})}
        for level in sorted(named, key=headline.place):
            weights = {task: w for task, w in found.weights[probe].items() if run.level(task) == level}
            result.append(_of_level(level, fraction, probe, at, weights, floor, run))
    return result


def _pretext(runs: pd.DataFrame, run: Run) -> pd.DataFrame:
    return runs[runs["strategy"].map(run.pretext).astype(bool)]


def _of_level(
    level: str,
    fraction: float,
    probe: str,
    at: Mapping[float, pd.DataFrame],
    weights: Mapping[str, float],
    floor: Mapping[str, float],
    run: Run,
) -> Stability:
    def scored(part: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
        return levels.level_scores(part, names, dict(weights), floor, run.up)

    whole = {share: scored(part, dict.fromkeys(weights, level)) for share, part in at.items()}
    every = pd.concat([runs[["strategy", "encoder"]] for runs in whole.values()])
    whole = {share: _by_row(runs, every) for share, runs in whole.items()}
    tables_of = {share: _rows(runs) for share, runs in whole.items()}
    last = max(tables_of)
    final, seeds = whole[last], sorted(whole[last]["seed"].unique())
    by_seed = [_rows(final[final["seed"] == seed]) for seed in seeds]
    halves = [_by_row(part, part) for part in (scored(at[last], split) for split in _splits(sorted(weights)))]
    return Stability(
        level,
        fraction,
        probe,
        {share: _tau([(tables_of[share], tables_of[last])]) for share in sorted(tables_of) if share < last},
        _tau(list(itertools.combinations(by_seed, 2))),
        _tau([(_rows(half[half["task"] == "a"]), _rows(half[half["task"] == "b"])) for half in halves]),
        {share: [str(name) for name in rows[0].nlargest(5).index] for share, rows in tables_of.items()},
    )


def _splits(tasks: Sequence[str]) -> list[dict[str, str]]:
    """Ways to deal tasks into two halves, each once; of an odd number one half has a task more."""
    if len(tasks) < 2:
        return []
    size = len(tasks) // 2
    chosen = [own for own in itertools.combinations(tasks, size) if len(tasks) % 2 or tasks[0] in own]
    every = [{task: "a" if task in own else "b" for task in tasks} for own in chosen]
    return every[:: max(1, len(every) // HALVINGS)][:HALVINGS]


#: of rows, their scores, and their scores on bootstrap draws of the test items, (rows, B)
_Rows = tuple[pd.Series, pd.DataFrame]


def _by_row(runs: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """With the `row` of each run: its strategy, and the encoder if that one has several among `every` run."""
    several = every.groupby("strategy")["encoder"].nunique() > 1
    names = runs["strategy"].where(~runs["strategy"].map(several), runs["strategy"] + " on " + runs["encoder"])
    return runs.assign(row=names)


def _rows(runs: pd.DataFrame) -> _Rows:
    """Means over runs; a row that lacks one has none."""
    names = runs["row"]
    values = runs.groupby(names)["value"].agg(lambda own: own.mean(skipna=False))
    by_name = [(name, own.tolist()) for name, own in runs["draws"].groupby(names) if own.notna().all()]
    return values.dropna(), pd.DataFrame({name: np.mean(np.stack(own), axis=0) for name, own in by_name}).T


def _tau(pairs: Sequence[tuple[_Rows, _Rows]]) -> Tau:
    """Mean tau of pairs of rankings, with the interval of that mean over bootstrap draws."""
    known = [_both(*pair) for pair in pairs]
    known = [(first, second, drawn) for first, second, drawn in known if len(first) > 2]
    if not known:
        return Tau(np.nan, np.nan, np.nan)
    value = float(np.mean([_kendall(first[None], second[None])[0] for first, second, _ in known]))
    draws = np.mean([_kendall(*drawn) for _, _, drawn in known], axis=0)
    if not np.isfinite(draws).any():  # nobody says how far other test items would move the scores
        return Tau(value, np.nan, np.nan)
    return Tau(value, *(float(end) for end in np.nanquantile(draws, [0.025, 0.975])))


def _both(first: _Rows, second: _Rows) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    names = first[0].index.intersection(second[0].index)
    drawn = tuple(rows[1].reindex(names).to_numpy(np.float64).T for rows in (first, second))
    return first[0][names].to_numpy(np.float64), second[0][names].to_numpy(np.float64), (drawn[0], drawn[1])


def _kendall(first: Floats, second: Floats) -> Floats:
    """Kendall's tau-a of each line of two (B, rows); SciPy's takes a line at a time, of which a page has thousands."""
    i, j = np.triu_indices(first.shape[1], 1)
    agree = np.sign(first[:, i] - first[:, j]) * np.sign(second[:, i] - second[:, j])
    return np.asarray(agree.mean(axis=1))
