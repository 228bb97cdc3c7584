"""What a score becomes before it is played: a work, its metre and key, and a note table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Mode = Literal["major", "minor"]

#: time signature -> (metre class, quarter lengths per beat, beats per bar). 2/4, 4/4 and 2/2 cannot be told apart
#: by ear, nor can 3/4 and 3/8; 9/8 is too rare for a class of its own: hence three. The beat is the notated one; 6/8
#: counts dotted quarters, and the old 4/2 halves.
METRES: dict[tuple[int, int], tuple[str, float, int]] = {
    (2, 4): ("simple duple", 1.0, 2),
    (4, 4): ("simple duple", 1.0, 4),
    (4, 8): ("simple duple", 0.5, 4),
    (2, 2): ("simple duple", 2.0, 2),
    (4, 2): ("simple duple", 2.0, 4),
    (3, 4): ("simple triple", 1.0, 3),
    (3, 8): ("simple triple", 0.5, 3),
    (3, 2): ("simple triple", 2.0, 3),
    (3, 1): ("simple triple", 4.0, 3),
    (6, 8): ("compound", 1.5, 2),
    (12, 8): ("compound", 1.5, 4),
    (6, 4): ("compound", 3.0, 2),
    (6, 2): ("compound", 6.0, 2),
    (9, 8): ("compound", 1.5, 3),
}


@dataclass(frozen=True)
class Work:
    """A work with one metre, and perhaps one key.

    Attributes:
        work: unique id, `collection/name`.
        tie: works with an equal tie share a group whatever their notes (a hymn, a mass).
        tonic: pitch class, C = 0; None, like `mode`, where the work is modal, modulates, or does not say.
        downbeat: quarter length of the first full bar's start (the anacrusis is before it).
        notes: columns `part` (0 is the top one), `onset`, `duration` (quarter lengths), `pitch` (MIDI).
        dance: `reel`, `jig`, ... where the source says so.
        group: what may not straddle a split, see `groups`; empty as long as a work is read alone.
    """

    work: str
    collection: str
    tie: str
    tonic: int | None
    mode: Mode | None
    signature: tuple[int, int]
    downbeat: float
    notes: pd.DataFrame
    dance: str | None = None
    group: str = ""
