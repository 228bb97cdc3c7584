"""Scores without their readers: all works as note tables, for machines on which music21 and symusic are not installed.

A pack lies in the data folder, as `packed/rendered_scores/`. It stands in for what reading the scores yields, and for
no more: clips are drawn, arranged and rendered from it as from the scores, in any size, with the same labels and sound.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.files import DATA_FOLDER, read_json
from benchmark.interfaces import UserError

if TYPE_CHECKING:
    from benchmark.corpora.rendered.works.work import Work

READERS = ("music21", "symusic")
RECORD = "pack.json"
TABLES = ("notes.parquet", "works.parquet")


def pack(works: Sequence[Work], data: Path, reader: int) -> Path:
    """Write `works` and what read them into the data folder `data`, in place of an earlier pack.

    Args:
        works: all that there are, in their order.
        data: made if need be.
        reader: version of the corpus.

    Returns:
        The pack's folder.
    """
    return _write(works, _folder(data), reader)


def keep(works: Sequence[Work], reader: int) -> None:
    """Keep what was read in the data folder, if there is one and room in it: reading takes most of a catalog's time."""
    if DATA_FOLDER in os.environ and not _is_kept(reader):
        with contextlib.suppress(OSError):
            _write(works, _kept(reader), reader)


def kept_works(reader: int) -> list[Work] | None:
    """What these versions of the readers have read before; None if it was not kept, or is not what was written."""
    if DATA_FOLDER in os.environ and _is_kept(reader):
        with contextlib.suppress(OSError):  # somebody else has just found it damaged
            return _read(_kept(reader))
    return None


def _is_kept(reader: int) -> bool:
    record = read_json(_kept(reader) / RECORD)
    return bool(record) and not _damaged(_kept(reader), record)


def is_needed() -> bool:
    """Whether scores cannot be read here."""
    try:
        return not all(version(name) for name in READERS)
    except PackageNotFoundError:
        return True


def reader_versions(reader: int) -> dict[str, str]:
    """Versions of what reads the scores: as installed here, else as they were where the pack was made.

    Raises:
        UserError: there is neither, or the pack is by another version of the corpus.
    """
    if not is_needed():
        return {name: version(name) for name in READERS}
    record = _record()
    if record["reader"] != reader:
        raise UserError(
            f"{_folder(_data())}: packed for version {record['reader']} of the rendered scores, this is {reader}; "
            f"pack them again, with this version of Pretext ('data pack')"
        )
    versions: dict[str, str] = record["versions"]
    return versions


def packed_works() -> list[Work]:
    """All works of the pack in the data folder, in the order in which they were read.

    Raises:
        UserError: there is none, or it is damaged.
    """
    folder = _folder(_data())
    damaged = _damaged(folder, _record())
    if damaged:
        raise UserError(f"{folder}: {', '.join(damaged)} is not what was packed; copy the pack again")
    return _read(folder)


def _write(works: Sequence[Work], folder: Path, reader: int) -> Path:
    from benchmark.corpora.rendered.works.note_tables import save_notes

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        draft = Path(made) / folder.name
        draft.mkdir()
        save_notes(list(works), draft)
        record = {
            "reader": reader,
            "versions": {name: version(name) for name in READERS},
            "sha256": {name: _sha256(draft / name) for name in TABLES},
        }
        (draft / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return folder


def _read(folder: Path) -> list[Work]:
    from benchmark.corpora.rendered.works.note_tables import load_notes

    return list(load_notes(folder).values())


def _damaged(folder: Path, record: dict[str, Any]) -> list[str]:
    """The tables that are not as the record says, or not there."""
    paths, sums = {name: folder / name for name in TABLES}, record.get("sha256", {})
    return [name for name, path in paths.items() if not path.is_file() or _sha256(path) != sums.get(name)]


def _record() -> dict[str, Any]:
    path = _folder(_data()) / RECORD
    if not path.is_file():
        raise UserError(
            f"the rendered scores are read by {' and '.join(READERS)}, which are not installed here, and there is no "
            f"{path.parent}: install them (pip install {' '.join(READERS)}), or where they are installed run "
            "'python -m benchmark data pack rendered_scores FOLDER', and give FOLDER here as --data-dir"
        )
    record = read_json(path)
    if not isinstance(record, dict) or not {"reader", "versions", "sha256"} <= record.keys():
        raise UserError(f"{path} is damaged: copy the pack again")
    return record


def _data() -> Path:
    return Path(os.environ.get(DATA_FOLDER, "."))


def _folder(data: Path) -> Path:
    return data / "packed" / "rendered_scores"


def _kept(reader: int) -> Path:
    return _data() / "packed" / "-".join(["read", str(reader), *(version(name) for name in READERS)])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
