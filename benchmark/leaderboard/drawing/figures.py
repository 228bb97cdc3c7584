"""Curves with bands, and the label-efficiency drawing: one per task or level, score against labeled tracks.

Twenty bands on one another say nothing. So the few that lead at either end of the axis are drawn in full, with their
intervals, and so are the baselines in grey; the others are thin, and their intervals are in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.leaderboard.drawing import draw
from benchmark.leaderboard.drawing.draw import Drawing, Key, Style
from benchmark.leaderboard.drawing.terminal import shorten
from benchmark.leaderboard.record import percent
from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.tables import Column, Entry, entries_of, names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: how many lead at an end of the axis
LEADERS = 2
READING = (
    f"In full color, with bands: the {LEADERS} best at either end of the axis, and the baselines in grey; the "
    "intervals of all others are in the table. Legend from top to bottom at the right edge."
)


@dataclass(frozen=True)
class Line:
    """One strategy's curve. A mean that is NaN is a gap; a half-width that is NaN is unknown, and not drawn."""

    key: Key
    x: list[float]
    mean: list[float]
    half: list[float]


def label_efficiency(table: pd.DataFrame, column: Column, probe: str, of_level: bool = False) -> Drawing:
    """Draw scores on one task or level against the number of labeled tracks, under one probe.

    Args:
        table: the result of `tables.cells`, or the table of `headline.headline`.
        column: the task and its metric.
        probe: probe type.
        of_level: whether the column is a level.
    """
    chosen = (table["task"] == column.task) & (table["metric"] == column.metric) & (table["probe"] == probe)
    part = table[chosen].sort_values("fraction", kind="stable")
    counts = _counts(part)
    entries = entries_of(table)
    looks, names = draw.styles(entries), names_of(entries)
    lines = downward(
        [
            _line(Entry(*map(str, entry)), own, counts, looks, names)
            for entry, own in part.groupby(stats.ENTRY, sort=False)
        ]
    )

    def paint(axes: Axes, colors: Mapping[str, str]) -> None:
        paint_lines(axes, lines, column.higher_is_better, colors)
        _label(axes, counts)
        frame(axes, column.metric, column.higher_is_better, colors["currentColor"])
        name_baselines(axes, lines, colors)

    caption = (
        f"{column.metric} on the test set against labeled tracks (logarithmic axis; the mean over runs, and the share "
        f"of the training labels below), {probe} probe. Lines are means over runs, bands 95% intervals. {READING}"
    )
    return draw.drawing(
        draw.slug(f"{'level' if of_level else 'label_efficiency'}_{column.task}_{probe}"),
        f"Label efficiency {'by level: ' if of_level else 'on '}{column.task}",
        f"Line chart: {column.metric} on {column.task} by number of labels and strategy, {probe} probe",
        caption,
        [line.key for line in lines],
        _table(lines, counts),
        paint,
    )


def _counts(part: pd.DataFrame) -> pd.Series:
    """Labeled tracks by label fraction; where nothing was scored, in proportion to the other fractions."""
    counts = part.groupby("fraction")["n_train"].mean()
    full = (counts / counts.index).median()
    return counts.fillna(pd.Series(counts.index * (1.0 if np.isnan(full) else full), counts.index))


def downward(lines: Sequence[Line]) -> list[Line]:
    """Lines from top to bottom, as the eye meets them at the right edge."""
    return sorted(lines, key=lambda line: -np.nan_to_num(line.mean[-1], nan=-np.inf))


def _line(
    entry: Entry, own: pd.DataFrame, counts: pd.Series, looks: Mapping[Entry, Style], names: Mapping[Entry, str]
) -> Line:
    missing = [percent(fraction) for fraction in own.loc[own["mean"].isna(), "fraction"]]
    key = Key(looks[entry], names[entry], f"missing at {', '.join(missing)}" if missing else "")
    return Line(key, own["fraction"].map(counts).tolist(), own["mean"].tolist(), own["half_width"].tolist())


def _table(lines: Sequence[Line], counts: pd.Series) -> pd.DataFrame:
    rows = [
        {"strategy": line.key.name}
        | {
            name: round(value, 4)
            for fraction, mean, half in zip(counts.index, line.mean, line.half, strict=True)
            for name, value in ((percent(fraction), mean), (f"± at {percent(fraction)}", half))
        }
        for line in lines
    ]
    return pd.DataFrame(rows)


def leading(lines: Sequence[Line], higher_is_better: bool) -> set[str]:
    """The names of the `LEADERS` best at the first and at the last point, baselines apart."""
    sign = 1 if higher_is_better else -1
    found = set()
    for end in (0, -1):
        there = [line for line in lines if not line.key.style.grey and np.isfinite(line.mean[end])]
        there.sort(key=lambda line: -sign * line.mean[end])
        found |= {line.key.name for line in there[:LEADERS]}
    return found


def paint_lines(axes: Axes, lines: Sequence[Line], higher_is_better: bool, colors: Mapping[str, str]) -> None:
    """Paint all curves, those that lead on top and with their bands."""
    leaders = leading(lines, higher_is_better)
    for i, line in enumerate(lines):
        strong = line.key.name in leaders or line.key.style.grey
        _paint_line(axes, line, colors[line.key.style.color], f"series-{i}", strong)


def _paint_line(axes: Axes, line: Line, color: str, series: str, strong: bool) -> None:
    style, mean, half = line.key.style, np.asarray(line.mean), np.asarray(line.half)
    order = 2 if style.grey else 3 if strong else 1
    width, size = (1.9, 6.0) if strong and not style.grey else (1.2, 4.5) if strong else (0.9, 3.5)
    axes.plot(
        line.x,
        mean,
        color=color,
        marker=style.marker,
        linestyle=style.dashes,
        linewidth=width,
        markersize=size,
        alpha=1.0 if strong else 0.5,
        zorder=order,
        gid=series,
    )
    if strong:
        ends = mean - half, mean + half
        axes.fill_between(line.x, *ends, color=color, alpha=0.12, linewidth=0, zorder=order - 0.5, gid=series)
        # A band needs two points side by side; a bar shows the interval of one.
        axes.vlines(line.x, *ends, color=color, linewidth=1.0, alpha=0.6, zorder=order, gid=series)


def name_baselines(axes: Axes, lines: Sequence[Line], colors: Mapping[str, str]) -> None:
    """Write the grey lines' names where they end."""
    ends = {line.key.name: line.mean[-1] for line in lines if line.key.style.grey}
    name_at_edge(axes, ends, colors["var(--grey)"])


def _label(axes: Axes, counts: pd.Series) -> None:
    ticks = [f"{count:,.0f}\n{percent(fraction)}" for fraction, count in zip(counts.index, counts, strict=True)]
    axes.set_xscale("log")
    axes.set_xlim(counts.min() / 1.25, counts.max() * 1.25)
    axes.set_xticks(counts.tolist(), ticks)
    axes.set_xlabel("labeled tracks (share of the training labels)")


def frame(axes: Axes, quantity: str, higher_is_better: bool, ink: str) -> None:
    """Name what is upward above the axes, where it reads without a turned head, and rule the background."""
    better = "higher" if higher_is_better else "lower"
    text = f"{shorten(quantity, 30)} ({better} is better)"
    # A metric's name is a plugin's: `$` in it is no formula. A title proper would measure all ticks to find its place.
    axes.text(0, 1.03, text, transform=axes.transAxes, parse_math=False)
    axes.grid(axis="y", color=ink, alpha=0.12, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.minorticks_off()


def name_at_edge(axes: Axes, heights: Mapping[str, float], color: str) -> None:
    """Write names beside the right edge at their heights (data units), moved apart where they would overlap."""
    low, high = axes.get_ylim()
    known = {name: (y - low) / (high - low) for name, y in heights.items() if np.isfinite(y)}
    order = sorted(known, key=known.__getitem__)
    placed = apart([known[name] for name in order], 0.055)
    for name, y in zip(order, placed, strict=True):
        axes.text(
            1.02, y, shorten(name, 16), transform=axes.transAxes, color=color, va="center", size=8, parse_math=False
        )


def apart(positions: Sequence[float], gap: float) -> list[float]:
    """Move ascending positions at least `gap` apart, each cluster about its center."""
    groups: list[list[float]] = []
    for position in positions:
        groups.append([position])
        while len(groups) > 1 and _ends(groups[-1], gap)[0] - _ends(groups[-2], gap)[1] < gap - 1e-12:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_ends(group, gap)[0] + i * gap for group in groups for i in range(len(group))]


def _ends(group: list[float], gap: float) -> tuple[float, float]:
    center, half = float(np.mean(group)), gap * (len(group) - 1) / 2
    return center - half, center + half
