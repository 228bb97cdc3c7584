"""Label efficiency: one inline SVG per task, score against the share of labels, one line per strategy.

Names of strategies stay out of the drawing: its legend is HTML, so that they wrap, are read aloud and keep
their script's direction. Colors are CSS variables, so that one drawing serves light, dark and print.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from benchmark.leaderboard import stats
from benchmark.leaderboard.record import percent
from benchmark.leaderboard.tables import Column, Entry
from benchmark.leaderboard.terminal import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Dashes = Literal["-", "--", ":"]

#: (light, dark) pairs of hues that are told apart under the common color-vision deficiencies, with a contrast
#: of at least 3:1 on either background; after Okabe and Ito 2008 and Tol 2021
PALETTE = [
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#f28e3c"),
    ("#007d5a", "#2ec4a0"),
    ("#aa3377", "#e58bc4"),
    ("#8a6d00", "#e3c229"),
    ("#332288", "#a99bf5"),
]
#: matplotlib's marker and the character that shows it in the legend
MARKERS = [("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"), ("P", "✚"), ("X", "✖"), ("*", "★")]
DASHES: list[Dashes] = ["-", "--", ":"]
#: what learns nothing from audio is drawn as background
GREY: dict[str, tuple[str, str, Dashes]] = {"constant": ("+", "+", ":"), "random": ("x", "✕", "--")}

#: matplotlib wants colors where the page wants CSS: these stand in for `currentColor` and for series 0, 1 ...
INK = "#0a0b0c"
SERIES = "#0a0c{:02x}"
RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pretext",
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
}


@dataclass(frozen=True)
class Style:
    """How a strategy is drawn, in every figure alike. `color` is a CSS color."""

    color: str
    marker: str
    glyph: str
    dashes: Dashes


@dataclass(frozen=True)
class Line:
    """One strategy's line and its legend entry. Missing fractions are gaps, and named."""

    entry: Entry
    style: Style
    mean: list[float]
    half: list[float]
    missing: list[str]


@dataclass(frozen=True)
class Figure:
    """One drawing with all that a page needs to show it."""

    column: Column
    probe: str
    svg: str
    lines: list[Line]


def styles(entries: Sequence[Entry]) -> dict[Entry, Style]:
    """Give each strategy a color, a marker and dashes; no two of up to 72 share all three."""
    drawn = [entry for entry in entries if entry.strategy not in GREY]
    found = {entry: _style(i) for i, entry in enumerate(drawn)}
    for entry in entries:
        if entry.strategy in GREY:
            found[entry] = Style("var(--grey)", *GREY[entry.strategy])
    return found


def _style(i: int) -> Style:
    # Six colors by eight markers make 24 pairs before one comes again.
    dashes = DASHES[i // 24 % len(DASHES)]
    return Style(f"var(--s{i % len(PALETTE)})", *MARKERS[i % len(MARKERS)], dashes)


def label_efficiency(table: pd.DataFrame, column: Column, probe: str, ident: str) -> Figure:
    """Draw one task's scores against the share of its labels, under one probe.

    Args:
        table: the result of `tables.cells`.
        column: the task and its metric.
        probe: probe type.
        ident: keeps the ids of several drawings on one page apart; letters and digits.
    """
    chosen = (table["task"] == column.task) & (table["metric"] == column.metric) & (table["probe"] == probe)
    part = table[chosen].sort_values("fraction", kind="stable")
    fractions = sorted(set(part["fraction"]))
    looks = styles([Entry(*row) for row in table[stats.ENTRY].drop_duplicates().itertuples(index=False, name=None)])
    lines = [_line(entry, style, part) for entry, style in looks.items()]
    counts = [part.loc[part["fraction"] == fraction, "n_train"].mean() for fraction in fractions]
    svg = _inline(_render(_draw(lines, fractions, counts, column)), lines, ident, _spoken(column, probe))
    # The legend lists lines from top to bottom, as the eye meets them at the right edge.
    order = sorted(lines, key=lambda line: -np.nan_to_num(line.mean[-1], nan=-np.inf))
    return Figure(column, probe, svg, order)


def _line(entry: Entry, style: Style, part: pd.DataFrame) -> Line:
    own = part[(part[stats.ENTRY] == list(entry)).all(axis=1)]
    missing = [percent(fraction) for fraction in own.loc[own["mean"].isna(), "fraction"]]
    return Line(entry, style, own["mean"].tolist(), own["half_width"].tolist(), missing)


def _draw(lines: list[Line], fractions: list[float], counts: list[float], column: Column) -> Canvas:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(RC):
        canvas = Canvas(figsize=(5.4, 3.5), layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.add_subplot()
        for i, line in enumerate(lines):
            # Side by side within a tick, lest intervals hide one another.
            shift = 1.0 + 0.28 * ((i + 0.5) / len(lines) - 0.5)
            _draw_line(axes, np.asarray(fractions) * shift, line, SERIES.format(i % 256))
        _label(axes, fractions, counts, column)
    return canvas


def _draw_line(axes: Axes, x: np.ndarray, line: Line, color: str) -> None:
    grey = line.style.color == "var(--grey)"
    axes.errorbar(
        x,
        line.mean,
        # An unknown interval is drawn as none; its table cell says "±?".
        yerr=np.nan_to_num(line.half),
        color=color,
        marker=line.style.marker,
        linestyle=line.style.dashes,
        linewidth=1.2 if grey else 1.7,
        markersize=5.5,
        elinewidth=1.1,
        capsize=2.5,
        zorder=2 if grey else 3,
    )


def _label(axes: Axes, fractions: list[float], counts: list[float], column: Column) -> None:
    ticks = [
        f"{percent(fraction)}\n" + ("" if np.isnan(count) else f"n = {count:.0f}")
        for fraction, count in zip(fractions, counts, strict=True)
    ]
    axes.set_xscale("log")
    axes.set_xlim(fractions[0] / 1.5, fractions[-1] * 1.5)
    axes.set_xticks(fractions, ticks)
    axes.minorticks_off()
    axes.set_xlabel("share of the training labels (n tracks)")
    # A metric's name is a plugin's: `$` in it is no formula.
    better = "higher" if column.higher_is_better else "lower"
    axes.set_ylabel(f"{shorten(column.metric, 30)} ({better} is better)", parse_math=False)
    axes.grid(axis="y", color=INK, alpha=0.12, linewidth=0.8)
    axes.set_axisbelow(True)


def _spoken(column: Column, probe: str) -> str:
    """What the drawing shows, for those who do not see it."""
    return f"Line chart: {column.metric} on {column.task} by share of labels and strategy, {probe} probe"


def _render(canvas: Canvas) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(RC), warnings.catch_warnings():
        # Text stays text: the browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def _inline(svg: str, lines: list[Line], ident: str, label: str) -> str:
    """Turn matplotlib's file into an element of the page: no prolog, own ids, CSS colors and fonts."""
    box = re.search(r'viewBox="([\d. ]+)"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", body, flags=re.DOTALL)
    colors = [line.style.color for line in lines]
    body = re.sub(r'\bid="', f'id="{ident}-', body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{ident}-', body).replace("url(#", f"url(#{ident}-")
    body = re.sub(r"(fill|stroke): #0a0b0c", r"\1: currentColor", body)
    body = re.sub(r"(fill|stroke): #0a0c([0-9a-f]{2})", lambda m: f"{m[1]}: {colors[int(m[2], 16)]}", body)
    body = re.sub(r"font-family: [^;\"]*; ", "", body)
    head = f'<svg role="img" aria-label="{html.escape(label)}" viewBox="{box[1] if box else "0 0 388.8 252"}">'
    return head + body.strip()
