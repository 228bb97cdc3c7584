"""What the page says about one task: how many labels it takes, who leads, who differs, and what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.leaderboard.drawing import draw, figures
from benchmark.leaderboard.drawing.draw import Drawing
from benchmark.leaderboard.page.labels import Layout
from benchmark.leaderboard.record import Run, TaskNote, percent
from benchmark.leaderboard.statistics.matrix import Matrix, matrices
from benchmark.leaderboard.statistics.robustness import Robustness
from benchmark.leaderboard.statistics.tables import Column, Entry, Score, Standing

#: names that can be read in the page's address
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
COUNTS = {"n_train": "train", "n_val": "validation", "n_test": "test"}


@dataclass(frozen=True)
class Lead:
    """The best pretext tasks on one task at one label fraction, and how many others cannot be told from them."""

    percent: str
    column: Column
    best: list[tuple[Entry, Score]]
    tied: int
    scored: bool


@dataclass(frozen=True)
class Count:
    """How many tracks there are at one label fraction, as text by part."""

    percent: str
    parts: dict[str, str]


@dataclass(frozen=True)
class TaskPart:
    """All that the page shows of one task.

    Attributes:
        leads: by label fraction, under one probe.
        duels: win matrices by label fraction.
        saved: labels saved, under one probe.
        about: the task's conventions, the result of `paragraphs`.
    """

    name: str
    column: Column
    note: TaskNote
    leads: list[Lead]
    drawing: Drawing
    duels: list[Matrix]
    robustness: list[Robustness]
    counts: list[Count]
    saved: Layout
    about: list[tuple[str, str]]


def anchor(kind: str, name: str) -> str:
    """The id of a part of the page: `task-key`; a name that an address would garble becomes its slug."""
    return f"{kind}-{name if PLAIN.fullmatch(name) else draw.slug(name)}"


def task_parts(
    scores: pd.DataFrame,
    table: pd.DataFrame,
    run: Run,
    ranked: Sequence[Standing],
    pairs: pd.DataFrame | None,
    robustness: Sequence[Robustness],
    saved: Mapping[str, Layout],
) -> list[TaskPart]:
    """Collect what there is on each task.

    Args:
        scores: the result of `stats.prepare`.
        table: the result of `tables.cells`.
        run: the run's record.
        ranked: the standings of one probe, by label fraction.
        pairs: the result of `compare.pairwise`, if there are draws to compare.
        robustness: scores under corruptions.
        saved: labels saved, by task.
    """
    probe = ranked[0].probe
    duels = [] if pairs is None else matrices(pairs, probe, run.up)
    return [
        TaskPart(
            column.task,
            column,
            run.task(column.task),
            [_lead(standing, i) for standing in ranked],
            figures.label_efficiency(table, column, probe),
            [duel for duel in duels if duel.task == column.task],
            [damage for damage in robustness if damage.task == column.task],
            _counts(scores[scores["task"] == column.task]),
            saved[column.task],
            paragraphs(run.task(column.task).conventions),
        )
        for i, column in enumerate(ranked[0].columns)
    ]


def _lead(standing: Standing, i: int) -> Lead:
    shown = [(row.entry, row.scores[i]) for row in standing.rows if row.pretext]
    best = [(entry, score) for entry, score in shown if score.mark == "best"]
    scored = any(score.mark != "missing" for _, score in shown)
    return Lead(standing.percent, standing.columns[i], best, sum(score.mark == "tied" for _, score in shown), scored)


def _counts(scores: pd.DataFrame) -> list[Count]:
    """Tracks by label fraction: one number, or the range over label draws."""
    known = [name for name in COUNTS if name in scores]
    ends = scores.groupby("fraction")[known].agg(["min", "max"])
    return [
        Count(percent(fraction), {COUNTS[name]: _range(*ends.loc[fraction, name]) for name in known})
        for fraction in ends.index
    ]


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def paragraphs(text: str) -> list[tuple[str, str]]:
    """A docstring as (label, text): its lines joined, a paragraph begun by each blank line and each `Label: text`.

    The first paragraph, which says what it is about, has no label.
    """
    plain = re.sub(r"(?m)^.*\n-{3,}$", "", text)
    joined = re.sub(r"(?<!\n)\n(?!\n|[A-Z][\w, ]{1,30}: )", " ", plain.strip())
    lines = re.sub(r"(?<=[.)]) (?=(Label|Metric|Test): )", "\n", joined).splitlines()
    first, *rest = [line.strip() for line in lines if line.strip()] or [""]
    split = [re.fullmatch(r"(?:([A-Z][\w, ]{1,30}): )?(.*)", line) for line in rest]
    return [("", first)] * bool(first) + [(match[1] or "", match[2]) for match in split if match]
