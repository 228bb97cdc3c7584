"""The sound of a table's files, decoded as a run would: verdicts on each, and the same sound under two names."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.audio.decode import decode
from benchmark.audio.sketch import SIZE, sketch
from benchmark.audio.waveforms import MIX
from benchmark.corpora.leaks import Twins, twins, words_of_twins
from benchmark.corpora.tables.cells import Findings
from benchmark.corpora.tables.files import on_disk
from benchmark.corpora.verdicts import kinds, rows_of
from benchmark.interfaces import Finding, Unreadable

if TYPE_CHECKING:
    from benchmark.corpora.tables.table import Table


def listen(table: Table, rate: int) -> list[Finding]:
    """What is odd about the sound of a table, with lines; of files without a readable header nothing is said again.

    Args:
        table: with its files.
        rate: what they are resampled to, in Hz.
    """
    tracks, home = table.tracks.to_dict("records"), table.home
    told = [math.isnan(length) for length in table.sound.seconds]

    @lru_cache(maxsize=2 * (os.cpu_count() or 1))
    def sound(at: int) -> Any:
        return decoded(home, tracks[at], rate)

    def heard(at: int) -> tuple[list[dict[str, Any]], NDArray[np.float32], int]:
        track = Unreadable("") if told[at] else decoded(home, tracks[at], rate)
        rows = [] if told[at] else rows_of(tracks[at]["id"], track)
        if isinstance(track, Unreadable):
            return rows, np.zeros(SIZE, np.float32), 0
        return rows, sketch(track[MIX], rate), len(track[MIX])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts, sketches, lengths = zip(*pool.map(heard, range(len(tracks))), strict=True) if tracks else ((), (), ())
    rows = [row for some in verdicts for row in some]
    if not tracks:
        return told_of_sound(table, rows, [])
    pairs = twins(table.tracks, np.stack(sketches), np.array(lengths), rate, lambda at: sound(at)[MIX])
    return told_of_sound(table, rows, pairs)


def told_of_sound(table: Table, verdicts: Sequence[dict[str, Any]], pairs: Sequence[Twins]) -> list[Finding]:
    """What was found in sound that has been decoded, with lines."""
    found, line = Findings(), dict(zip(table.tracks["id"], table.lines, strict=True))
    for sentence, rows in kinds(verdicts):
        found.warn(sentence, *(line[row["id"]] for row in rows))
    for sentence in words_of_twins(pairs):
        found.warn(sentence, *sorted({line[name] for pair in pairs for name in (pair.track, pair.other)}))
    return found.warnings


def decoded(home: Path, track: Mapping[Hashable, Any], rate: int) -> dict[str, NDArray[np.int16]] | Unreadable:
    """The sound of a track, or of its excerpt."""
    seconds = track.get("seconds", math.nan)
    excerpt = (track.get("start", 0.0), None if math.isnan(seconds) else seconds)
    return decode(Path(on_disk(home, track["path"])), rate, *excerpt)
