"""The leaderboard in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics.tables import Row, Score, Standing, cells, standings

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

#: task columns side by side in a terminal of 100 characters
TERMINAL_TASKS = 4
#: how a mark is written where there is no color: beside the value, so that nothing hangs on style alone
SIGN = {"best": "*", "tied": "≈", "": " ", "missing": ""}
LEGEND = (
    "mean ± 95% interval; * best, ≈ not told apart from it (same test items, Holm),\n"
    "† one seed: cannot win, ‡ trained on this task's labels, — a cell is missing: no mean rank"
)


def printable(text: str) -> str:
    """Make control characters visible, escape sequences and direction overrides among them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shorten(text: str, width: int) -> str:
    """Printable text of at most `width` characters."""
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def terminal(scores: pd.DataFrame, run: Run | Mapping[str, Any] | None = None) -> RenderableType:
    """The leaderboard for a terminal of 100 columns: one table per label fraction, linear probe.

    Args:
        scores: the scores table.
        run: the run record, or its JSON; None without one.
    """
    from rich.console import Group
    from rich.text import Text

    record = Run.model_validate({} if run is None else run)
    everything = standings(cells(scores, record), record)
    headline = [s for s in everything if s.probe == "linear"] or everything
    tables = [
        _terminal_table(each, start) for each in headline for start in range(0, len(each.columns), TERMINAL_TASKS)
    ]
    return Group(*tables, Text(LEGEND, style="dim"))


def _terminal_table(shown: Standing, start: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    of_labels = f"{shorten(shown.probe, 20)} probe, {shown.percent} of the labels"
    table = Table(title=Text(of_labels, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("strategy", max_width=22)
    table.add_column("mean\nrank", justify="right", no_wrap=True)
    for column in shown.columns[start : start + TERMINAL_TASKS]:
        arrow = "↑" if column.higher_is_better else "↓"
        header = Text(f"{shorten(column.task, 14)}\n{shorten(column.metric, 14)}{arrow}")
        table.add_column(header, justify="right", no_wrap=True)
    names = Counter(row.entry.strategy for row in shown.rows)
    for row in shown.rows:
        rank = "—" if row.mean_rank is None else f"{row.mean_rank:.1f}"
        scores = row.scores[start : start + TERMINAL_TASKS]
        table.add_row(_terminal_name(row, names[row.entry.strategy] > 1), rank, *map(_terminal_score, scores))
    return table


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
