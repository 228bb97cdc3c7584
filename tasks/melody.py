"""Melody: fundamental frequency of the lead, frame by frame.

Conventions
-----------
Measured: the f0 of the lead in Hz, each 10 ms, 0 where it rests. Label: the notes that the lead's stem is rendered
from, onset to release, in equal temperament at A4 = 440 Hz (the SoundFont's samples are within half a semitone;
vibrato is not followed). A plucked note may have died away before its release, and reverberation goes on after it:
voicing is the notation's, not the ear's. The lead is the tune, or the chorale's soprano.
Shortcuts removed: the lead's register is drawn from three octaves whatever the work, and its program among those of
any family (training hears each program in two registers, test in the third); instrument and register of the
accompaniment are not the lead's. Keys are transposed, so that no scale is likelier. What remains: over the bass of a
tune the lead is the highest sounding note in 97 % of its frames; in accompanied chorales in 65 %, since lower voices
may cross above it. It is 6-16 dB louder than the accompaniment and 3-14 dB than the drums, which is what makes it the
lead.
Test: tunes and (program, register) pairs that training did not hear.
Metric: see `tasks/kinds/melody.py`, with classes a semitone apart. Nine frames in ten are voiced.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.melody import MelodyExtraction


class Melody(MelodyExtraction):
    """Fundamental of the lead."""

    info = Info("melody", "Melody", "mir_eval.melody (Raffel et al. 2014); Salamon et al. 2014", version=1)
    level = "pitch"
    corpus = "rendered_scores"
    labels = ("f0",)
    # every note is a semitone of the scale, so that finer classes would only be harder to learn
    lowest, highest, step = 33.0, 98.0, 1.0
