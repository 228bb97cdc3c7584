"""What a score becomes before it is played: a work, its metre and key, and a note table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Mode = Literal["major", "minor"]

#: time signature -> (metre class, quarter lengths per beat, beats per bar). 2/4, 4/4 and 2/2 cannot be told apart
#: by ear, nor can 3/4 and 3/8: hence four classes. The beat is the notated one; 6/8 counts dotted quarters.
METRES: dict[tuple[int, int], tuple[str, float, int]] = {
    (2, 4): ("simple duple", 1.0, 2),
    (4, 4): ("simple duple", 1.0, 4),
    (2, 2): ("simple duple", 2.0, 2),
    (3, 4): ("simple triple", 1.0, 3),
    (3, 8): ("simple triple", 0.5, 3),
    (3, 2): ("simple triple", 2.0, 3),
    (6, 8): ("compound duple", 1.5, 2),
    (12, 8): ("compound duple", 1.5, 4),
    (6, 4): ("compound duple", 3.0, 2),
    (9, 8): ("compound triple", 1.5, 3),
}


@dataclass(frozen=True)
class Work:
    """A work with one key and one metre.

    Attributes:
        work: unique id, `collection/name`.
        tie: works with an equal tie share a group whatever their notes (a BWV number, say).
        tonic: pitch class, C = 0.
        downbeat: quarter length of the first full bar's start (the anacrusis is before it).
        notes: columns `part` (0 is the top one), `onset`, `duration` (quarter lengths), `pitch` (MIDI).
        dance: `reel`, `jig`, ... where the source says so.
    """

    work: str
    collection: str
    tie: str
    tonic: int
    mode: Mode
    signature: tuple[int, int]
    downbeat: float
    notes: pd.DataFrame
    dance: str | None = None
