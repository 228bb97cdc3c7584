"""The scores as tables: laid out by the plan, and written as CSV.

A planned cell without a score stays in every table as *missing*; nothing is averaged over it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run, percent
from benchmark.leaderboard.statistics import compare, levels, stats

#: what is said of a column
COLUMN = ["task", "metric", "level", "higher_is_better", "reliability", "detectable"]
#: columns of leaderboard.csv, in order
CSV = ["level", *stats.CELL, "main", "status", "mean", "low", "high", "runs", "seeds", "n_train", "n_test"]
CSV += ["mark", "reliability", "detectable", "rank", "mean_rank", "over_untrained", "over_mfcc", "over_supervised"]


class Entry(NamedTuple):
    """One row of the leaderboard."""

    strategy: str
    encoder: str
    pretrain_corpus: str


@dataclass(frozen=True)
class Column:
    """One column: a task under one metric, or a level.

    Attributes:
        reliability: the share of the variance of rows' means that is no error; NaN where it is unknown.
        detectable: the difference that one comparison finds in 80 % of cases.
    """

    task: str
    metric: str
    level: str
    higher_is_better: bool
    reliability: float = np.nan
    detectable: float = np.nan

    @property
    def judged(self) -> bool:
        """Whether it is reliable enough for verdicts."""
        return self.reliability >= levels.RELIABLE


@dataclass(frozen=True)
class Score:
    """One cell as shown. `mean` and `half` are NaN where missing.

    Attributes:
        heard: the strategy heard this task's labels.
        lone: one seed, where another would change the score.
    """

    mean: float
    half: float
    runs: int
    mark: compare.Mark
    heard: bool = False
    lone: bool = False

    @property
    def texts(self) -> tuple[str, str]:
        """Mean and half-width, with as many decimals as the interval bears."""
        digits = 3 if self.half < 0.01 else 2
        mean = f"{self.mean:.{digits}f}"
        return mean.removeprefix("-") if float(mean) == 0 else mean, "?" if np.isnan(
            self.half
        ) else f"{self.half:.{digits}f}"


@dataclass(frozen=True)
class Row:
    """One strategy's scores.

    Attributes:
        pretext: whether it is a pretext task, no baseline.
        heard: the labels that it heard.
        variant: what it is called on this encoder, where that is not its paper's method.
    """

    entry: Entry
    pretext: bool
    collapsed: bool
    heard: str
    variant: str
    scores: list[Score]


@dataclass(frozen=True)
class Standing:
    """Strategies x tasks, or x levels, at one label fraction under one probe."""

    fraction: float
    probe: str
    columns: list[Column]
    rows: list[Row]

    @property
    def percent(self) -> str:
        """The label fraction as a percentage."""
        return percent(self.fraction)

    @property
    def runs(self) -> str:
        """How many runs stand behind a score, `1` or `1 to 15`."""
        counts = {score.runs for row in self.rows for score in row.scores if score.mark != "missing"} or {0}
        return f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def main_runs(scores: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Runs on each task's main metric; NaN in cells that lack a planned run.

    Args:
        scores: the result of `stats.prepare`.
        run: the plan.
    """
    whole = _whole(scores, run)
    main = {task: _metrics(run.task(task).metric, sorted(part.unique()))[0] for task, part in _seen(scores)}
    return whole[whole["metric"] == whole["task"].map(main)]


def pairs(scores: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Every two strategies on the main metric of every task: the result of `compare.pairwise`.

    Args:
        scores: the result of `stats.prepare`.
        run: the plan, and directions of the metrics.
    """
    return compare.pairwise(main_runs(scores, run), run.up, run.fixed)


def power(told: pd.DataFrame, run: Run) -> pd.DataFrame:
    """What each task (or level) can tell apart among pretext tasks and the untrained encoder: see `levels.power`."""
    return levels.power(told, run.encoders({*told["first_strategy"], *told["second_strategy"]}))


def cells(scores: pd.DataFrame, run: Run, compared: pd.DataFrame | None = None) -> pd.DataFrame:
    """All planned cells, tidy, with their statistics.

    The plan is what `run` lists, and whatever the scores hold beyond it.

    Args:
        scores: a scores table.
        run: the plan.
        compared: the result of `pairs`, where it is known already.

    Returns:
        One row per cell in the plan's order: `stats.CELL`, `level`, `heard` (some of the task's labels, by its
        strategy), `main`, and the columns of `judged` and `stats.add_ranks`.
    """
    table = stats.prepare(scores)
    told = pairs(table, run) if compared is None else compared
    plan = _plan(table, run)
    plan["level"] = [run.level(task) for task in plan["task"]]
    plan["heard"] = [run.heard(*pair) for pair in _pairs(plan, ["strategy", "task"])]
    return stats.add_ranks(judged(plan, _whole(table, run), told, run.up, run), run.up)


def judged(
    plan: pd.DataFrame, runs: pd.DataFrame, told: pd.DataFrame, higher_is_better: Mapping[str, bool], run: Run
) -> pd.DataFrame:
    """What is known of planned cells.

    Args:
        plan: `stats.CELL`, `level`, `heard` and `main`.
        runs: all that there are of these cells.
        told: the result of `compare.pairwise` on the main ones.
        higher_is_better: direction by task; up where a task is not listed.
        run: the run's record.

    Returns:
        The plan with the columns of `stats.summarize`; `status` (scored, one_run or missing); `reliability` and
        `detectable`, and `mark` of `compare.marks`, where no baseline is the best: all three of main metrics, and no
        mark where too little is reliable.
    """
    found = power(told, run)
    table = plan.merge(stats.summarize(runs, run.fixed), on=stats.CELL, how="left").merge(
        found, on=compare.MATRIX, how="left"
    )
    for count in ("runs", "seeds"):
        table[count] = table[count].fillna(0).astype(int)
    table["lone"] = table["lone"].fillna(False).astype(bool)
    table["higher_is_better"] = [higher_is_better.get(task, True) for task in table["task"]]
    table["contends"] = [run.pretext(name) for name in table["strategy"]]
    one = np.where(table["runs"] == 1, "one_run", "scored")
    table["status"] = np.where(table["mean"].isna(), "missing", one)
    table["mark"] = np.where(table["mean"].isna(), "missing", "")
    table.loc[~table["main"], ["reliability", "detectable"]] = np.nan
    chosen = table["main"] & (table["reliability"] >= levels.RELIABLE)
    if chosen.any():
        table.loc[chosen, "mark"] = compare.marks(table[chosen], told, higher_is_better)
    return table


def _whole(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Without the scores of cells that lack a planned run.

    A run that diverged leaves no row: to average over the others would flatter, as it would over a NaN.
    """
    runs = table.groupby(stats.CELL)["value"].transform("size")
    return table.assign(value=table["value"].where(runs >= stats.planned(table, run)))


def _seen(table: pd.DataFrame) -> Iterable[tuple[str, pd.Series]]:
    return ((str(task), part) for task, part in table.groupby("task")["metric"])


def _plan(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    seen = {task: sorted(part.unique()) for task, part in _seen(table)}
    tasks = _union(run.tasks, sorted(seen))
    metrics = {task: _metrics(run.task(task).metric, seen.get(task, [])) for task in tasks}
    planned = itertools.product([round(fraction, 6) for fraction in run.fractions], run.probes)
    seen_at = _union(planned, table[["fraction", "probe"]].itertuples(index=False, name=None))
    rows = [
        {
            **entry._asdict(),
            "task": task,
            "fraction": fraction,
            "probe": probe,
            "metric": metric,
            "main": i == 0,
        }
        for fraction, probe in sorted(seen_at)
        for entry in _entries(table, run)
        for task in tasks
        for i, metric in enumerate(metrics[task])
    ]
    if not rows:
        raise UserError("the scores table is empty and no run.json says what was planned: nothing to report")
    return pd.DataFrame(rows)


def _metrics(main: str, seen: list[str]) -> list[str]:
    """Main metric first: the declared one, or the first by name."""
    return _union([main] if main else [], seen) or ["score"]


def _entries(table: pd.DataFrame, run: Run) -> list[Entry]:
    seen = sorted(Entry(*row) for row in set(table[stats.ENTRY].itertuples(index=False, name=None)))
    scored = {entry.strategy: entry.pretrain_corpus for entry in seen}
    there = {(entry.strategy, entry.encoder) for entry in seen}
    unseen = [
        Entry(name, encoder, scored.get(name, ""))
        for name, note in run.strategies.items()
        for encoder in (note.encoders if name in scored else note.encoders or [""])
        if (name, encoder) not in there
    ]
    order = {name: i for i, name in enumerate(run.strategies)}
    return sorted([*seen, *unseen], key=lambda entry: order.get(entry.strategy, len(order)))


def names_of(entries: Sequence[Entry]) -> dict[Entry, str]:
    """Name each row by its strategy; by encoder and corpus too where several rows share it."""
    strategies = [entry.strategy for entry in entries]
    return {
        entry: entry.strategy
        if strategies.count(entry.strategy) == 1
        else f"{entry.strategy} ({', '.join(part for part in entry[1:] if part)})"
        for entry in entries
    }


def _union(first: Iterable[Any], then: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys([*first, *then]))


def standing(
    table: pd.DataFrame, run: Run, fraction: float, probe: str, main: bool = True, order: Sequence[Entry] = ()
) -> Standing:
    """Lay out the cells of one label fraction and probe as strategies x tasks.

    Args:
        table: the result of `cells`.
        run: directions, levels and collapsed checkpoints.
        fraction: label fraction.
        probe: probe type.
        main: each task's main metric, marked; or all its other metrics, not marked, because nothing declares in which
            direction they are better.
        order: of the rows; those that it lacks come last, in the plan's order.
    """
    part = table[(table["fraction"] == fraction) & (table["probe"] == probe)]
    shown = part[part["main"] == main]
    columns = [Column(*about) for about in _pairs(shown.drop_duplicates(["task", "metric"]), COLUMN)]
    scores = [_scores(shown, column) for column in columns]
    rows = [
        Row(
            entry,
            run.pretext(entry[0]),
            run.collapsed(*entry[:2]),
            run.labels_of(entry[0]),
            run.variant(*entry[:2]),
            list(of_row),
        )
        for entry, *of_row in zip(entries_of(part), *scores, strict=True)
    ]
    place = {entry: i for i, entry in enumerate(order)}
    rows.sort(key=lambda row: place.get(row.entry, len(place)))
    return Standing(fraction, probe, columns, rows)


def standings(table: pd.DataFrame, run: Run, main: bool = True) -> list[Standing]:
    """One standing per probe and label fraction, in order."""
    return [standing(table, run, fraction, probe, main) for probe, fraction in settings(table)]


def settings(table: pd.DataFrame) -> list[tuple[str, float]]:
    """Probes and label fractions, in order."""
    return sorted(_union(_pairs(table, ["probe", "fraction"]), []))


def _pairs(table: pd.DataFrame, names: list[str]) -> Iterable[Any]:
    return table[names].itertuples(index=False, name=None)


def entries_of(table: pd.DataFrame) -> list[Entry]:
    """The rows of the leaderboard, in order."""
    return [Entry(*row) for row in _pairs(table.drop_duplicates(stats.ENTRY), stats.ENTRY)]


def _scores(shown: pd.DataFrame, column: Column) -> list[Score]:
    part = shown[(shown["task"] == column.task) & (shown["metric"] == column.metric)]
    return [Score(*values) for values in _pairs(part, ["mean", "half_width", "runs", "mark", "heard", "lone"])]


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write all cells, one per row, missing ones included; floats in full, so that they read back exactly.

    Args:
        table: cells; what they lack of `CSV` stays empty.
        path: of the file.
    """
    table.reindex(columns=CSV).to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
