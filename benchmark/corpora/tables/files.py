"""The audio files of a table: found by their names in either form of Unicode, and measured by their headers alone."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.layout import SOUND, UNDECODABLE, shown
from benchmark.corpora.tables.cells import Findings, composed
from benchmark.interfaces import Finding, many

if TYPE_CHECKING:
    import pandas as pd

#: by how much an excerpt may reach beyond a file's end: durations are written with one decimal or two
TOLERANCE = 0.05
#: a header that promises more than a year says nothing: streams have no length
_ENDLESS = 3e7


def sounds_in(folder: Path, found: Findings) -> list[str]:
    """Paths of the sound below a folder, sorted.

    Args:
        found: takes those whose names are no text: no table could hold them.
    """
    every = [(path, PurePosixPath(path).suffix.lower()) for path in shown(folder)]
    paths = sorted(path for path, ending in every if ending in SOUND)
    mute = sorted(path for path, ending in every if ending in UNDECODABLE)
    if mute:
        skipped = f"{many(len(mute), 'sound')} skipped, in formats that are not read here"
        found.warn(f"{skipped}: {', '.join(mute[:3])}{', ...' if len(mute) > 3 else ''}; convert them")
    odd = [path for path in paths if not _is_text(path)]
    if odd:
        first = os.fsencode(odd[0]).decode(errors="backslashreplace")
        found.warn(f"{len(odd)} of {len(paths)} files have names that are not in UTF-8, and are skipped: {first}, ...")
    return [path for path in paths if _is_text(path)] if odd else paths


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, as Python carries them
        return False
    return True


def on_disk(home: Path, path: str) -> str:
    """Where a file lies whose name the disk may hold in Unicode's other form; `home/path` if there is none such."""
    literal = f"{home}/{path}"
    if path.isascii() or os.path.exists(literal):
        return literal
    here = str(home)
    for part in PurePosixPath(path).parts:
        here = f"{here}/{_names(here, _changed(here)).get(composed(part), part)}"
    return here


@lru_cache(maxsize=1000)
def _names(folder: str, changed: int) -> dict[str, str]:
    """What a folder holds, by composed name."""
    return {composed(name): name for name in os.listdir(folder)} if changed else {}


def _changed(folder: str) -> int:
    """When a folder was changed; 0 if it is none."""
    try:
        return os.stat(folder).st_mtime_ns if os.path.isdir(folder) else 0
    except OSError:
        return 0


@dataclass(frozen=True)
class Lengths:
    """What headers say of a table's files.

    Attributes:
        seconds: of each track (of an excerpt, its own); infinite where the header does not say, NaN where it cannot be
            read.
        unreadable: of how many tracks no header can be read.
    """

    seconds: list[float]
    unreadable: int
    warnings: list[Finding]
    errors: list[Finding]

    @classmethod
    def of(cls, home: Path, tracks: pd.DataFrame, lines: Sequence[int]) -> Lengths:
        """Read the header of each file."""
        found = Findings()
        files = {path: _header(on_disk(home, path)) for path in tracks["path"].unique()}
        starts = tracks["start"] if "start" in tracks else [0.0] * len(tracks)
        wanted = tracks["seconds"] if "seconds" in tracks else [math.nan] * len(tracks)
        seconds: list[float] = []
        silent: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for path, start, length, line in zip(tracks["path"], starts, wanted, lines, strict=True):
            whole = files[path]
            if isinstance(whole, str):
                silent[whole].append((path, line))
                seconds.append(math.nan)
            else:
                _check_excerpt(path, whole, start, length, line, found)
                seconds.append(max(0.0, min(whole - start, math.inf if math.isnan(length) else length)))
        for reason, those in silent.items():
            paths = list(dict.fromkeys(path for path, _ in those))
            listed = ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
            listed += "; folders are separated by '/', not '\\'" if any("\\" in path for path in paths) else ""
            found.warn(f"{len(paths)} of {len(files)} files {reason}: {listed}", *(line for _, line in those))
        return cls(seconds, sum(map(len, silent.values())), found.warnings, found.errors)

    @property
    def total(self) -> float:
        """All seconds that are known."""
        return math.fsum(length for length in self.seconds if math.isfinite(length))


def _header(file: str) -> float | str:
    """How long a file lasts, in seconds; or what it does instead."""
    import soundfile

    if not os.path.isfile(file):
        return "are not there"
    try:
        with open(file, "rb"):  # libsndfile does not tell a file without rights from a broken one
            length: float = soundfile.info(file).duration
    except PermissionError:
        return "may not be read by this user"
    except (OSError, soundfile.SoundFileError):
        return "cannot be read"
    if not length:
        return "hold no sound"
    return length if length < _ENDLESS else math.inf


def _check_excerpt(path: str, whole: float, start: float, length: float, line: int, found: Findings) -> None:
    if start >= whole:
        found.fail(f"start {start:g} lies beyond the end of {path}, which lasts {whole:g} s", line)
    elif start + length > whole + TOLERANCE:
        end = start + length
        found.fail(f"the excerpt from {start:g} to {end:g} s reaches beyond the end of {path}, at {whole:g} s", line)
