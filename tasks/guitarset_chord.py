"""Chords of a comping guitar: majmin accuracy.

Conventions
-----------
Measured: 12 major chords, 12 minor chords and N, in 180 excerpts of about 30 s of one acoustic guitar.
Label: the chords that the lead sheet instructs. The other annotation, of the chords as performed, has the same roots
and segments, but says which notes were struck: guitarists leave out the fifth so often that majmin would ignore a large
part of it. There is no one practice; mirdata offers both. Solos are not used: their annotation is that of the comping.
Split: by player, 05 test, 04 validation, as the field leaves one player out.
Known leak: all players play the same 30 lead sheets in the same keys and tempi; a probe may know a chord by its song.
Metric: `mir_eval.chord.majmin` weighted by duration, mean over excerpts; see the kind.
Paper: Xi, Bittner, Pauwels, Ye & Bello, ISMIR 2018.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.chords import ChordRecognition


class GuitarSetChord(ChordRecognition):
    """Major and minor chords of a guitar."""

    info = Info("guitarset_chord", "Chords, GuitarSet", "Xi et al. 2018; mir_eval (Raffel et al. 2014)")
    level = "pitch"
    corpus = "guitarset"
    labels = ("chords",)
