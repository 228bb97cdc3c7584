"""Chord: major and minor triads, frame by frame.

Conventions
-----------
Measured: the chord that sounds, for each beat of a clip of part music: Bach's chorales, movements of Palestrina's
masses, Monteverdi's madrigals (`rendered_chorales`; a beat of 4/2 is a half note). Label: the notes that the clip
plays at the beat's onset, as pitch classes, transposed as they sound; `C:maj` if they are a major triad or one with
its minor or major seventh, `C:min` if a minor triad or one with its minor seventh, in any inversion; `X`, which is not
scored, if they are anything else (dim, aug, sus, thirds and fifths alone, passing notes on the beat), or if the second
half of the beat has another such chord; `N` if nothing sounds. Derived from the notes, not an analyst's opinion: it is
consistent, and blind to suspensions that an analyst would hear through.
Which clips: those in which at least three parts play, about half. Folk tunes have no harmony, and no label.
Test: hymns, masses and madrigals that training did not hear.
Shortcuts removed: transposition is uniform over -6..+5, so that no root is likelier than another; the lead's register
is drawn, so that the root need not be the lowest note, nor the melody the highest.
Metric: see `tasks/kinds/chords.py`.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.chords import ChordRecognition


class Chord(ChordRecognition):
    """Major and minor triads of part music."""

    info = Info("chord", "Chords (major, minor)", "mir_eval.chord (Raffel et al. 2014); this project", version=2)
    level = "pitch"
    corpus = "rendered_chorales"
    labels = ("chords",)
