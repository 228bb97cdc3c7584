"""What was found about a corpus's sound while it was decoded: a table of verdicts, beside its waveforms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmark.interfaces import Odd, Unreadable

#: rows `id`, `kind`, `what`, and whether the track is `heard` all the same
VERDICTS = "verdicts.json"
#: SHA-256 of the files that were decoded, by track, where there are such
FILES = "files.json"
#: tracks that a line names
_SHOWN = 3

Rows = Sequence[dict[str, Any]]


def rows_of(name: str, track: Any) -> list[dict[str, Any]]:
    """What there is to say about a track, as its corpus gave it."""
    if isinstance(track, Unreadable):
        return [{"id": name, "kind": track.kind, "what": track.reason, "heard": False}]
    odd = track.verdicts if isinstance(track, Odd) else ()
    return [{"id": name, "kind": verdict.kind, "what": verdict.what, "heard": True} for verdict in odd]


def write_verdicts(rows: Rows, folder: Path) -> None:
    """Keep rows in an artefact's folder."""
    (folder / VERDICTS).write_text(json.dumps(list(rows)))


def read_verdicts(folder: Path) -> list[dict[str, Any]]:
    """The rows in a folder; none where its waveforms are older than verdicts."""
    path = folder / VERDICTS
    return list(json.loads(path.read_text())) if path.is_file() else []


def heard_oddly(rows: Rows) -> dict[str, int]:
    """How many tracks are heard although something is odd about them, by kind."""
    kinds = [row["kind"] for row in rows if row["heard"]]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def kinds(rows: Rows) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A sentence per kind, with its rows: how many tracks, which, and what about the first."""
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["kind"], row["heard"]), []).append(row)
    for (kind, heard), those in found.items():
        names = ", ".join(str(row["id"]) for row in those[:_SHOWN]) + (", ..." if len(those) > _SHOWN else "")
        count = f"{len(those)} track{'s' if len(those) > 1 else ''}"
        yield f"{count} {kind}{'' if heard else ' and left out'}: {names} ({those[0]['what']})", those


def lines(rows: Rows, most: int | None = None) -> Iterator[str]:
    """A line per track, kind by kind, of each kind at most so many: `truncated: a.wav: 1.0 s of 3.0 s are there`."""
    for _, those in kinds(rows):
        for row in those[:most]:
            yield f"{row['kind']}: {row['id']}: {row['what']}{'' if row['heard'] else '; left out'}"
        if most is not None and len(those) > most:
            yield f"{those[0]['kind']}: {len(those) - most} more (--all lists them)"
