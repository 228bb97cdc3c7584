"""Key: 24 classes, MIREX weighted score.

Conventions
-----------
Measured: tonic and mode of a clip. Label: the key of the work, moved by the clip's transposition, which is uniform
over -6..+5: `K:` of the fiddle tunes; MusicXML's of the chorales, where the bass ends on that tonic; of the Essen
songs, whose `K:` says no more than a tonic, that tonic where the song ends on it, in the mode that its third and scale
say.
Modal works, and those that do not say, have no label.
Shortcuts removed: transposition makes all 12 tonics equally likely whatever the work; tempo, level, instruments and
room are drawn independently.
Metric: `mir_eval.key.weighted_score` (1 same, 0.5 estimate a fifth above, 0.3 relative, 0.2 parallel; a fifth below
scores 0, mir_eval's default), and accuracy.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.keys import KeyDetection


class Key(KeyDetection):
    """Tonic and mode."""

    info = Info("key", "Key", "mir_eval (Raffel et al. 2014); MIREX key detection", version=2)
    level = "pitch"
    corpus = "rendered_scores"
    labels = ("key", "mode")
