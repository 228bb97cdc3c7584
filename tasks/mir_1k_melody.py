"""The singer's pitch in karaoke: raw pitch accuracy.

Conventions
-----------
Measured: f0 of the voice in 1,000 clips of 4 to 13 s of voice and accompaniment, mixed as recorded.
Label: pitch labelled on the separate voice every 20 ms, brought to 10 ms as mir_eval resamples.
Split: by singer, from the hash of the name: 25 % of the clips test, 15 % validation; the field's splits differ, and
many are random over clips, which puts every singer and every song on both sides.
Known: the singer's register is a cue for the octave; two singers may sing the same song.
Metric: `mir_eval.melody`, mean over clips; see the kind.
Paper: Hsu & Jang, IEEE TASLP 18(2), 2010.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.melody import MelodyExtraction


class MIR1KMelody(MelodyExtraction):
    """Pitch of an accompanied voice."""

    info = Info("mir_1k_melody", "Vocal melody, MIR-1K", "Hsu & Jang 2010; mir_eval (Raffel et al. 2014)")
    level = "pitch"
    corpus = "mir_1k"
    labels = ("f0",)
