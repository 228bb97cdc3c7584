"""What all drawings share: how a strategy looks, and the way from matplotlib to the page and to a file.

On the page, colors are CSS variables and fonts are the page's, so that one drawing serves light, dark and print; the
legend is HTML, so that names wrap, are read aloud and keep their script's direction. A file stands alone.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from benchmark.leaderboard.drawing.terminal import shorten
from benchmark.leaderboard.statistics.tables import Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Dashes = Literal["-", "--", ":"]
#: paints one drawing, given the color that stands for each CSS color
Paint = Callable[["Axes", Mapping[str, str]], None]

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
GREY: dict[str, tuple[str, str, Dashes]] = {
    "constant": ("+", "+", ":"),
    "random": ("x", "✕", "--"),
    "random_unsettled": ("1", "⅄", "-"),
}

#: the page's colors on paper
LIGHT = {
    "currentColor": "#1b1f24",
    "var(--grey)": "#6a737d",
    **{f"var(--s{i})": light for i, (light, _) in enumerate(PALETTE)},
}
#: matplotlib wants colors where the page wants CSS: these stand in for it
STAND_IN = {css: f"#0a0b{i:02x}" for i, css in enumerate(LIGHT)}
CSS = {stand_in: css for css, stand_in in STAND_IN.items()}


@dataclass(frozen=True)
class Style:
    """How a strategy is drawn, in every drawing alike. `color` is a CSS color."""

    color: str
    marker: str
    glyph: str
    dashes: Dashes

    @property
    def grey(self) -> bool:
        """Whether this is a baseline that learns nothing from audio."""
        return self.color == "var(--grey)"


@dataclass(frozen=True)
class Key:
    """One entry of a legend. `name` is any text; `note` is a warning beside it, such as "missing at 1%"."""

    style: Style
    name: str
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """One drawing with all that a page or a paper needs to show it.

    Attributes:
        id: letters, digits and hyphens; unique on the page and as a file name.
        title: plain text.
        svg: an element for the page; what belongs to `keys[i]` has the class `series-i`.
        caption: plain text, what is plotted.
        keys: the legend, in the order of the drawing.
        table: the numbers behind it, columns named for people; the first names the strategy.
        paint: paints it anew, for a file.
    """

    id: str
    title: str
    svg: str
    caption: str
    keys: list[Key]
    table: pd.DataFrame
    paint: Paint = field(repr=False, compare=False)


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


def slug(text: str) -> str:
    """Letters, digits and hyphens, different for different texts."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if re.fullmatch(r"[a-z0-9][a-z0-9_]{,79}", text) and plain == text.replace("_", "-"):
        return plain
    return f"{plain[:40]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}".lstrip("-")


def drawing(
    ident: str, title: str, label: str, caption: str, keys: list[Key], table: pd.DataFrame, paint: Paint
) -> Drawing:
    """Draw for the page. `label` is what those hear who do not see it."""
    return Drawing(ident, title, _inline(_svg(paint), ident, label), caption, keys, table, paint)


def save(shown: Drawing, path: Path, kind: Literal["svg", "pdf"]) -> None:
    """Write a drawing as a file that stands alone, with title, legend and a white background; the same bytes each time.

    Args:
        shown: the drawing.
        path: of the file.
        kind: of the file; text stays text in either.
    """
    import matplotlib as mpl

    with mpl.rc_context(_rc(LIGHT["currentColor"])):
        canvas = _canvas(shown.paint, LIGHT)
        axes = canvas.axes[0]
        canvas.suptitle(shorten(shown.title, 70), x=0.04, y=0.99, ha="left", va="bottom", fontsize=11, parse_math=False)
        labels = [shorten(f"{key.name}{f' ({key.note})' if key.note else ''}", 44) for key in shown.keys]
        legend = axes.legend(
            [_handle(key.style) for key in shown.keys],
            labels,
            loc="upper left",
            bbox_to_anchor=(1.32, 1.04),
            frameon=False,
            fontsize=8,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        stamp = {"Date" if kind == "svg" else "CreationDate": None}
        _write(canvas, path, format=kind, facecolor="white", bbox_inches="tight", metadata=stamp)


def _handle(style: Style) -> Any:
    from matplotlib.lines import Line2D

    color = LIGHT[style.color]
    return Line2D([], [], color=color, marker=style.marker, linestyle=style.dashes, markersize=5)


def _canvas(paint: Paint, colors: Mapping[str, str]) -> Figure:
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(5.4, 3.6))
    # Fixed margins: a layout that measures every text costs more than the drawing.
    axes = canvas.add_axes((0.09, 0.19, 0.69, 0.72))
    paint(axes, colors)
    return canvas


def _svg(paint: Paint) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_rc(STAND_IN["currentColor"])):
        _write(_canvas(paint, STAND_IN), buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def _write(canvas: Figure, target: Any, **options: Any) -> None:
    with warnings.catch_warnings():
        # Text stays text in SVG: the browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.savefig(target, **options)


@cache
def _rc(ink: str) -> dict[Any, Any]:
    """Seaborn's ticks, with the page's ink, and text that stays text."""
    import seaborn as sns

    inked = ["axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"]
    ticks = {name: value for name, value in sns.axes_style("ticks").items() if not name.startswith("font.")}
    return {
        **ticks,
        "svg.fonttype": "none",
        "svg.hashsalt": "pretext",
        "pdf.fonttype": 42,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": False,
        **dict.fromkeys(inked, ink),
    }


def _inline(svg: str, ident: str, label: str) -> str:
    """Turn matplotlib's file into an element of the page: no prolog, own ids, CSS colors and fonts."""
    box = re.search(r'viewBox="([\d. ]+)"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="(series)-(\d+)"', r'class="\1 \1-\2"', body)
    body = re.sub("#0a0b[0-9a-f]{2}", lambda m: CSS.get(m[0], m[0]), body)
    body = re.sub(r"font-family: [^;\"]*; ", "", body)
    head = f'<svg role="img" aria-label="{html.escape(label)}" viewBox="{box[1] if box else "0 0 388.8 259.2"}">'
    return head + _compact(_own_ids(body.strip(), ident))


def _own_ids(body: str, ident: str) -> str:
    """Number the ids that something refers to, apart from those of other drawings, and drop the rest."""
    body = re.sub(r'<clipPath\b.*?</clipPath>|\bclip-path="[^"]*"', "", body, flags=re.DOTALL)  # nothing to clip
    names = dict.fromkeys(re.findall(r'href="#([^"]*)"', body))
    prefix = "g" + hashlib.sha256(ident.encode()).hexdigest()[:8]
    own = {name: f"{prefix}-{i}" for i, name in enumerate(names)}
    body = re.sub(r' ?\bid="([^"]*)"', lambda m: f' id="{own[m[1]]}"' if m[1] in own else "", body)
    return re.sub(r'(?:xlink:)?href="#([^"]*)"', lambda m: f'href="#{own[m[1]]}"', body)


def _compact(body: str) -> str:
    """Fewer bytes for the same picture: a hundredth of a point is not seen; the page says how lines are joined."""
    shorter = re.sub(r'\b(d|x|y|transform)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), body)
    shorter = re.sub(r' transform="rotate\(-0 [^"]*"|; stroke-line(?:join|cap): \w+', "", shorter)
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", shorter))
