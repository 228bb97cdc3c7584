"""Mode: major or minor; macro-F1.

Conventions
-----------
Measured: the mode of a clip. Label: that of the work's key (see `tasks/key.py`); modal works have none. A clip of 8 s
may still lie in a passage that leaves the key.
Shortcuts removed: the tonic, by a transposition that is uniform over -6..+5, so that it takes the scale's intervals
and not its notes; instruments, tempo, room and level are drawn independently. What remains: 61 % of the chorales' clips
are minor and 25 % of the tunes', and modes differ a little in metre.
Metric: macro-F1 (scikit-learn), since about a quarter of the clips are minor: always saying "major" scores 0.43, and
guessing 0.48; and accuracy.

It is apart, in no level's score: with every tonic equally frequent, a linear probe cannot tell two modes by one plane.
Of the reference's rows none is above 0.59; the modes of the keys that the same probe tells from the same embeddings
score 0.77 at best. A low score under a linear probe is no evidence that mode is not heard; one on `key` is.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Mode(Classification):
    """Major or minor, whatever the tonic."""

    info = Info("mode", "Mode", "scikit-learn; this project", version=2)
    level = "apart"
    corpus = "rendered_scores"
    metric = "macro_f1"
    labels = ("mode",)
    told_by = ("key",)
    classes = ("major", "minor")
