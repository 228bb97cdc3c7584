"""What a published claim is held against: runs of this grid, paired, and the mean of their differences.

Two rows are compared on the same task, label draw, pre-training seed and encoder. Several tasks are averaged run by run
before anything is estimated, since they share checkpoints and often test audio.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.stats import RUN
from benchmark.leaderboard.statistics.student import student
from benchmark.leaderboard.statistics.uncertainty import of_rows
from benchmark.leaderboard.statistics.variance import cube, groups_of

#: crops heard when a checkpoint was read; only tables with learning curves have this column
CROPS = "crops"
CONDITION = ["corruption", "severity", CROPS]
#: where two rows meet; its runs differ in the label draw and the seed
PLACE = ["task", "encoder", "pretrain_corpus"]
#: `pretrain_corpus` of rows that are not pre-trained
NOWHERE = ("", "none")
#: "1 %" where a grid has none
FEW = 0.1

TEST = (
    "paired differences by task, label draw and pre-training seed; Student's t on their mean, whose variance adds up "
    "test sampling, seeds and label draws (Satterthwaite's degrees of freedom); Holm's correction over several tests"
)


class Estimate(NamedTuple):
    """A mean difference, positive where the claim is right; interval and p are NaN where nothing may be concluded."""

    effect: float
    low: float
    high: float
    p: float
    runs: int
    seeds: int


#: to be told wherever draws are absent
BOUNDED = "Without bootstrap draws, test sampling is bounded from above: the intervals are wide."
#: where nothing was estimated
NOTHING = Estimate(np.nan, np.nan, np.nan, np.nan, 0, 0)


@dataclass(frozen=True)
class Comparison:
    """One row against another: over all tasks, and on each.

    `dropped` tasks had a score that is not a number. `paired`: test sampling was read off common bootstrap draws, not
    bounded.
    """

    name: str
    over: Estimate
    by_task: dict[str, Estimate]
    dropped: tuple[str, ...] = ()
    paired: bool = True


@dataclass(frozen=True)
class Evidence:
    """Scores on the main metric of each task under one probe, higher is better, beside the run's record."""

    table: pd.DataFrame
    run: Run

    @classmethod
    def of(cls, scores: pd.DataFrame, run: Run, corrupted: bool = False) -> Evidence:
        """Choose from a scores table what claims are tested on: the first probe, main metrics.

        Args:
            scores: all conditions.
            run: the run's record.
            corrupted: read corrupted test audio, and it alone, in place of clean.
        """
        first = scores[["task", "metric"]].drop_duplicates().groupby("task")["metric"].min()
        main = {task: run.task(str(task)).metric or name for task, name in first.items()}
        probe = run.first_probe(scores["probe"].unique())
        severity = scores["severity"].fillna(0) if "severity" in scores else pd.Series(0, index=scores.index)
        condition = (severity > 0) == corrupted
        table = _prepared(
            scores[condition & (scores["probe"] == probe) & (scores["metric"] == scores["task"].map(main))]
        )
        # A cell that lacks a run says nothing: the one that diverged is not there to count against its strategy.
        cell = [*stats.ENTRY, "task", "fraction", "corruption", "severity", "after"]
        whole = table.groupby(cell, dropna=False)["value"].transform("size") >= stats.planned(table, run)
        table["value"] = table["value"].where(whole)
        sign = table["task"].map(lambda task: 1.0 if run.task(task).higher_is_better else -1.0).astype(float)
        draws = [None if own is None else s * np.asarray(own) for s, own in zip(sign, table["draws"], strict=True)]
        return cls(table.assign(value=sign * table["value"], draws=pd.Series(draws, table.index, dtype=object)), run)

    @property
    def final(self) -> Evidence:
        """Scores after finished pre-training, not on the way."""
        return self._where(self.table["ended"])

    def at(self, fraction: float) -> Evidence:
        """Scores at one label fraction."""
        return self._where(self.table["fraction"] == fraction)

    def tasks(self, names: Collection[str]) -> Evidence:
        """Scores on some tasks."""
        return self._where(self.table["task"].isin(list(names)))

    def levels(self, *levels: str) -> list[str]:
        """Tasks of some levels."""
        return [task for task in self.table["task"].unique() if self.run.task(task).level in levels]

    def few(self) -> float | None:
        """The label fraction that stands for few labels: 1 %, else the smallest up to 10 %."""
        known = sorted(f for f in self.table["fraction"].unique() if f <= FEW)
        return 0.01 if 0.01 in known else known[0] if known else None

    def most(self) -> float:
        """The largest label fraction."""
        return float(self.table["fraction"].max())

    def rows(self, method: str) -> list[str]:
        """Names of the scored rows of a method, in the plan's order; fewest options first."""
        scored = set(self.table["strategy"])
        names = [*(n for n in self.run.strategies if n in scored), *sorted(scored - set(self.run.strategies))]
        return sorted((n for n in names if self.method(n) == method), key=lambda n: len(self.options(n)))

    def method(self, row: str) -> str:
        """The registered strategy that a row trains; a row is named after it unless the record says otherwise."""
        return self.run.strategy(row).method or row

    def options(self, row: str) -> dict[str, Any]:
        """The options that a row changes."""
        return self.run.strategy(row).options

    def labelled(self, row: str) -> bool:
        """Whether a row heard labels in pre-training."""
        note = self.run.strategy(row)
        return bool(note.heard) and note.heard_share != 0

    def _where(self, chosen: pd.Series) -> Evidence:
        return Evidence(self.table[chosen], self.run)


def _prepared(scores: pd.DataFrame) -> pd.DataFrame:
    """Every condition as `stats.prepare` checks the clean one."""
    share = scores["share"].fillna(1.0) if "share" in scores else pd.Series(1.0, scores.index)
    table = scores.assign(
        corruption=scores["corruption"].fillna("") if "corruption" in scores else "",
        severity=scores.get("severity", 0),
        crops=scores.get(CROPS, np.nan),
        draws=scores.get("draws"),
        groups=scores.get("groups", np.nan),
        share=1.0,
        after=share,
        ended=share == 1,
    )
    parts = [
        stats.prepare(part.assign(severity=0)).assign(severity=part["severity"])
        for _, part in table.groupby(CONDITION, dropna=False)
    ]
    return pd.concat(parts, ignore_index=True) if parts else stats.prepare(table)


def compare(evidence: Evidence, subject: str, reference: str) -> Comparison | None:
    """Hold `subject` against `reference` on every task that has both; None if there is none."""
    pairs = differences(evidence.table, subject, reference)
    bad = set(pairs.loc[~np.isfinite(pairs["difference"]), "task"])
    good = pairs[~pairs["task"].isin(bad)]
    if good.empty:
        return None
    name = f"{subject} against {reference}"
    places = list(good.groupby(PLACE))
    several = len(places) > good["task"].nunique()
    by_task = {" on ".join(map(str, key if several else key[:1])): estimate(part) for key, part in places}
    complete = good.groupby(RUN)["task"].transform("size") == len(places)
    paired = bool(good["draws"].notna().all())
    return Comparison(name, estimate(good[complete]), by_task, tuple(sorted(bad)), paired)


def differences(table: pd.DataFrame, subject: str, reference: str) -> pd.DataFrame:
    """Paired differences: one row per `PLACE` and `RUN`, corruptions averaged.

    Returns:
        `difference`, subject - reference; `stderr`, what sampling other test items would do to it if the two were
        independent, which is at least what it does; `draws`, the same on bootstrap draws of the test groups, or None;
        `groups`, how many there are.
    """
    on = ["task", "encoder", "fraction", *RUN, "corruption", "severity"]
    first, second = (table[table["strategy"] == name] for name in (subject, reference))
    pairs = first.merge(second, on=on, suffixes=("", "_2"))
    home = pairs["pretrain_corpus_2"]
    pairs = pairs[(home == pairs["pretrain_corpus"]) | home.isin(NOWHERE)]
    draws = [
        None if a is None or b is None else np.subtract(a, b)
        for a, b in pairs[["draws", "draws_2"]].itertuples(index=False)
    ]
    pairs = pairs.assign(
        difference=pairs["value"] - pairs["value_2"],
        stderr=np.hypot(pairs["test_stderr"], pairs["test_stderr_2"]),
        draws=pd.Series(draws, index=pairs.index, dtype=object),
    )
    keys = [*PLACE, *RUN]
    # A run that is not a number must not vanish in the mean over corruptions.
    means = pairs.groupby(keys, as_index=False)[["difference", "stderr"]].agg(mean_of_all)
    single = pairs.loc[~pairs.duplicated(keys, keep=False), [*keys, "draws", "groups"]]
    return means.merge(single, on=keys, how="left")


def mean_of_all(values: pd.Series) -> float:
    """NaN where one of them is."""
    return float(values.mean(skipna=False))


def estimate(pairs: pd.DataFrame) -> Estimate:
    """The mean of paired differences and its 95 % interval, after `uncertainty.of_rows`.

    Places are averaged run by run, so that what they share (checkpoints, test audio) counts. Nothing is concluded from
    fewer than two seeds: that would be a statement on one checkpoint.

    Args:
        pairs: rows of `differences`, the same runs for each place.
    """
    effect = float(pairs["difference"].mean())
    runs, seeds = len(pairs[RUN].drop_duplicates()), pairs["seed"].nunique()
    if seeds < 2:
        return Estimate(effect, np.nan, np.nan, np.nan, runs, seeds)
    whole = _over_places(pairs)
    bound = np.array([float(pairs["stderr"].mean() ** 2)])
    table = cube(whole, np.zeros(len(whole), np.int64), 1)
    found = of_rows(table, groups_of(pairs), bound, np.array([False]))
    judged = student(effect, found.parts)
    half = float(judged.half_width[0])
    return Estimate(effect, effect - half, effect + half, float(judged.p[0]), runs, seeds)


def _over_places(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean differences by run, with the mean of their bootstrap draws where all have them."""
    runs = pairs.groupby(RUN)
    means = runs["difference"].mean().rename("value").reset_index()
    if pairs["draws"].isna().any():
        return means.assign(draws=None)
    draws = [np.mean(np.stack(of_run["draws"].to_list()), axis=0) for _, of_run in runs]
    return means.assign(draws=pd.Series(draws, dtype=object))
