"""Labels that follow from the notes that a clip really plays, not from its score alone."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from benchmark.corpora.rendered.beat_grid import CLIP_SECONDS, Grid, Played
from benchmark.corpora.rendered.palette import FAMILY_OF, TONICS

#: (start s, end s, MIDI pitch, velocity)
Note = tuple[float, float, int, int]

#: seconds between two values of the melody's f0
F0_STEP = 0.01
#: a note that reaches less far into the clip than this is not held to sound in it
AUDIBLE_SECONDS = 0.05
#: fewer voices than this make no triads
CHORD_VOICES = 3
#: seconds between two counts of the voices, and what share of the time is most of it
VOICES_STEP, MOST = 0.05, 0.6

#: pitch classes above the root -> quality. A seventh is not spelled out: mir_eval's `majmin` hears C:7 as C:maj.
_QUALITIES = {
    frozenset({0, 4, 7}): "maj",
    frozenset({0, 4, 7, 10}): "maj",
    frozenset({0, 4, 7, 11}): "maj",
    frozenset({0, 3, 7}): "min",
    frozenset({0, 3, 7, 10}): "min",
}


class Chord(TypedDict):
    """A chord label in the clip's seconds."""

    start: float
    end: float
    label: str


def sounds(notes: list[Note]) -> bool:
    """Whether any of a stem's notes is heard within the clip (they may also end before it starts)."""
    return any(end > AUDIBLE_SECONDS and start < CLIP_SECONDS - AUDIBLE_SECONDS for start, end, *_ in notes)


def instruments(notes: dict[str, list[Note]], programs: dict[str, int]) -> list[str]:
    """Families of the pitched stems that sound, and `drums`."""
    heard = [stem for stem in notes if sounds(notes[stem])]
    return sorted({"drums" if stem == "drums" else FAMILY_OF[programs[stem]] for stem in heard})


def melody_f0(lead: list[Note]) -> NDArray[np.float32] | None:
    """Fundamental of the lead in Hz at 0, F0_STEP, ... s, 0 where it rests; None if it rests throughout.

    Equal temperament, A4 = 440 Hz, from a note's onset to its release; a note that begins cuts the one before.
    """
    times = np.arange(round(CLIP_SECONDS / F0_STEP)) * F0_STEP
    f0 = np.zeros(len(times), np.float32)
    for start, end, pitch, _ in sorted(lead):
        f0[times >= start] = 0
        f0[(times >= start) & (times < end)] = 440 * 2 ** ((pitch - 69) / 12)
    return f0 if f0.any() else None


def voices(played: Played) -> str | None:
    """How many parts sound together, `1` to `4`: for most of the time that any does, else there is no label."""
    times = np.arange(0, CLIP_SECONDS, VOICES_STEP)[:, None]
    parts = np.array([_sounds_at(played[played["part"] == part], times) for part in np.unique(played["part"])])
    at_once = parts.sum(axis=0)[parts.any(axis=0)] if len(parts) else np.zeros(0, int)
    if not len(at_once):
        return None
    number = int(np.bincount(at_once).argmax())
    return str(number) if (at_once == number).mean() > MOST else None


def _sounds_at(part: Played, times: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(((part["start"] <= times) & (times < part["end"])).any(axis=1))


def chords(played: Played, grid: Grid, transposition: int) -> list[Chord] | None:
    """A label per beat, from the notes that the clip plays on it; None where fewer than three parts play in it.

    A beat's chord is what sounds at its onset, if that is a major or minor triad, or one with its seventh (pitch
    classes, any inversion; a minor triad under a major sixth reads as the seventh chord that it also is). `X`: other
    notes sound, or the second half of the beat is another such chord. `N`: nothing sounds.
    """
    heard = played[(played["end"] > AUDIBLE_SECONDS) & (played["start"] < CLIP_SECONDS - AUDIBLE_SECONDS)]
    if len(np.unique(heard["part"])) < CHORD_VOICES:
        return None
    times = grid.seconds(np.asarray(grid.beats, float)).clip(0, CLIP_SECONDS)
    return [
        {"start": float(start), "end": float(end), "label": _beat_label(played, beat, transposition)}
        for beat, start, end in zip(grid.beats, times[:-1], times[1:], strict=False)
        if end > start
    ]


def _beat_label(played: Played, beat: int, transposition: int) -> str:
    first, second = (_label(played, beat + half, transposition) for half in (0.0, 0.5))
    return "X" if ":" in second and second != first else first


def _label(played: Played, beat: float, transposition: int) -> str:
    at = beat + 1e-3  # thirds of a beat are not exact
    heard = {int(p + transposition) % 12 for p in played["pitch"][(played["beat"] <= at) & (played["until"] > at)]}
    for root in sorted(heard):
        quality = _QUALITIES.get(frozenset((p - root) % 12 for p in heard))
        if quality:
            return f"{TONICS[root]}:{quality}"
    return "X" if heard else "N"
