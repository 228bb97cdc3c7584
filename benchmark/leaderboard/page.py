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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from benchmark.files import replacing
from benchmark.leaderboard import claims, figures, stats, tables
from benchmark.leaderboard.order import Matrix, Order, load_pairs, matrices, order_of
from benchmark.leaderboard.record import Run, load_run, percent
from benchmark.leaderboard.robustness import Robustness, load_robustness
from benchmark.leaderboard.tables import Row, Standing

#: characters that HTML forbids even when escaped
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Panel:
    """One label fraction under one probe: the ranked table, the other metrics, the order over tasks."""

    id: str
    main: Standing
    others: Standing
    order: Order


def build(folder: Path) -> Path:
    """Write `leaderboard.html` and `leaderboard.csv` from a run's scores.

    Args:
        folder: a run's output: `scores.parquet`, and `run.json` if there is one.

    Returns:
        Path of the page.

    Raises:
        UserError: the scores are absent or unusable; the message says what to do.
    """
    run = load_run(folder)
    scores = stats.load_scores(folder)
    table, pairs = tables.cells(scores, run), load_pairs(folder, run)
    verdicts = claims.check_all(claims.load_scores(folder), run)
    text = render(scores, table, run, pairs, load_robustness(folder, run), verdicts)
    page = CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    if pairs is not None:
        with replacing(folder / "pairs.csv") as draft:
            pairs.to_csv(draft, index=False, lineterminator="\n", encoding="utf-8")
    with replacing(folder / "leaderboard.csv") as draft:
        tables.write_csv(table, draft)
    path = folder / "leaderboard.html"
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return path


def render(
    scores: pd.DataFrame,
    table: pd.DataFrame,
    run: Run,
    pairs: pd.DataFrame | None = None,
    robustness: Sequence[Robustness] = (),
    verdicts: Sequence[tuple[type[claims.Claim], claims.Verdict]] = (),
) -> str:
    """Render the page.

    Args:
        scores: the result of `stats.prepare`.
        table: the result of `tables.cells`.
        run: the run's record.
        pairs: the result of `compare.pairwise`, if there are draws to compare.
        robustness: scores under corruptions, by task.
        verdicts: the result of `claims.check_all`.
    """
    ranked, others = tables.standings(table, run), tables.standings(table, run, main=False)
    probes = list(dict.fromkeys(standing.probe for standing in ranked))
    return _template().render(
        run=run,
        panels=_panels(ranked, others, probes, lambda s: order_of(scores, table, run, s.fraction, s.probe)),
        duels=_duels(pairs, probes[0]),
        robustness=robustness,
        verdicts=verdicts,
        explanation=claims.EXPLANATION,
        probes=probes,
        fractions=sorted({standing.fraction for standing in ranked}),
        leaders=[(standing, _leaders(standing)) for standing in ranked if standing.probe == probes[0]],
        figures=_figures(table, ranked[0]),
        palette=figures.PALETTE,
        entries=list(dict.fromkeys(row.entry for row in ranked[0].rows)),
        missing=int((table["main"] & (table["status"] == "missing")).sum()),
        planned=int(table["main"].sum()),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"percent": percent, "plain": _plain, "number": _number, "digest": _digest}
    return environment.get_template("page.html.j2")


def _duels(pairs: pd.DataFrame | None, probe: str) -> list[tuple[str, list[Matrix]]]:
    """The win matrices of each task, by fraction."""
    found = [] if pairs is None else matrices(pairs, probe)
    return [(task, [m for m in found if m.task == task]) for task in dict.fromkeys(m.task for m in found)]


def _panels(
    ranked: Sequence[Standing],
    others: Sequence[Standing],
    probes: list[str],
    order: Callable[[Standing], Order],
) -> list[Panel]:
    fractions = sorted({standing.fraction for standing in ranked})
    return [
        Panel(f"{probes.index(main.probe)}-{fractions.index(main.fraction)}", main, rest, order(main))
        for main, rest in zip(ranked, others, strict=True)
    ]


def _leaders(standing: Standing) -> list[Row]:
    """The rows with the best mean rank; none if no strategy is complete."""
    ranks = [row.mean_rank for row in standing.rows if row.mean_rank is not None]
    return [row for row in standing.rows if ranks and row.mean_rank == min(ranks)]


def _figures(table: pd.DataFrame, standing: Standing) -> list[figures.Figure]:
    return [
        figures.label_efficiency(table, column, standing.probe, f"f{i}") for i, column in enumerate(standing.columns)
    ]


def _plain(value: Any) -> str:
    """A setting's value as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separated; a dash where there is none."""
    return "—" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _digest(script: Markup) -> str:
    """The script's hash for the Content-Security-Policy, under which no other script runs."""
    return base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()
