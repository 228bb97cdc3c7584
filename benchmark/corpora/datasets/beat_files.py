"""Beat annotations in text files, as several data sets have them."""

from __future__ import annotations

import math
from pathlib import Path

from benchmark.corpora.datasets.layout import moment, naming


def read_beats(path: Path) -> tuple[list[float] | None, list[float] | None]:
    """Read lines of `time` and perhaps `position in the bar`, between spaces or tabs; blank lines are ignored.

    Returns:
        Times of all beats, and of those at position 1, in seconds; None in place of an empty list.

    Raises:
        ValueError: a line holds something else.
    """
    with naming(path):
        found = sorted(_beat(line) for line in path.read_text().splitlines() if line.strip())
    return [time for time, _ in found] or None, [time for time, first in found if first] or None


def _beat(line: str) -> tuple[float, bool]:
    """When a beat is, and whether it is at position 1."""
    time, *position = line.split()
    try:
        return moment(float(time)), bool(position) and float(position[0]) == 1
    except ValueError as error:
        raise ValueError(f"{line!r} is not a time and perhaps a position: {error}") from error


def read_bpm(path: Path) -> float:
    """Read a file that holds one number, NaN where nobody knows.

    Raises:
        ValueError: it does not.
    """
    with naming(path):
        bpm = float(path.read_text())
        if math.isinf(bpm):
            raise ValueError(f"{bpm} is no tempo")
    return bpm
