"""The leaderboard page: one self-contained HTML file, and the CSV beside it.

The page loads nothing: styles, script and drawings are inside, and its Content-Security-Policy forbids the
rest. Same input, same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from benchmark.files import replacing
from benchmark.interfaces import human, visible
from benchmark.leaderboard.claims.claim import EXPLANATION
from benchmark.leaderboard.drawing import draw
from benchmark.leaderboard.page import how_much
from benchmark.leaderboard.page.by_task import anchor
from benchmark.leaderboard.page.report import Report, gather
from benchmark.leaderboard.record import Run, percent
from benchmark.leaderboard.statistics import headline, tables


def build(folder: Path) -> Path:
    """Write the page, `leaderboard.csv` and `labels.csv`; of draws, `pairs.csv`; of several budgets, `budgets.csv`.

    Args:
        folder: a run's output: `scores.parquet`, and `run.json` if there is one.

    Returns:
        Path of the page.

    Raises:
        UserError: the scores are absent or unusable; the message says what to do.
    """
    return write(folder, gather(folder))


def write(folder: Path, report: Report) -> Path:
    """Write what `report` holds into `folder`; see `build`."""
    page = visible(render(report))
    found = {"labels.csv": report.saved}
    if report.budgets:
        found["budgets.csv"] = how_much.frame(report.budgets, report.run)
    if report.pairs is not None:
        found["pairs.csv"] = _all_pairs(report.pairs, report.headline.pairs, report.run)
    for name in {"budgets.csv", "pairs.csv"} - set(found):
        (folder / name).unlink(missing_ok=True)
    for name, table in found.items():
        with replacing(folder / name) as draft:
            table.to_csv(draft, index=False, lineterminator="\n", encoding="utf-8", float_format="%.6g")
    with replacing(folder / "leaderboard.csv") as draft:
        tables.write_csv(pd.concat([report.table, headline.csv_rows(report.headline, report.run)]), draft)
    path = folder / "leaderboard.html"
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return path


def _all_pairs(of_tasks: pd.DataFrame, of_levels: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Pairs on tasks and on levels; an empty `task` is a level's score."""
    named = [
        of_levels.assign(level=of_levels["task"], task=""),
        of_tasks.assign(level=[run.level(task) for task in of_tasks["task"]]),
    ]
    whole = pd.concat(named[::-1], ignore_index=True)
    return whole[["level", *of_tasks]]


def render(report: Report) -> str:
    """Render the page."""
    main = report.table[report.table["main"]]
    return _template().render(
        report=report,
        names=tables.names_of(report.entries),
        run=report.run,
        palette=draw.PALETTE,
        always=draw.GREY,
        explanation=EXPLANATION,
        planned=len(main),
        missing=int((main["status"] == "missing").sum()),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= {"anchor": anchor}
    environment.filters |= {
        "percent": percent,
        "plain": _plain,
        "number": _number,
        "duration": human,
        "known": _known,
        "share": _share,
        "size": _size,
        "signed": _signed,
        "digest": _digest,
        "breakable": _breakable,
        "ticked": _ticked,
        "tau": how_much.in_words,
        "order_verdict": how_much.verdict,
        "orders": how_much.orders,
    }
    return environment.get_template("page.html.j2")


def _plain(value: Any) -> str:
    """A setting's value as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separated; a dash where there is none."""
    return f"{value:,.{digits}f}" if value is not None and _known(value) else "\N{EM DASH}"


def _share(value: float) -> str:
    """A reliability in two decimals, rounded down, so that what is below .5 never reads .50; `?` if unknown."""
    return _size(math.floor(100 * value) / 100) if _known(value) else "?"


def _signed(value: float) -> str:
    """A difference in two decimals, with its sign."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _size(value: float) -> str:
    """A difference in two decimals, `?` if unknown."""
    return f"{value:.2f}".removeprefix("0") if _known(value) else "?"


def _known(value: float) -> bool:
    return not math.isnan(value)


def _breakable(name: str) -> Markup:
    """A name that may be broken after its underscores."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _ticked(text: str) -> Markup:
    """A docstring's text, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _digest(script: Markup) -> str:
    """The script's hash for the Content-Security-Policy, under which no other script runs."""
    return base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()
