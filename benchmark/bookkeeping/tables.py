"""The tables of a results folder, and how a reader knows that they are what was written: by checksums in `run.json`.

A run writes first which tables are to be accepted, the new ones beside those that are there, and then the tables: a
kill in between leaves old tables that are still accepted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.files import patiently, read_json, replacing
from benchmark.interfaces import UserError

RECORD = "run.json"
NAMES = ("scores.parquet", "draws.parquet")
#: draws hardly repeat, but their bytes do: a fifth less space
SPLIT = {"draws.list.element": "BYTE_STREAM_SPLIT"}
#: nor do scores: a dictionary of them takes room, and saves none
NUMBERS = ("draws", "value", "test_stderr", "val_score")


def write_tables(tables: dict[str, pd.DataFrame], out: Path, record: dict[str, Any] | None = None) -> None:
    """Write tables by name, and before they appear the run's record with their checksums.

    Args:
        record: what `run.json` is to say; None for tables that no run has made.
    """
    with contextlib.ExitStack() as stack:
        drafts = {name: stack.enter_context(replacing(out / name)) for name in tables}
        for name, draft in drafts.items():
            table = tables[name]
            table.to_parquet(
                draft,
                index=False,
                compression="zstd",
                compression_level=3,
                use_dictionary=[column for column in table if column not in NUMBERS],
                column_encoding=SPLIT if "draws" in table else None,
            )
        if record is not None:
            accepted = _accepted(out)
            sums = {name: [sha256(draft), *accepted.get(name, [])[:1]] for name, draft in drafts.items()}
            write_record({**record, "tables": sums}, out)


def write_record(record: dict[str, Any], out: Path) -> None:
    """Write `run.json`."""
    with replacing(out / RECORD) as draft:
        draft.write_text(json.dumps(record, indent=1), encoding="utf-8")


def check_tables(folder: Path) -> None:
    """Make sure that the tables are what a run wrote, where its record tells.

    Raises:
        UserError: one is not.
    """
    for name, sums in _accepted(folder).items():
        if (folder / name).is_file() and sha256(folder / name) not in sums:
            raise UserError(
                f"{folder / name}: has changed since it was written (checksum); run the same grid again with --out "
                f"{folder}, which makes it anew, or copy it again"
            )


def copy_tables(folder: Path, to: Path) -> None:
    """Copy what the leaderboard is made from to another folder."""
    to.mkdir(parents=True, exist_ok=True)
    for name in (*NAMES, RECORD):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)


def sha256(path: Path) -> str:
    """Of a whole file."""
    return hashlib.sha256(patiently(Path.read_bytes, path)).hexdigest()


def _accepted(folder: Path) -> dict[str, list[str]]:
    """The checksums that each table may have; empty where no record says any."""
    record = read_json(folder / RECORD)
    said = record.get("tables") if isinstance(record, dict) else None
    found = said if isinstance(said, dict) else {}
    return {name: list(map(str, found[name])) for name in NAMES if isinstance(found.get(name), list)}
