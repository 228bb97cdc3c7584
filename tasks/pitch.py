"""Pitch: MIDI number of a single note, 36 to 96; accuracy.

Conventions
-----------
Measured: the pitch of the louder of two notes in a clip of 3 s; the other, of any pitch, by any program of the split,
is 6-16 dB softer (alone, a note's chroma and MFCC give its pitch away: a linear probe scores 0.96). Label: the MIDI
note number that was rendered, C2 (36) to C7 (96), 61 classes; the SoundFont's samples are within half a semitone of it
at every pitch (measured, see `rendered_notes`).
Test: 50 programs that training did not hear, of all General MIDI families, at velocities that it did not hear either
(70, 90, 110 between 60, 80, 100, 120); training: 21 programs; validation: 5 others at training's velocities.
Shortcuts removed: in NSynth a pitch is missing where an instrument cannot play it, so that timbre tells register;
here every program plays every pitch equally often. Level, room, onset and length are drawn for each note; a sample
that a SoundFont stretches over some keys is heard at each of them.
Metric: accuracy (chance 1/61), octave errors are errors; and macro-F1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.corpora.rendered.notes import PITCHES
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification

if TYPE_CHECKING:
    import pandas as pd


class Pitch(Classification):
    """MIDI pitch of a single note."""

    info = Info("pitch", "Pitch of single notes", "Engel et al. 2017 (NSynth, after it); this project", version=2)
    level = "pitch"
    corpus = "rendered_notes"
    labels = ("pitch",)
    classes = tuple(map(str, PITCHES))

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Index of the MIDI number."""
        return super().targets(tracks.assign(pitch=tracks["pitch"].astype(str)))
