"""Scores without their readers: all works as note tables, for machines on which music21 and symusic are not installed.

A pack lies in the data folder, as `packed/rendered_scores/`. It stands in for what reading the scores yields, and for
no more: clips are drawn, arranged and rendered from it as from the scores, in any size, with the same labels and sound.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.interfaces import UserError

if TYPE_CHECKING:
    from benchmark.corpora.rendered.works.work import Work

#: the data folder, here and in workers: `--data-dir` sets it
DATA_FOLDER = "MIR_PRETEXT_DATA"
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
    from benchmark.corpora.rendered.works.note_tables import save_notes

    folder = _folder(data)
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
    import pandas as pd

    from benchmark.corpora.rendered.works.note_tables import load_notes

    folder, sealed = _folder(_data()), _record()["sha256"]
    damaged = [name for name in TABLES if _sha256(folder / name) != sealed[name]]
    if damaged:
        raise UserError(f"{folder}: {', '.join(damaged)} is not what was packed; copy the pack again")
    return list(load_notes(folder, set(pd.read_parquet(folder / "works.parquet", columns=["work"])["work"])).values())


def _record() -> dict[str, Any]:
    path = _folder(_data()) / RECORD
    if not path.is_file():
        raise UserError(
            f"the rendered scores are read by {' and '.join(READERS)}, which are not installed here, and there is no "
            f"{path.parent}: install them (pip install {' '.join(READERS)}), or where they are installed run "
            "'python -m benchmark data pack rendered_scores FOLDER', and give FOLDER here as --data-dir"
        )
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record


def _data() -> Path:
    return Path(os.environ.get(DATA_FOLDER, "."))


def _folder(data: Path) -> Path:
    return data / "packed" / "rendered_scores"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
