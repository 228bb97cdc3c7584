"""The answer by level: who leads, what it gains over what costs less, and how large a difference would be seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import compare, levels, stats, tables
from benchmark.leaderboard.statistics.tables import Column, Entry, Row, Score, Standing

#: the strategy whose scores are each task's floor
FLOOR = "constant"
#: levels in the order in which they are shown; others follow
ORDER = ("pitch", "time", "timbre", "style")
#: of tasks that no level's score is made of
APART = "apart"
METRIC = "level score"


@dataclass(frozen=True)
class Headline:
    """All levels at all label fractions under all probes.

    Attributes:
        table: cells, as `tables.cells` has them of tasks; `task` is the level.
        pairs: as `compare.pairwise` has them of tasks, without verdicts where too little is reliable.
        weights: of each task in its level, by probe; a task without one has no floor.
        unplaced: tasks without a floor, by probe: they are in no level's score.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    weights: dict[str, dict[str, float]]
    unplaced: dict[str, list[str]]


@dataclass(frozen=True)
class Gain:
    """What a row has over a reference: `wins` is first (the row), second, tied or untested, of one seed."""

    kind: str
    over: str
    difference: float
    half: float
    wins: str


@dataclass(frozen=True)
class Answer:
    """One level at one label fraction.

    Attributes:
        best: the best pretext task, exact ties included; none where there is no verdict.
        tied: the other pretext tasks that are not told apart from it, from the best down.
        among: how many pretext tasks were compared.
        lone: those that were not, where others were: they have one seed.
        highest: that with the highest score, verdict or not.
        gains: of `best`, or else of `highest`.
    """

    column: Column
    best: list[tuple[Entry, Score]]
    tied: list[Entry]
    among: int
    lone: list[Entry]
    highest: tuple[Entry, Score] | None
    gains: list[Gain]

    @property
    def uncompared(self) -> str:
        """What is to be said of `lone`, behind who leads."""
        return f"; {len(self.lone)} with one seed not compared" if self.lone else ""


def headline(scores: pd.DataFrame, cells: pd.DataFrame, run: Run) -> Headline:
    """Average tasks to levels, and judge rows by them.

    Args:
        scores: the result of `stats.prepare`.
        cells: the result of `tables.cells`.
        run: the run's record.
    """
    runs = tables.main_runs(scores, run)
    level_of = {task: level for task in cells["task"].unique() if (level := run.level(task)) != APART}
    parts, weights, unplaced = [runs.head(0)], {}, {}
    for probe, own in runs.groupby("probe"):
        reliability = cells[cells["main"] & (cells["probe"] == probe)]
        floor = floors(own, run)
        scaled = {task: level for task, level in level_of.items() if task in floor}
        unplaced[str(probe)] = sorted(level_of.keys() - scaled.keys())
        weights[str(probe)] = levels.weights(reliability.drop_duplicates(compare.MATRIX), scaled)
        parts += [
            levels.level_scores(part, scaled, weights[str(probe)], floor, run.up) for _, part in own.groupby("fraction")
        ]
    found = pd.concat(parts, ignore_index=True)
    pairs = compare.pairwise(found, {}, run.fixed)
    table = tables.judged(_plan(cells, set(found["task"]), run), found, pairs, {}, run)
    return Headline(table, levels.judged(pairs, tables.power(pairs, run)), weights, unplaced)


def floors(runs: pd.DataFrame, run: Run) -> dict[str, float]:
    """By task, what is scored without learning anything; below a perfect score.

    That is the constant predictor's score, or chance, as controls of the untrained encoder found it, where that is
    better: guessing has a higher macro-F1 than to say one thing always, and aimless peaks hit some beats. Other rows'
    controls are not asked: even aimless peaks of what hears onsets fall on beats.
    """
    probes = {"", *runs["probe"]}
    known = [(c.task, c.chance) for c in run.aimless if c.probe in probes]
    chance = pd.DataFrame(known, columns=["task", "value"]).astype({"value": float})
    constant = runs.loc[runs["strategy"] == FLOOR, ["task", "value"]].groupby("task", as_index=False).mean()
    both = pd.concat([chance, constant]).dropna().groupby("task")["value"]
    found = {str(task): float(own.max() if run.up.get(str(task), True) else own.min()) for task, own in both}
    return {task: value for task, value in found.items() if (value < 1 if run.up.get(task, True) else value > 0)}


def place(level: str) -> tuple[int, str]:
    """Where a level stands among others."""
    return ORDER.index(level) if level in ORDER else len(ORDER), level


def _plan(cells: pd.DataFrame, found: Collection[str], run: Run) -> pd.DataFrame:
    """Every row of the leaderboard on every level."""
    names = sorted({level for level in cells["level"] if level in found}, key=place)
    rows = cells.drop_duplicates([*stats.ENTRY, "fraction", "probe"])[[*stats.ENTRY, "fraction", "probe"]]
    plan = rows.merge(pd.DataFrame({"task": names, "level": names}, dtype=object), how="cross")
    tasks = {level: part["task"].unique() for level, part in cells.groupby("level")}
    heard = [
        any(run.heard(strategy, task) for task in tasks[level])
        for strategy, level in plan[["strategy", "level"]].itertuples(index=False)
    ]
    return plan.assign(metric=METRIC, main=True, heard=heard)


def standings(found: Headline, run: Run, settings: Iterable[tuple[str, float]]) -> list[Standing]:
    """Rows x levels by probe and label fraction: pretext tasks from the best down, then baselines.

    The order is that of the first level that carries a verdict, or else of the first.
    """
    return [_ordered(tables.standing(found.table, run, fraction, probe)) for probe, fraction in settings]


def sorting(columns: list[Column]) -> int:
    """The column that rows are ordered by."""
    return next((i for i, column in enumerate(columns) if column.judged), 0)


def _ordered(shown: Standing) -> Standing:
    def place(row: Row) -> tuple[bool, float]:
        means = [score.mean for score in row.scores]
        score = means[sorting(shown.columns)] if means else np.nan
        return not row.pretext, -float(np.nan_to_num(score, nan=-np.inf))

    return Standing(shown.fraction, shown.probe, shown.columns, sorted(shown.rows, key=place))


def answers(shown: Standing, found: Headline, run: Run) -> list[Answer]:
    """What there is to say of each level at one label fraction under one probe."""
    pairs = found.pairs[(found.pairs["probe"] == shown.probe) & (found.pairs["fraction"] == shown.fraction)]
    both = dict(list(compare.both_ways(pairs).groupby("task")))
    return [_answer(shown, i, column, both.get(column.task), run) for i, column in enumerate(shown.columns)]


def _answer(shown: Standing, i: int, column: Column, pairs: pd.DataFrame | None, run: Run) -> Answer:
    scored = [(row, row.scores[i]) for row in shown.rows if np.isfinite(row.scores[i].mean)]
    rows = [(row.entry, score) for row, score in scored if row.pretext]
    best = [(entry, score) for entry, score in rows if score.mark == "best"]
    down = sorted(rows, key=lambda row: -row[1].mean)
    tied = [entry for entry, score in down if score.mark == "tied"]
    lone = [entry for entry, score in rows if score.lone]
    lone = lone if len(lone) < len(rows) else []
    highest = max(rows, key=lambda row: row[1].mean, default=None)
    lead = best[0] if best else highest
    against = references([(row.entry, score.mean) for row, score in scored], lead[0], run) if lead else {}
    gains = [] if lead is None or pairs is None else [_gain(pairs, lead[0], *pair) for pair in against.items()]
    return Answer(column, best, tied, len(rows) - len(lone), lone, highest, gains)


def references(scored: list[tuple[Entry, float]], entry: Entry, run: Run) -> dict[str, Entry]:
    """What a row is held against: of each kind the best one, on its own encoder if there is one.

    Args:
        scored: rows with their scores; up is better.
        entry: the row.
        run: which strategies are of which kind.
    """
    found = {}
    for kind, names in run.references(row.strategy for row, _ in scored).items():
        rows = [(row.encoder == entry.encoder, score, row) for row, score in scored if row.strategy in names]
        if rows:
            found[kind] = max(rows, key=lambda row: row[:2])[2]
    return found


def _gain(pairs: pd.DataFrame, entry: Entry, kind: str, other: Entry) -> Gain:
    sides = [*compare.FIRST, *compare.SECOND]
    values = dict(zip(sides, [*entry, *other], strict=True))
    row = pairs[np.logical_and.reduce([pairs[side] == value for side, value in values.items()])].iloc[0]
    wins = "untested" if np.isnan(row["p"]) else str(row["wins"])
    return Gain(kind, other.strategy, float(row["difference"]), float(row["half_width"]), wins)


def csv_rows(found: Headline, run: Run) -> pd.DataFrame:
    """Level rows of leaderboard.csv: no `task`, and what each row gains over the references."""
    rank = found.table.groupby(compare.MATRIX)["mean"].rank(ascending=False)
    table = found.table.assign(rank=rank, mean_rank=np.nan)
    pairs = dict(list(compare.both_ways(found.pairs).groupby(compare.MATRIX)))
    gains = [_differences(part, pairs.get(at), run) for at, part in table.groupby(compare.MATRIX, sort=False)]
    return table.assign(task="", main=False).join(pd.concat([pd.DataFrame(), *gains]))


def _differences(part: pd.DataFrame, pairs: pd.DataFrame | None, run: Run) -> pd.DataFrame:
    """Paired, on the seeds and label draws that both have; a reference over itself is nothing."""
    entries = [Entry(*row) for row in part[stats.ENTRY].itertuples(index=False, name=None)]
    scored = [(e, mean) for e, mean in zip(entries, part["mean"], strict=True) if np.isfinite(mean)]
    sides = [] if pairs is None else pairs[[*compare.FIRST, *compare.SECOND]].itertuples(index=False, name=None)
    known = dict(zip(sides, [] if pairs is None else pairs["difference"], strict=True))
    rows = [
        {
            f"over_{kind}": 0.0 if entry == other else known.get((*entry, *other), np.nan)
            for kind, other in references(scored, entry, run).items()
        }
        for entry in entries
    ]
    return pd.DataFrame(rows, index=part.index)
