"""At what price: score against the cost of pre-training, and with `convergence`, against how much of it was heard.

Both look at the middle label fraction under one probe: enough labels to tell strategies apart, few enough for
pre-training to matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.leaderboard.drawing import draw
from benchmark.leaderboard.drawing.draw import Drawing, Key
from benchmark.leaderboard.drawing.figures import apart, frame, name_at_edge
from benchmark.leaderboard.drawing.terminal import shorten
from benchmark.leaderboard.page.convergence import convergence
from benchmark.leaderboard.record import Pretraining, Run, percent
from benchmark.leaderboard.statistics.headline import FLOOR, Headline
from benchmark.leaderboard.statistics.tables import Entry, entries_of, names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: of a name that fit into the width of the axes
CHARACTERS = 52
UNITS = [("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)]


@dataclass(frozen=True)
class Priced:
    """One strategy: its score on a level, and the medians over seeds of what it cost.

    A cost is NaN where it is unknown; `seconds` is 0 without pre-training.
    """

    key: Key
    score: float
    seconds: float
    crops: float
    peak_mb: float


def drawings(scores: pd.DataFrame, table: pd.DataFrame, answer: Headline, run: Run, probe: str) -> list[Drawing]:
    """All that is known of price; empty where no cost was recorded.

    Args:
        scores: `scores.parquet` as it is, snapshots included.
        table: the result of `tables.cells`.
        answer: scores by level.
        run: what pre-training cost.
        probe: probe type.
    """
    fraction = middle_fraction(table)
    chosen = (answer.table["fraction"] == fraction) & (answer.table["probe"] == probe)
    by_level = answer.table[chosen].groupby("task", sort=False)
    prices = [one for level, cells in by_level for one in pareto(str(level), cells, run, fraction, probe)]
    return [*prices, *convergence(scores, table, run, fraction, probe)]


def middle_fraction(table: pd.DataFrame) -> float:
    """The middle one of the label fractions; of two, the smaller."""
    fractions = sorted(set(table["fraction"]))
    return float(fractions[(len(fractions) - 1) // 2])


def pareto(level: str, cells: pd.DataFrame, run: Run, fraction: float, probe: str) -> list[Drawing]:
    """Draw the score on a level against seconds of pre-training; nothing without a score and a cost.

    Args:
        level: its name.
        cells: its scores at this fraction under this probe.
        run: what pre-training cost.
        fraction: label fraction.
        probe: probe type.
    """
    found = _priced(cells, run)
    bought = [one for one in found if one.seconds > 0]
    if not bought:
        return []
    free = [one for one in found if one.seconds == 0]
    front, unit = pareto_front(bought), _unit(bought)

    def paint(axes: Axes, colors: Mapping[str, str]) -> None:
        for i, one in enumerate(found):
            if one.seconds > 0:
                _paint_point(axes, one, unit[1], colors, f"series-{i}")
            elif one.seconds == 0:
                color = colors[one.key.style.color]
                axes.axhline(one.score, color=color, linestyle=":", linewidth=1.3, zorder=1, gid=f"series-{i}")
        _scale(axes, [one.seconds / unit[1] for one in bought])
        _paint_front(axes, front, unit[1], colors["currentColor"])
        axes.set_xlabel(f"{unit[0]} of pre-training per seed")
        frame(axes, f"score on {level}", True, colors["currentColor"])
        name_at_edge(axes, {one.key.name: one.score for one in free}, colors["currentColor"])

    caption = (
        f"Score on the level {level} (0 is {run.zero}, 1 a perfect score) at {percent(fraction)} of the "
        f"labels, {probe} probe, against the time of pre-training (logarithmic axis), the median over seeds. "
        f"{_whose_seconds(run)} "
        "Step line: the front, where no other scores higher for less. Dotted lines: without pre-training. Only "
        "strategies that are scored on all tasks of the level have a place; legend from the best down."
    )
    label = f"Scatter plot: score on {level} by time of pre-training and strategy, {probe} probe"
    keys = [one.key for one in found]
    title = f"Score on {level} against the cost of pre-training"
    ident = draw.slug(f"price_{level}_{probe}")
    return [draw.drawing(ident, title, label, caption, keys, _price_table(found, front, fraction), paint)]


def _whose_seconds(run: Run) -> str:
    """How far seconds can be compared, by the machines they are of."""
    machines = list(dict.fromkeys(job.machine for job in run.pretraining if job.seconds is not None))
    if len(machines) == 1 and machines[0]:
        return f"The seconds are of {machines[0]}, with whatever else it did: compare within this drawing only."
    names = [machine or "unknown machines" for machine in machines]
    compare = "they cannot be compared between machines" if len(names) > 1 else "nothing says that it was one"
    return f"The seconds are of {' and '.join(names)}, with whatever else those did: {compare}."


def _priced(cells: pd.DataFrame, run: Run) -> list[Priced]:
    """All strategies with a score, best first; the constant predictor, which is 0 on this scale or less, left out."""
    entries = entries_of(cells)
    looks, names = draw.styles(entries), names_of(entries)
    found = []
    for entry, mean in zip(entries, cells["mean"], strict=True):
        cost = {name: _cost(run, entry, name) for name in ("seconds", "crops", "peak_mb")}
        note = "cost unknown" if np.isnan(cost["seconds"]) else ""
        found.append(Priced(Key(looks[entry], names[entry], note), mean, **cost))
    scored = [one for one, entry in zip(found, entries, strict=True) if np.isfinite(one.score) and entry[0] != FLOOR]
    return sorted(scored, key=lambda one: -one.score)


def _cost(run: Run, entry: Entry, name: str) -> float:
    """A cost's median over seeds: 0 without pre-training, NaN where it was not recorded."""
    jobs = [job for job in run.pretraining if (job.strategy, job.encoder) == (entry.strategy, entry.encoder)]
    known = [value for job in jobs if (value := _value(job, name)) is not None]
    if known:
        return float(np.median(known))
    note = run.strategies.get(entry.strategy)
    return 0.0 if note and not note.trains else np.nan


def _value(job: Pretraining, name: str) -> float | None:
    return {"seconds": job.seconds, "crops": job.crops, "peak_mb": job.peak_mb}[name]


def pareto_front(bought: Sequence[Priced]) -> list[Priced]:
    """Those that nothing beats at their cost or less, cheapest first."""
    front: list[Priced] = []
    for one in sorted(bought, key=lambda one: (one.seconds, -one.score)):
        if not front or one.score > front[-1].score:
            front.append(one)
    return front


def _unit(bought: Sequence[Priced]) -> tuple[str, float]:
    """The largest unit of which the dearest strategy took two."""
    most = max(one.seconds for one in bought)
    return next((unit for unit in UNITS if most >= 2 * unit[1]), UNITS[-1])


def _paint_point(axes: Axes, one: Priced, unit: float, colors: Mapping[str, str], series: str) -> None:
    color, x = colors[one.key.style.color], one.seconds / unit
    axes.plot([x], [one.score], color=color, marker=one.key.style.marker, markersize=7, zorder=3, gid=series)


def _scale(axes: Axes, costs: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers, however few decades it spans, and room for names at its left and top."""
    low, high = min(costs) / 2.5, max(costs) * 1.2
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [round(step * 10.0**power, 12) for power in powers for step in (1, 2, 5)]
    axes.set_ylim(axes.get_ylim()[0], axes.get_ylim()[1] + 0.08 * np.ptp(axes.get_ylim()))
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(shown := [tick for tick in ticks if low <= tick <= high], [f"{tick:g}" for tick in shown])


def _paint_front(axes: Axes, front: Sequence[Priced], unit: float, ink: str) -> None:
    x, y = [one.seconds / unit for one in front], [one.score for one in front]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    axes.step([*x, right], [*y, y[-1]], where="post", color=ink, linewidth=1.0, alpha=0.6, zorder=1.5)
    across = [float(np.log(at / left) / np.log(right / left)) for at in x]
    # A front rises to the right: names that are apart in height are apart.
    heights = apart([(score - low) / (high - low) + 0.03 for score in y], 0.055)
    for one, at, height in zip(front, across, heights, strict=True):
        # Nothing scores higher for less, so the place above and left of a point on the front is free.
        axes.text(
            at - 0.012,
            height,
            shorten(one.key.name, int(np.clip(CHARACTERS * at, 4, 20))),
            transform=axes.transAxes,
            ha="right",
            size=9,
            color=ink,
            parse_math=False,
        )


def _price_table(found: Sequence[Priced], front: Sequence[Priced], fraction: float) -> pd.DataFrame:
    rows = [
        {
            "strategy": one.key.name,
            f"score at {percent(fraction)}": round(one.score, 4),
            "seconds": round(one.seconds, 1),
            "crops heard": round(one.crops, 0),
            "peak MB": round(one.peak_mb, 0),
            "on the front": "yes" if one in front else "no",
        }
        for one in found
    ]
    return pd.DataFrame(rows)
