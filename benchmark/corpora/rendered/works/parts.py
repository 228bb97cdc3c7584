"""What readers of part music share: notes of several parts, with ties joined, and the works that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.corpora.rendered.works.work import METRES

#: quarters after which a work is cut: its first minutes suffice for clips of 8 s, and packs stay small
LONGEST = 384.0
#: share of the barlines that may lie off the grid of the metre: at repeats, the second half of a bar that is cut there
_OFF_GRID = 0.25
_NOTE = np.dtype([("part", np.int64), ("onset", np.float64), ("duration", np.float64), ("pitch", np.int64)])


@dataclass(frozen=True)
class Sung:
    """A note of a part; `joins`: it is tied to the one before."""

    onset: float
    duration: float
    pitch: int
    joins: bool = False


def note_table(parts: Sequence[Sequence[Sung]]) -> pd.DataFrame:
    """The notes of parts, the top one first, as works have them."""
    rows: list[tuple[int, float, float, int]] = []
    for i, part in enumerate(parts):
        for note in part:
            if note.joins and rows and rows[-1][0] == i and rows[-1][3] == note.pitch:
                rows[-1] = (i, rows[-1][1], rows[-1][2] + note.duration, note.pitch)
            elif note.duration > 0:
                rows.append((i, note.onset, note.duration, note.pitch))
    kept = np.array([row for row in rows if row[1] < LONGEST], dtype=_NOTE)
    return pd.DataFrame({name: kept[name] for name in _NOTE.names or ()})


def first_downbeat(bars: Sequence[float], signature: tuple[int, int]) -> float | None:
    """Where the first full bar begins, from where all of them do; None if they do not keep the metre.

    A bar that a repeat cuts in two has a barline within; an anacrusis makes the first bar a short one.
    """
    _, beat, beats = METRES[signature]
    bar = beat * beats
    lines = np.array([start for start in bars if start < LONGEST])
    if len(lines) < 3:
        return None
    first = float(lines[1] - lines[0]) % bar
    off = np.abs((lines[1:] - first + bar / 2) % bar - bar / 2) > 1e-3
    return None if off.mean() > _OFF_GRID or off[-2:].all() else first
