"""The scores as tables: laid out by the plan, and written as CSV.

A planned cell without a score stays in every table as *missing*; nothing is averaged over it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run, percent
from benchmark.leaderboard.statistics import compare, stats

#: columns of leaderboard.csv, in order
CSV = [*stats.CELL, "main", "status", "mean", "low", "high", "runs", "seeds", "n_train", "n_test"]
CSV += ["mark", "rank", "mean_rank"]


class Entry(NamedTuple):
    """One row of the leaderboard."""

    strategy: str
    encoder: str
    pretrain_corpus: str


@dataclass(frozen=True)
class Column:
    """One column: a task under one metric."""

    task: str
    metric: str
    level: str
    higher_is_better: bool


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
        return f"{self.mean:.{digits}f}", "?" if np.isnan(self.half) else f"{self.half:.{digits}f}"


@dataclass(frozen=True)
class Row:
    """One strategy's scores.

    Attributes:
        mean_rank: None where a planned cell is missing.
        heard: the labels that it heard.
        variant: what it is called on this encoder, where that is not its paper's method.
    """

    entry: Entry
    mean_rank: float | None
    collapsed: bool
    heard: str
    variant: str
    scores: list[Score]


@dataclass(frozen=True)
class Standing:
    """Strategies x tasks at one label fraction under one probe, best mean rank first."""

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


def pairs(scores: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Every two strategies on the main metric of every task: the result of `compare.pairwise`.

    Args:
        scores: the result of `stats.prepare`.
        run: the plan, and directions of the metrics.
    """
    whole = _whole(scores, run)
    main = {task: _metrics(run.task(task).metric, sorted(part.unique()))[0] for task, part in _seen(scores)}
    return compare.pairwise(whole[whole["metric"] == whole["task"].map(main)], _up(run), run.fixed)


def cells(scores: pd.DataFrame, run: Run, compared: pd.DataFrame | None = None) -> pd.DataFrame:
    """All planned cells, tidy, with their statistics.

    The plan is what `run` lists, and whatever the scores hold beyond it.

    Args:
        scores: a scores table.
        run: the plan.
        compared: the result of `pairs`, where it is known already.

    Returns:
        One row per cell in the plan's order: `stats.CELL`, `main`, `status` (scored, one_run or missing), `mark` (of
        `compare.marks`; empty for other metrics), and the columns of `stats.summarize` and `stats.add_ranks`.
    """
    table = stats.prepare(scores)
    plan = _plan(table, run).merge(stats.summarize(_whole(table, run), run.fixed), on=stats.CELL, how="left")
    for count in ("runs", "seeds"):
        plan[count] = plan[count].fillna(0).astype(int)
    plan["lone"] = plan["lone"].fillna(False).astype(bool)
    one = np.where(plan["runs"] == 1, "one_run", "scored")
    plan["status"] = np.where(plan["mean"].isna(), "missing", one)
    told = pairs(table, run) if compared is None else compared
    plan["mark"] = np.where(plan["mean"].isna(), "missing", "")
    plan.loc[plan["main"], "mark"] = compare.marks(plan[plan["main"]], told, _up(run))
    return stats.add_ranks(plan, _up(run))


def _whole(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Without the scores of cells that lack a planned run.

    A run that diverged leaves no row: to average over the others would flatter, as it would over a NaN.
    """
    runs = table.groupby(stats.CELL)["value"].transform("size")
    planned = [run.planned_runs(*cell) for cell in _pairs(table, ["strategy", "fraction"])]
    return table.assign(value=table["value"].where(runs >= planned))


def _up(run: Run) -> dict[str, bool]:
    return {name: note.higher_is_better for name, note in run.tasks.items()}


def _seen(table: pd.DataFrame) -> Iterable[tuple[str, pd.Series]]:
    return ((str(task), part) for task, part in table.groupby("task")["metric"])


def _plan(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    seen = {task: sorted(part.unique()) for task, part in _seen(table)}
    tasks = _union(run.tasks, sorted(seen))
    metrics = {task: _metrics(run.task(task).metric, seen.get(task, [])) for task in tasks}
    planned = itertools.product(run.fractions, run.probes)
    settings = _union(planned, table[["fraction", "probe"]].itertuples(index=False, name=None))
    rows = [
        {
            **entry._asdict(),
            "task": task,
            "fraction": fraction,
            "probe": probe,
            "metric": metric,
            "main": i == 0,
        }
        for fraction, probe in sorted(settings)
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
    scored = {entry.strategy for entry in seen}
    unseen = [Entry(name, "", "") for name in run.strategies if name not in scored]
    order = {name: i for i, name in enumerate(run.strategies)}
    return sorted([*seen, *unseen], key=lambda entry: order.get(entry.strategy, len(order)))


def _union(first: Iterable[Any], then: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys([*first, *then]))


def standing(table: pd.DataFrame, run: Run, fraction: float, probe: str, main: bool = True) -> Standing:
    """Lay out the cells of one label fraction and probe as strategies x tasks.

    Args:
        table: the result of `cells`.
        run: directions, levels and collapsed checkpoints.
        fraction: label fraction.
        probe: probe type.
        main: each task's main metric, ranked and marked; or all its other metrics, neither ranked nor marked,
            because nothing declares in which direction they are better.
    """
    part = table[(table["fraction"] == fraction) & (table["probe"] == probe)]
    shown = part[part["main"] == main]
    columns = [_column(run, *pair) for pair in _union(_pairs(shown, ["task", "metric"]), [])]
    scores = [_scores(shown, column, run) for column in columns]
    ranks = part.drop_duplicates(stats.ENTRY)["mean_rank"]
    rows = [
        Row(
            entry,
            None if np.isnan(rank) else rank,
            run.collapsed(*entry[:2]),
            run.labels_of(entry[0]),
            run.variant(*entry[:2]),
            list(of_row),
        )
        for entry, rank, *of_row in zip(entries_of(part), ranks, *scores, strict=True)
    ]
    # Ties and incomplete strategies keep the plan's order: the sort is stable.
    rows.sort(key=lambda row: np.inf if row.mean_rank is None else row.mean_rank)
    return Standing(fraction, probe, columns, rows)


def standings(table: pd.DataFrame, run: Run, main: bool = True) -> list[Standing]:
    """One standing per probe and label fraction, in order."""
    settings = _union(_pairs(table, ["probe", "fraction"]), [])
    return [standing(table, run, fraction, probe, main) for probe, fraction in sorted(settings)]


def _pairs(table: pd.DataFrame, names: list[str]) -> Iterable[Any]:
    return table[names].itertuples(index=False, name=None)


def entries_of(table: pd.DataFrame) -> list[Entry]:
    """The rows of the leaderboard, in order."""
    return [Entry(*row) for row in _pairs(table.drop_duplicates(stats.ENTRY), stats.ENTRY)]


def _column(run: Run, task: str, metric: str) -> Column:
    return Column(task, metric, run.task(task).level, run.task(task).higher_is_better)


def _scores(shown: pd.DataFrame, column: Column, run: Run) -> list[Score]:
    part = shown[(shown["task"] == column.task) & (shown["metric"] == column.metric)]
    heard = [run.heard(name, column.task) for name in part["strategy"]]
    columns = [part["mean"], part["half_width"], part["runs"], part["mark"], heard, part["lone"]]
    return [Score(*values) for values in zip(*columns, strict=True)]


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write all cells, one per row, missing ones included; floats in full, so that they read back exactly."""
    table[CSV].to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
