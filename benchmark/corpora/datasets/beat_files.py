"""Beat annotations in text files, as several data sets have them."""

from __future__ import annotations

from pathlib import Path

from benchmark.corpora.datasets.layout import naming


def read_beats(path: Path) -> tuple[list[float] | None, list[float] | None]:
    """Read lines of `time` and perhaps `position in the bar`, between spaces or tabs; blank lines are ignored.

    Returns:
        Times of all beats, and of those at position 1, in seconds; None in place of an empty list.

    Raises:
        ValueError: a line holds something else.
    """
    with naming(path):
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
        beats = sorted(float(fields[0]) for fields in lines)
        downbeats = sorted(float(fields[0]) for fields in lines if len(fields) > 1 and float(fields[1]) == 1)
    return beats or None, downbeats or None


def read_bpm(path: Path) -> float:
    """Read a file that holds one number.

    Raises:
        ValueError: it does not.
    """
    with naming(path):
        return float(path.read_text())
