"""The melody of songs of many styles: raw pitch accuracy.

Conventions
-----------
Measured: f0 of the leading source, often a voice, in 108 songs.
Label: MedleyDB's first definition of melody (MELODY1): the f0 of the one source that leads the song, annotated on its
own track; where that source rests there is no melody, whatever else plays.
Split: by artist, from the hash of the name; the field splits by artist, too, but not alike.
Known: what leads depends on style, and MusicDelta's songs, a third of all and of many styles, are all in training.
Metric: `mir_eval.melody`, mean over songs; see the kind. Pitches above A6 (1,760 Hz) or below A1 cannot be predicted.
Papers: Bittner et al., ISMIR 2014; Salamon et al., IEEE Signal Processing Magazine 31(2), 2014 (metrics).
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.melody import MelodyExtraction


class MedleyDBMelody(MelodyExtraction):
    """Pitch of whatever leads a song."""

    info = Info("medleydb_melody", "Melody, MedleyDB", "Bittner et al. 2014; mir_eval (Raffel et al. 2014)")
    level = "pitch"
    corpus = "medleydb_melody"
    labels = ("f0",)
