"""NSynth pitch: 128 MIDI numbers, accuracy.

Conventions
-----------
Measured: the pitch of a single note. Label: the MIDI note that triggered the sample, not a measurement: some presets
sound an octave off, or have no clear pitch.
Split: official; the instruments of the test are not heard in training (in validation they are).
Classes: all 128 MIDI numbers, as in MARBLE; 112 of them occur.
Shortcuts to know: none by loudness or length (five velocities, 4 s each); an instrument's range narrows the guess.
Metric: accuracy over notes; and macro-F1 over the pitches of the test. Paper: Engel et al. 2017; MARBLE (Yuan et al.
2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification

if TYPE_CHECKING:
    import pandas as pd


class NSynthPitch(Classification):
    """MIDI number of a note."""

    info = Info("nsynth_pitch", "Pitch of single notes (NSynth)", "Engel et al. 2017, NSynth", version=1)
    level = "pitch"
    corpus = "nsynth"
    labels = ("pitch",)
    classes = tuple(str(pitch) for pitch in range(128))

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """The MIDI number is the class."""
        return [int(pitch) for pitch in tracks["pitch"]]
