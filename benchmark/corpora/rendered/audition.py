"""A SoundFont is listened to before a corpus is rendered with it: every program must sound, and in tune.

The labels are those of the score: a note that is silent, or sounds at another pitch, would make them false.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.corpora.rendered.arrange import Arrangement
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, play, play_drums

#: softer than this a note is silent: root mean square, about -70 dBFS
SILENCE = 3e-4
#: share of a program's notes that may be silent: good fonts have a hole at a key (FluidR3: violin, 94)
ALLOWED_SILENT = 0.02
#: semitones by which a program may be off: the partials of bars and combs (music box) are no multiples, and mislead by
#: half a semitone
TOLERANCE = 0.75
#: YIN: how far from the written pitch it looks, so that it finds wrong octaves; and what counts as a dip
_RANGE, _DIP = 13, 0.1


def faults(font: Path, arrangements: Iterable[Arrangement]) -> list[str]:
    """What a font cannot play of these clips: programs that are silent or out of tune, drums; one line each."""
    pitched: dict[int, Counter[int]] = defaultdict(Counter)
    drums: set[int] = set()
    for arrangement in arrangements:
        for part, notes in arrangement.notes.items():
            pitches = [pitch for _, _, pitch, _ in notes]
            if part == "drums":
                drums.update(pitches)
            else:
                pitched[arrangement.programs[part]].update(pitches)
    lines = [_program_fault(font, program, written) for program, written in sorted(pitched.items()) if written]
    hits = {pitch: play_drums([(0.0, 0.1, pitch, 100)], font)[: SAMPLE_RATE // 2] for pitch in sorted(drums)}
    lines += [f"drum {pitch} is silent" for pitch, sound in hits.items() if _level(sound) < SILENCE]
    return [line for line in lines if line]


def _program_fault(font: Path, program: int, written: Counter[int]) -> str:
    """What is wrong with a program that plays each pitch so often; empty if nothing is."""
    pitches, counts = sorted(written), np.array([written[pitch] for pitch in sorted(written)])
    heard = [sound for i in range(0, len(pitches), 2) for sound in _listen(font, program, pitches[i : i + 2])]
    silent = np.array([_level(sound) < SILENCE for sound in heard])
    if counts[silent].sum() > ALLOWED_SILENT * counts.sum():
        return f"program {program} is silent at {', '.join(str(p) for p, s in zip(pitches, silent, strict=True) if s)}"
    deviations = [pitch_of(sound, pitch) - pitch for sound, pitch in zip(heard, pitches, strict=True)]
    off = float(np.median(np.repeat(deviations, counts)))
    return f"program {program} is off by {off:+.1f} semitones" if abs(off) > TOLERANCE else ""


def _listen(font: Path, program: int, pitches: list[int]) -> NDArray[np.float32]:
    """One or two notes without their first 50 ms, each on a channel of its own."""
    parts = [([(0.0, 0.4, pitch, 100)], program, False) for pitch in pitches]
    return play(parts, font=font)[:, SAMPLE_RATE // 20 : SAMPLE_RATE * 2 // 5]


def _level(sound: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(sound).mean()))


def pitch_of(sound: NDArray[np.float32], written: int) -> float:
    """MIDI pitch of a note of about 0.35 s, within `_RANGE` semitones of the written one, by YIN.

    De Cheveigné & Kawahara 2002: the first dip of the cumulative mean normalized difference below a threshold, else its
    minimum. Above 2 kHz (7 samples a period) it may hear the octave below.
    """
    period = SAMPLE_RATE / (440 * 2 ** ((written - 69) / 12))
    first, last = int(period / 2 ** (_RANGE / 12)), int(period * 2 ** (_RANGE / 12)) + 1
    length = len(sound) - last - 1
    shifted = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), length)[: last + 2]
    difference = np.square(shifted - shifted[0]).sum(axis=1)
    normalized = difference * np.arange(len(difference)) / np.maximum(np.cumsum(difference), 1e-12)
    inner = np.arange(max(first, 2), last)
    before, at, after = normalized[inner - 1], normalized[inner], normalized[inner + 1]
    dips = inner[(at <= before) & (at <= after) & (at < _DIP)]
    best = int(dips[0]) if len(dips) else int(inner[at.argmin()])
    left, middle, right = normalized[best - 1 : best + 2]
    bend = left - 2 * middle + right
    lag = best + (0.5 * (left - right) / bend if bend > 0 else 0.0)
    return float(69 + 12 * np.log2(SAMPLE_RATE / lag / 440))
