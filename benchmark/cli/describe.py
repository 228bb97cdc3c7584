"""`data describe`: what was understood of somebody's own data, before anything runs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark import registry
from benchmark.interfaces import Finding, UserError

if TYPE_CHECKING:
    from benchmark.corpora.tables.labels import Label
    from benchmark.corpora.tables.table import Table


def describe(
    what: Annotated[str, typer.Argument(help="A table of your audio (CSV), or the folder that holds it.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what was understood; exit code 1 if a run would fail, 2 if it cannot be read."""
    path = table_at(what)
    if path is None:
        registry.corpora.describe(what)
        raise UserError(f"{what} is no table of yours: 'data list' and 'data check {what}' say what there is of it")
    from benchmark.corpora.tables.table import read_table

    told = told_of(read_table(path))
    typer.echo(json.dumps(told, indent=1, ensure_ascii=False) if as_json else "\n".join(_lines(path, told)))
    raise typer.Exit(1 if told["errors"] else 0)


def table_at(what: str) -> Path | None:
    """The table that is meant by a path, or by its folder; None if it is a corpus's name.

    Raises:
        UserError: the folder holds none, or several.
    """
    path = Path(what)
    if path.is_dir() and what not in registry.corpora.names():
        found = sorted(one for one in path.glob("*.csv") if not one.name.startswith("."))
        if len(found) != 1:
            names = ", ".join(one.name for one in found) or "none"
            raise UserError(f"{what}: say which table is meant; there is {names}")
        return found[0]
    return path if path.is_file() or path.suffix or os.sep in what else None


def told_of(table: Table) -> dict[str, Any]:
    """What was understood of a table and its audio, for scripts."""
    tracks, sound = table.tracks, table.sound
    errors = [*table.errors, *sound.errors, *_too_few(table)]
    warnings = [*table.warnings, *sound.warnings]
    counts = {split: int((tracks["split"] == split).sum()) for split in ("train", "val", "test")}
    return {
        "tracks": len(tracks),
        "splits": counts,
        "groups": int(tracks["group"].nunique()),
        "seconds": round(sound.total, 3),
        "labels": {label.column.header: _label(table, label) for label in table.labels},
        "warnings": _findings(warnings),
        "errors": _findings(errors),
    }


def _too_few(table: Table) -> list[Finding]:
    """What leaves a run without tracks: labels, or files that can be read."""
    from benchmark.scheduler.jobs import ALLOWED_UNREADABLE

    found = [finding for label in table.labels for finding in table.unusable(label)]
    if table.sound.unreadable > ALLOWED_UNREADABLE * len(table.tracks):
        share = f"{table.sound.unreadable} of {len(table.tracks)} tracks have no audio that can be read"
        found.append(Finding(f"{share}, more than a run takes without --allow-missing"))
    return found


def _label(table: Table, label: Label) -> dict[str, Any]:
    return {"task": label.column.task, "kind": label.column.kind, "classes": table.counts(label)}


def _findings(found: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{"what": one.what, "rows": list(one.rows)} for one in dict.fromkeys(found)]


def _lines(path: Path, told: dict[str, Any]) -> list[str]:
    """The same for people."""
    minutes, seconds = divmod(round(told["seconds"]), 60)
    splits = ", ".join(f"{name} {count}" for name, count in told["splits"].items())
    lines = [f"{path}: {told['tracks']} tracks ({splits}) of {told['groups']} groups, {minutes} min {seconds} s"]
    for header, label in told["labels"].items():
        count = f", {len(label['classes'])} classes" if label["kind"] != "number" else ""
        lines.append(f"\ncolumn {header!r} is the task {label['task']}, of kind {label['kind']}{count}")
        width = max(map(len, label["classes"]), default=0)
        for name, found in label["classes"].items():
            lines.append(f"  {name:<{width}}  " + "  ".join(f"{split} {n:>4}" for split, n in found.items()))
    for kind in ("warnings", "errors"):
        lines += [""] if told[kind] else []
        for one in told[kind]:
            finding = Finding(one["what"], tuple(one["rows"]))
            lines.append(f"{kind.removesuffix('s')}{finding.where}: {finding.what}")
    return lines
