"""For a paper: every table as CSV and LaTeX (booktabs), every drawing as SVG and PDF; the answer as Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmark.files import replacing
from benchmark.leaderboard.claims import claim
from benchmark.leaderboard.drawing import draw
from benchmark.leaderboard.drawing.draw import Drawing
from benchmark.leaderboard.drawing.typeset import Table, escape, latex, plain
from benchmark.leaderboard.page import answers, heard
from benchmark.leaderboard.page.report import Report, gather
from benchmark.leaderboard.record import Run, percent
from benchmark.leaderboard.statistics.matrix import Field, Matrix
from benchmark.leaderboard.statistics.robustness import Robustness
from benchmark.leaderboard.statistics.tables import Column, Row, Score, Standing, names_of

#: files that belong to the exporter: those of an earlier export are deleted
KINDS: tuple[Literal["svg", "pdf"], ...] = ("svg", "pdf")
OWN = ["tables/*.csv", "tables/*.tex", "figures/*.svg", "figures/*.pdf"]


def build(folder: Path) -> Path:
    """Export what the page of a run shows.

    Args:
        folder: a run's output: `scores.parquet`, and `run.json` if there is one.

    Returns:
        `folder/export`.

    Raises:
        UserError: the scores are absent or unusable.
    """
    return write(folder, gather(folder))


def write(folder: Path, report: Report) -> Path:
    """Write what `report` holds below `folder/export`; see `build`."""
    shown = [
        *(scores_table(panel.levels, "levels") for panel in report.panels),
        *(scores_table(panel.main, "scores") for panel in report.panels),
        *(scores_table(panel.others, "other_metrics") for panel in report.panels),
        *(matrix_table(duel, "pairs_level") for panel in report.panels for duel in panel.duels),
        *(matrix_table(duel, "pairs") for task in report.tasks for duel in task.duels),
        *(robustness_table(damage) for task in report.tasks for damage in task.robustness),
        claims_table(claim.frame(report.verdicts)),
        plain("claims_by_budget", "Verdicts after other budgets", claim.frame_after(report.verdicts_after)),
        plain("labels_saved", "Labeled tracks that a reference needs for a row's score", report.saved),
        plain("heard", "What each row heard, over its trainings", heard.frame(report.heard)),
        plain("pretraining", "Pre-trained checkpoints", _checkpoints(report.run)),
    ]
    out = write_files(folder, shown, report.drawings)
    with replacing(out / answers.FILE) as draft:
        draft.write_text(answers.markdown(report), encoding="utf-8", newline="\n")
    return out


def _checkpoints(run: Run) -> pd.DataFrame:
    """All that is recorded of any of them."""
    return pd.DataFrame(job.model_dump() for job in run.pretraining).dropna(axis=1, how="all")


def write_files(folder: Path, tables: Iterable[Table], drawings: Sequence[Drawing]) -> Path:
    """Write `folder/export/tables` and `folder/export/figures`; what an earlier export left there is deleted.

    Args:
        folder: a run's output.
        tables: those without a row are left out; those behind the drawings are added.
        drawings: the page's drawings.

    Returns:
        `folder/export`.
    """
    out, written = folder / "export", set()
    for name in ("tables", "figures"):
        (out / name).mkdir(parents=True, exist_ok=True)
    behind = [plain(drawing.id, drawing.title, drawing.table) for drawing in drawings]
    for table in (table for table in [*tables, *behind] if len(table.frame)):
        path = out / "tables" / f"{table.id}.csv"
        with replacing(path) as draft:
            table.frame.to_csv(draft, index=False, lineterminator="\n", encoding="utf-8")
        with replacing(path.with_suffix(".tex")) as draft:
            draft.write_text(latex(table), encoding="utf-8", errors="replace", newline="\n")
        written |= {path, path.with_suffix(".tex")}
    for drawing in drawings:
        for kind in KINDS:
            path = out / "figures" / f"{drawing.id}.{kind}"
            with replacing(path) as draft:
                draw.save(drawing, draft, kind)
            written.add(path)
    for stale in {path for pattern in OWN for path in out.glob(pattern)} - written:
        stale.unlink()
    return out


#: what the tables of scores hold, and how it is marked
TITLES = {
    "levels": "Scores by level",
    "scores": "Main metric of each task",
    "other_metrics": "Other metrics, not ranked",
}
MARKS = (
    " Bold: best pretext task; ≈: not told apart from it (pair test on the same test items, 5%, Holm unless it beats "
    "every single one), where the reliability G is .5 or more; Δ: the difference that one comparison finds in 80%; "
    "†: one seed, which is not compared; ‡: trained on these labels."
)


def scores_table(standing: Standing, kind: str) -> Table:
    """A table of scores at one fraction under one probe, of one of the `TITLES`: best in bold, ties marked."""
    names, ranked = names_of([row.entry for row in standing.rows]), kind != "other_metrics"
    title = (
        f"{TITLES[kind]}, {standing.percent} of the labels, {standing.probe} probe: mean ± 95% interval, runs per "
        f"score: {standing.runs}.{MARKS * ranked}"
    )
    records = [_record(row, standing.columns) for row in standing.rows] if standing.columns else []
    head = ["strategy", *(_head(column, ranked) for column in standing.columns)]
    rows = [[escape(names[row.entry]), *map(_score, row.scores)] for row in standing.rows]
    return Table(_ident(kind, standing), title, pd.DataFrame(records), head, rows, "l" + "r" * (len(head) - 1))


def _ident(kind: str, shown: Standing | Matrix) -> str:
    return draw.slug(f"{kind}_{shown.probe}_{_safe(shown.fraction)}")


def _record(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    record: dict[str, Any] = row.entry._asdict()
    for column, score in zip(columns, row.scores, strict=True):
        name = f"{column.task}: {column.metric}"
        record |= {name: score.mean, f"± {name}": score.half, f"mark {name}": score.mark, f"runs {name}": score.runs}
    return record


def _head(column: Column, ranked: bool) -> str:
    arrow = "" if not ranked else r" $\uparrow$" if column.higher_is_better else r" $\downarrow$"
    return f"{escape(column.task)}\n{escape(column.metric)}{arrow}" + (f"\n{_power(column)}" if ranked else "")


def _power(column: Column) -> str:
    # rounded down, so that what is below .5, and gives no verdict, never reads .50
    known = [("G", np.floor(100 * column.reliability) / 100), (r"$\Delta$", column.detectable)]
    return ", ".join(f"{sign} {number:.2f}" for sign, number in known if np.isfinite(number))


def _score(score: Score) -> str:
    if score.mark == "missing":
        return "--"
    mean, half = score.texts
    shown = rf"\textbf{{{mean}}}" if score.mark == "best" else mean
    signs = [r"\approx"] * (score.mark == "tied") + [r"\dagger"] * score.lone + [r"\ddagger"] * score.heard
    return rf"{shown} $\pm$ {half}" + (f"$^{{{' '.join(signs)}}}$" if signs else "")


def matrix_table(matrix: Matrix, kind: str) -> Table:
    """Every pair on one task or level: the row's score minus the column's; bold where told apart."""
    of = names_of(matrix.entries)
    names = [of[entry] for entry in matrix.entries]
    values = [[field.difference for field in fields] for fields in matrix.fields]
    frame = pd.DataFrame(values, columns=names)
    frame.insert(0, "row minus column", names, allow_duplicates=True)
    rows = [[escape(name), *map(_field, fields)] for name, fields in zip(names, matrix.fields, strict=True)]
    title = (
        f"{matrix.task}, {percent(matrix.fraction)} of the labels, {matrix.probe} probe: the row's score minus the "
        "column's. Bold: different after Holm's correction over this table."
    )
    ident = draw.slug(f"{kind}_{matrix.task}_{matrix.probe}_{_safe(matrix.fraction)}")
    head = ["row minus column", *map(escape, names)]
    return Table(ident, title, frame, head, rows, "l" + "r" * len(names))


def _field(field: Field) -> str:
    if not np.isfinite(field.difference):
        return "" if field.wins == "itself" else "--"
    shown = f"${field.difference:+.2f}$"
    return rf"\boldmath\textbf{{{shown}}}" if field.wins in ("first", "second") else shown


def robustness_table(shown: Robustness) -> Table:
    """One task's scores under corruptions, by severity."""
    names = names_of([row.entry for row in shown.rows])
    conditions = [f"{name} {severity}" for name, severities in shown.corruptions for severity in severities]
    frame = pd.DataFrame(
        {"strategy": names[row.entry], "clean": row.clean}
        | dict(zip(conditions, itertools.chain(*row.corrupted), strict=True))
        for row in shown.rows
    )
    title = (
        f"{shown.task} under corruptions: {shown.metric} at {percent(shown.fraction)} of the labels, {shown.probe} "
        "probe; the number behind each corruption is its severity"
    )
    return plain(draw.slug(f"robustness_{shown.task}"), title, frame)


def claims_table(frame: pd.DataFrame) -> Table:
    """Published findings, tested again; sentences are in the CSV only."""
    short = plain("claims", "Published findings, tested again", frame[["claim", "verdict", "effect", "low", "high"]])
    return replace(short, frame=frame)


def _safe(fraction: float) -> str:
    return percent(fraction).replace("%", "pct").replace(".", "p")
