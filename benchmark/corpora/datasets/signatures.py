"""Which bytes a file holds, as far as its length and some of its blocks tell; and all of them, where that is asked for.

Blocks are read again where the file system says that a file was changed, and are remembered in the data folder
otherwise. So a plan costs a look at each file, a copy of a data set is the same data set, and a file that another one
of its length replaces is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmark.files import ABSENT, DATA_FOLDER, patiently, read_json, replacing

#: bytes of a block, and how many there are, from a file's first to its last
BLOCK, BLOCKS = 4096, 5
#: files that are read at once: most of the time goes by waiting for the disk
_AT_ONCE = 16

#: length, times of change and number of a file; then its signature
Entry = list[int | str]


def sign(paths: Sequence[str], name: str) -> list[str | None]:
    """What tells each file from others, None where there is no file.

    Args:
        paths: files; several may be the same.
        name: of what is remembered of them.

    Raises:
        OSError: a file cannot be read, which says nothing about it.
    """
    known = _remembered(name)
    files = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        entries = dict(zip(files, pool.map(lambda path: _entry(path, known.get(path)), files), strict=True))
    found = {path: entry for path, entry in entries.items() if entry}
    if found != known:
        _remember(name, found)
    return [str(entry[-1]) if (entry := entries[path]) else None for path in paths]


def mark_changed(paths: Sequence[str], name: str) -> None:
    """Tell files whose blocks are as they were by all that they hold."""
    known = _remembered(name)
    for path in paths:
        known[path] = [*_state(path), sha256(path) or ""]
    _remember(name, known)


def sha256(path: str) -> str | None:
    """Of all bytes of a file; None if it is not there."""
    try:
        return patiently(_digest, Path(path))
    except ABSENT:
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(path: str, known: Entry | None) -> Entry | None:
    try:
        state = patiently(lambda file: _state(str(file)), Path(path))
        return known if isinstance(known, list) and known[:-1] == state else [*state, patiently(_blocks, Path(path))]
    except ABSENT:
        return None


def _state(path: str) -> Entry:
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _blocks(path: Path) -> str:
    digest, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        for i in range(BLOCKS):
            file.seek(max(0, size - BLOCK) * i // (BLOCKS - 1))
            digest.update(file.read(BLOCK))
    return f"{size}-{digest.hexdigest()[:32]}"


def _remembered(name: str) -> dict[str, Entry]:
    path = _file(name)
    found = read_json(path) if path else None
    return found if isinstance(found, dict) else {}


def _remember(name: str, entries: dict[str, Entry]) -> None:
    if path := _file(name):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as draft:
                draft.write_text(json.dumps(entries))
        except OSError:  # a full disk, or a read-only one: the next plan reads the blocks again
            return


def _file(name: str) -> Path | None:
    if DATA_FOLDER not in os.environ:
        return None
    return Path(os.environ[DATA_FOLDER]) / "signatures" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
