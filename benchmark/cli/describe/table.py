"""What `data describe` says of a table: for scripts, and for people."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import registry
from benchmark.interfaces import Finding, many

if TYPE_CHECKING:
    from benchmark.corpora.tables.labels import Label
    from benchmark.corpora.tables.table import Table


def told_of(table: Table, headers: bool = False) -> dict[str, Any]:
    """What was understood of a table and its audio, for scripts.

    Args:
        table: the table.
        headers: whether its files' headers are all that is read of them.
    """
    tracks, sound = table.tracks, table.sound
    unusable = {label.column.header: table.unusable(label) for label in table.labels}
    taken = [Finding(f"a corpus of this package is called {table.corpus!r}: rename the folder")]
    named = taken if table.corpus in registry.corpora.names() else []
    errors = [*table.errors, *named, *sound.errors, *itertools.chain(*unusable.values()), *table.unreadable()]
    odd = [finding for label in table.labels if not unusable[label.column.header] for finding in table.odd(label)]
    warnings = [*table.warnings, *sound.warnings, *odd]
    if not headers:
        from benchmark.corpora.datasets.dataset import DataSet
        from benchmark.corpora.tables.listen import listen

        warnings += listen(table, DataSet.sample_rate)
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


def _label(table: Table, label: Label) -> dict[str, Any]:
    return {"task": label.column.task, "kind": label.column.kind, "classes": table.counts(label)}


def _findings(found: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{"what": one.what, "rows": list(one.rows)} for one in dict.fromkeys(found)]


def lines_of(path: Path, told: dict[str, Any]) -> list[str]:
    """The same for people."""
    minutes, seconds = divmod(round(told["seconds"]), 60)
    splits = ", ".join(f"{name} {count}" for name, count in told["splits"].items())
    tracks, groups = many(told["tracks"], "track"), many(told["groups"], "group")
    lines = [f"{path}: {tracks} ({splits}) of {groups}, {minutes} min {seconds} s"]
    for header, label in told["labels"].items():
        count = f", {many(len(label['classes']), 'class', 'classes')}" if label["kind"] != "number" else ""
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
