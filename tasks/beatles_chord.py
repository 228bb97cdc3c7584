"""Chords of Beatles songs: majmin accuracy.

Conventions
-----------
Measured: 12 major chords, 12 minor chords and N, in 180 songs.
Label: Harte's transcriptions in the Isophonics collection, reduced by mir_eval.
Split: by album, one fixed fold: 2, 6, 11 test, 4, 9 validation; the field cross-validates over albums.
Known: one band, so that keys, instruments and progressions of training and test are alike; annotations fit the CDs that
their makers had, and a copy that is shifted against them lowers everybody's score.
Metric: `mir_eval.chord.majmin` weighted by duration, mean over songs; see the kind.
Papers: Harte, PhD thesis, Queen Mary University of London 2010; Mauch et al., ISMIR 2009 (late-breaking).
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.chords import ChordRecognition


class BeatlesChord(ChordRecognition):
    """Major and minor chords of a band."""

    info = Info("beatles_chord", "Chords, The Beatles", "Harte 2010; Mauch et al. 2009; mir_eval (Raffel et al. 2014)")
    level = "pitch"
    corpus = "beatles"
    labels = ("chords",)
