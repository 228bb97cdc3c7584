"""The tracks of a table: which file, which excerpt of it, of which group, in which split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark.corpora.datasets.dataset import SPLITS
from benchmark.corpora.tables.cells import Findings, Row
from benchmark.corpora.tables.labels import note_absent, note_alike, number

#: bytes of a name that disks take, and letters that a message shows of a longer one
_LONGEST_NAME, _SHOWN = 255, 40
#: other words for a split
_MEANS = {"valid": "val", "validation": "val", "dev": "val", "training": "train", "testing": "test"}
SPLIT_WORDS = {*SPLITS, *_MEANS}

Places = Mapping[str, int]


def read_tracks(own: Places, rows: Sequence[Row], found: Findings) -> tuple[list[dict[str, Any]], list[Row]]:
    """A record per row that names a track, with `id`, `path`, `group`, `split`, `start` and `seconds`; and those rows.

    Where the table says nothing of it, a file is its own group, `split` is None, an excerpt starts at 0 and has no
    length of its own. Excerpts of a file have ids of their own.
    """
    kept = [(track, row) for row in rows if (track := _track(own, row, found)) is not None]
    if "group" in own:
        at = own["group"]
        written = [(row.line, row.written[at]) for _, row in kept if row.cell(at)]
        note_alike("group", written, "groups", found)
        note_absent("group", written, "a group", found)
    lines: dict[str, list[int]] = defaultdict(list)
    for track, row in kept:
        lines[track["id"]].append(row.line)
    for name, twice in lines.items():
        if len(twice) > 1:
            found.fail(f"{name} is listed {len(twice)} times", *twice)
    first = [(track, row) for track, row in kept if row.line == lines[track["id"]][0]]
    return [track for track, _ in first], [row for _, row in first]


def _track(own: Places, row: Row, found: Findings) -> dict[str, Any] | None:
    """A row's record; None if something is wrong with it."""
    path, before = row.cell(own["path"]), found.failures
    if not path:
        found.fail("there is no path", row.line)
    elif Path(path).is_absolute() or ".." in Path(path).parts:
        found.fail("the path is absolute, or leads out of the table's folder: write it as seen from there", row.line)
    elif "\0" in path or any(len(part.encode()) > _LONGEST_NAME for part in Path(path).parts):
        found.fail(f"path {path[:_SHOWN]!r} ... is no name that a disk could hold", row.line)
    excerpt = [number(row.cell(own.get(column)), column, row.line, found) for column in ("start", "seconds")]
    start, seconds = excerpt[0] or 0.0, excerpt[1]
    if start < 0:
        found.fail(f"start {start:g} lies before the file", row.line)
    if seconds is not None and seconds <= 0:
        found.fail(f"seconds {seconds:g} is no length of an excerpt", row.line)
    split = _split(row.cell(own["split"]), row.line, found) if "split" in own else None
    if found.failures > before:
        return None
    path = str(PurePosixPath(path))
    name = path + (f"@{start:.12g}" if start or seconds else "") + (f"+{seconds:.12g}" if seconds else "")
    group = row.cell(own.get("group")) or path
    return {"id": name, "path": path, "group": group, "split": split, "start": start, "seconds": seconds}


def _split(cell: str, line: int, found: Findings) -> str:
    split = cell.casefold()
    split = _MEANS.get(split, split)
    if split not in SPLITS:
        found.fail(f"split {cell!r} is none of {', '.join(SPLITS)}", line)
    return split
