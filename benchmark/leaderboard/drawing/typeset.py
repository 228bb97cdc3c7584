"""Tables in LaTeX, with booktabs; every name is shown as the text that it is.

pandas writes booktabs too, but a name that begins with a bracket would be read as an option of the line before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from benchmark.leaderboard.drawing.terminal import shorten

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    # At the start of a row, or behind a rule, they would be options of `\\` and of the rule.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "Δ": r"$\Delta$",
    # What LaTeX has no glyph for, as the terminal has not.
    "\N{REPLACEMENT CHARACTER}": "?",
}
ESCAPES = str.maketrans(SPECIAL)
HEAD = (
    "% \\usepackage{booktabs}; names in other scripts than Latin need LuaLaTeX or XeLaTeX with a font that has them\n"
)
#: longer names are cut in LaTeX; the CSV has them whole
WIDTH = 60


@dataclass(frozen=True)
class Table:
    """One table: `frame` in full for CSV; `head` and `rows` as they are typeset, LaTeX already; `align` as l and r.

    A line break in `head` begins another row of it.
    """

    id: str
    title: str
    frame: pd.DataFrame
    head: list[str]
    rows: list[list[str]]
    align: str


def escape(text: str, width: int = WIDTH) -> str:
    """Any text as LaTeX that shows it, cut at `width` characters."""
    return shorten(text, width).translate(ESCAPES)


def latex(table: Table) -> str:
    """A `table` environment, for LaTeX to read in."""
    heads = [name.split("\n") for name in table.head]
    depth = max(len(lines) for lines in heads)
    padded = [[*lines, *[""] * (depth - len(lines))] for lines in heads]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.title, 600)}}}",
        rf"\label{{tab:{table.id}}}",
        rf"\begin{{tabular}}{{{table.align}}}",
        r"\toprule",
        *(" & ".join(head) + r" \\" for head in zip(*padded, strict=True)),
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return HEAD + "\n".join(lines) + "\n"


def plain(ident: str, title: str, frame: pd.DataFrame) -> Table:
    """A table typeset as it is."""
    columns = [_column(frame[name]) for name in frame]
    align = "".join("r" if is_numeric_dtype(frame[name]) else "l" for name in frame)
    return Table(
        ident,
        title,
        frame,
        [escape(str(name)) for name in frame],
        [list(row) for row in zip(*columns, strict=True)],
        align,
    )


def _column(values: pd.Series) -> list[str]:
    """Numbers with one number of decimals for the column; a dash where there is none."""
    if not is_numeric_dtype(values) or is_bool_dtype(values):
        return [escape("--" if pd.isna(value) else str(value)) for value in values]
    known = values.dropna()
    digits = 0 if (known == known.round()).all() else 3
    return ["--" if pd.isna(value) else f"{value:.{digits}f}" for value in values]
