"""Oracles of style: dance, collection."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.corpora.rendered.palette import TONICS
from oracles.listening import Exam
from oracles.time import rhythm


def dance_at_known_tempo(exam: Exam) -> float:
    """Boosted trees on the onset strength's autocorrelation at known fractions and multiples of the beat."""
    return exam.grown(rhythm(exam))


def collection_of_known_notes(exam: Exam) -> float:
    """Boosted trees on statistics of the notes that are played, told beats, bars and key, if any: a perfect ear's."""
    return exam.grown([_tune(exam, row) for row in exam.labelled()])


def _tune(exam: Exam, row: int) -> NDArray[np.float64]:
    """Intervals, times between onsets, scale degrees, density, range; bar, mode; what accompanies."""
    heard = exam.music.arrangements[row]
    beats_per_second = float(heard.labels["tempo"]) / 60
    lead, below = (np.array(heard.notes[stem]).reshape(-1, 4) for stem in ("lead", "accompaniment"))
    onset, pitch = lead[:, 0] * beats_per_second, lead[:, 2]
    tonic, mode = str(heard.labels["key"] or "C none").split()
    interval, bars = np.diff(pitch), np.diff(heard.labels["downbeats"]) * beats_per_second
    return np.concatenate(
        [
            _shares(interval.clip(-12, 12), np.arange(-12.5, 13)),
            _shares(np.diff(onset), [0, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 1.1, 1.4, 1.8, 2.2, 99]),
            _shares((pitch - TONICS.index(tonic)) % 12, np.arange(-0.5, 12)),
            [len(pitch) / beats_per_second, np.ptp(pitch), pitch.std(), np.abs(interval).mean()],
            [np.median(bars) if len(bars) else 2, mode == "minor"],
            [len(below) / beats_per_second, len(set(below[:, 2])), np.ptp(below[:, 2]) if len(below) else 0],
        ]
    )


def _shares(values: NDArray[np.float64], edges: ArrayLike) -> NDArray[np.float64]:
    return np.histogram(values, edges)[0] / max(1, len(values))
