"""When a clip's beats fall, and which notes of the work fall into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.corpora.rendered.works.work import METRES, Work

CLIP_SECONDS = 8.0
#: rendered before the clip and cut away, so that notes and rooms are already sounding when it starts
PREROLL_SECONDS = 0.5

#: notes of a clip: `beat` to `until` on the work's grid, `start` to `end` in seconds
PLAYED = np.dtype([("part", int), ("pitch", int), ("beat", float), ("until", float), ("start", float), ("end", float)])
Played = NDArray[np.void]


@dataclass(frozen=True)
class Grid:
    """Seconds of each beat, from beat `first` on; the clip is [0, CLIP_SECONDS)."""

    first: int
    times: NDArray[np.float64]

    @property
    def beats(self) -> range:
        """All beats that have a time."""
        return range(self.first, self.first + len(self.times))

    def seconds(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """When (fractions of) beats fall."""
        return np.asarray(np.interp(beats, self.first + np.arange(len(self.times)), self.times))

    def inside(self, beats: Iterable[int]) -> list[float]:
        """Times of those beats that fall into the clip."""
        times = self.seconds(np.asarray(list(beats), dtype=float))
        return [round(float(t), 4) for t in times if 0 <= t < CLIP_SECONDS]

    def tempo(self) -> float:
        """Beats per minute over the whole clip: drift makes it differ by a percent or so from the tempo drawn."""
        start, end = np.interp([0.0, CLIP_SECONDS], self.times, self.first + np.arange(len(self.times)))
        return float(end - start) * 60 / CLIP_SECONDS


def draw_grid(rng: np.random.Generator, work: Work, bpm: float) -> Grid:
    """Beat times with slow drift of some percent; the clip may start anywhere, also between beats."""
    start = rng.uniform(0, work_length(work))
    first = int(np.floor(start)) - int(np.ceil(PREROLL_SECONDS * bpm / 60 * 1.2)) - 1
    count = int(np.ceil((CLIP_SECONDS + 2 * PREROLL_SECONDS) * bpm / 60 * 1.3)) + 4
    steps = rng.normal(0, 0.008, count)
    drift = np.zeros(count)
    for k in range(1, count):  # AR(1): a player who drifts and comes back
        drift[k] = 0.9 * drift[k - 1] + steps[k]
    times = np.concatenate([[0.0], np.cumsum(60 / bpm * (1 + drift.clip(-0.06, 0.06)))])
    grid = Grid(first, times)
    return Grid(first, times - grid.seconds(np.array([start]))[0])


def work_length(work: Work) -> int:
    """Beats of the work, to a full bar."""
    _, beat, beats = METRES[work.signature]
    end = float((work.notes["onset"] + work.notes["duration"]).max()) - work.downbeat
    return max(1, int(np.ceil(end / beat / beats - 0.01))) * beats


def looped(work: Work, grid: Grid, rng: np.random.Generator) -> Played:
    """Notes of the clip in seconds, the work repeated as long as the clip lasts; onsets jitter by some ms."""
    beat = METRES[work.signature][1]
    length = work_length(work)
    onset = (work.notes["onset"].to_numpy() - work.downbeat) / beat
    duration = work.notes["duration"].to_numpy() / beat
    last = grid.first + len(grid.times)
    repeats = np.arange(grid.first // length - 1, last // length + 1)
    played = np.empty(len(repeats) * len(onset), PLAYED)
    for name in ("part", "pitch"):
        played[name] = np.tile(work.notes[name].to_numpy(), len(repeats))
    played["beat"] = (repeats[:, None] * length + onset).reshape(-1)
    played["until"] = played["beat"] + np.tile(duration, len(repeats))
    played["start"], played["end"] = grid.seconds(played["beat"]), grid.seconds(played["until"])
    played = played[(played["end"] > -PREROLL_SECONDS) & (played["start"] < CLIP_SECONDS)]
    played = played[(played["beat"] >= grid.first) & (played["until"] <= last - 1)]
    played = played[np.argsort(played["beat"], kind="stable")]
    played["start"] = np.maximum(played["start"] + rng.normal(0, 0.008, len(played)), -PREROLL_SECONDS)
    return played
