"""The leaderboard in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics.headline import Answer, Gain, Headline, answers
from benchmark.leaderboard.statistics.headline import standings as of_levels
from benchmark.leaderboard.statistics.tables import Column, Entry, Row, Score, Standing, names_of, settings, standings

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

#: columns side by side in a terminal of 100 characters
WIDE = 4
#: how a mark is written where there is no color: beside the value, so that nothing hangs on style alone
SIGN = {"best": "*", "tied": "≈", "": " ", "missing": ""}
NEXT = "\n      "
LEGEND = (
    "mean ± 95% interval; * best pretext task, ≈ not told apart from it (same test items),\n"
    "† one seed: not compared, ‡ trained on these labels; G reliability (below .5, dim: no verdict),\n"
    "Δ the difference that one comparison by itself finds in 80%; ▲ better, ▼ worse, ≈ not told apart"
)
NOTHING = "with one seed, one row, or rows that are all alike, nothing can be told apart"
OF_LEVELS = "Levels: 0 is {zero}, 1 perfect, tasks weighted by reliability; all tasks: --by task"
NO_FLOOR = (
    "since nothing\nsays what is scored there without learning: constant has no score there, or one that is perfect"
)
NO_LEVEL = "Tasks, since no level has a score: that takes constant among the strategies, or random in a grid's control"


def printable(text: str) -> str:
    """Make control characters visible, escape sequences and direction overrides among them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shorten(text: str, width: int) -> str:
    """Printable text of at most `width` characters."""
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def terminal(table: pd.DataFrame, found: Headline | None, run: Run) -> RenderableType:
    """The leaderboard for a terminal of 100 columns: one table per label fraction, linear probe.

    Args:
        table: the result of `tables.cells`.
        found: a column for each level; None for one for each task. So it is where no level has a score.
        run: the run's record.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[Table | Text] = []
    everything = of_levels(found, run, settings(table)) if found else []
    more = f"\n{OF_LEVELS.format(zero=run.zero)}" if found else ""
    if not any(shown.columns for shown in everything):
        everything, more = standings(table, run), f"\n{NO_LEVEL}" if found else ""
        found = None
    for shown in [s for s in everything if s.probe == run.first_probe(table["probe"])]:
        parts += [_terminal_table(shown, start) for start in range(0, len(shown.columns), WIDE)]
        names = names_of([row.entry for row in shown.rows])
        parts += [_said(answer, names) for answer in answers(shown, found, run)] if found else []
    unplaced = found.unplaced.get(run.first_probe(table["probe"]), []) if found else []
    parts += [Text(f"in no level: {', '.join(shorten(task, 40) for task in unplaced)}, {NO_FLOOR}")] if unplaced else []
    return Group(*parts, Text(LEGEND + more, style="dim"))


def _said(answer: Answer, called: Mapping[Entry, str]) -> Text:
    """One level in words."""
    from rich.text import Text

    level, size = shorten(answer.column.task, 12), f"Δ {_short(answer.column.detectable)}"
    names = ", ".join(shorten(called[entry], 48) + "‡" * score.heard for entry, score in answer.best)
    if answer.best:
        tied = f", {len(answer.tied)} of {answer.among - len(answer.best)} not told apart ({size})" * bool(answer.tied)
        told = ", told apart from all" * (answer.among > len(answer.best))
        text = f"{names}{tied or told}{answer.uncompared}"
    else:
        text = f"no verdict ({size if np.isfinite(answer.column.reliability) else NOTHING})"
    gains = ", ".join(_gain(gain) for gain in answer.gains) if answer.best else ""
    return Text(f"  {level}: {text}{f'{NEXT}over {gains}' if gains else ''}")


def _gain(gain: Gain) -> str:
    sign = {"first": "▲", "second": "▼", "tied": "≈", "untested": "†"}[gain.wins]
    return f"{shorten(gain.over, 16)} {gain.difference:+.2f} ±{_short(gain.half)} {sign}"


def _short(value: float) -> str:
    return "?" if np.isnan(value) else f"{value:.2f}".removeprefix("0")


def _terminal_table(shown: Standing, start: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    of_labels = f"{shorten(shown.probe, 20)} probe, {shown.percent} of the labels"
    table = Table(title=Text(of_labels, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("strategy", max_width=22)
    columns = shown.columns[start : start + WIDE]
    for column in columns:
        arrow = "↑" if column.higher_is_better else "↓"
        header = Text(f"{shorten(column.task, 16)}\n{shorten(column.metric, 14)}{arrow}\n{_power(column)}")
        table.add_column(header, justify="right", no_wrap=True, style="" if column.judged else "dim")
    names = Counter(row.entry.strategy for row in shown.rows)
    for row in shown.rows:
        scores = row.scores[start : start + WIDE]
        name = _terminal_name(row, names[row.entry.strategy] > 1)
        table.add_row(name, *map(_terminal_score, scores), style="" if row.pretext else "italic")
    return table


def _power(column: Column) -> str:
    return f"G {_short(np.floor(100 * column.reliability) / 100)} Δ {_short(column.detectable)}"


def _terminal_name(row: Row, ambiguous: bool) -> Text:
    from rich.text import Text

    name = Text(shorten(row.entry.strategy, 22))
    if ambiguous:
        name.append("".join(f"\n  {shorten(part, 20)}" for part in row.entry[1:]), style="dim")
    if row.variant:
        name.append(f"\n  {shorten(row.variant, 20)}", style="dim")
    return name.append("\n  collapsed", style="yellow") if row.collapsed else name


def _terminal_score(score: Score) -> Text:
    from rich.text import Text

    if score.mark == "missing":
        return Text("—missing", style="dim")
    mean, half = score.texts
    notes = ("†" if score.lone else " ") + ("‡" if score.heard else "")
    text = f"{SIGN[score.mark]}{mean} ±{half.removeprefix('0')}{notes}"
    return Text(text, style="bold" if score.mark == "best" else "")
