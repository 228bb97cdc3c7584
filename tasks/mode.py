"""Mode: major or minor; macro-F1.

Conventions
-----------
Measured: the mode of a clip. Label: that of the work's key (see `tasks/key.py`); modal works have none. A clip of 8 s
may still lie in a passage that leaves the key.
Shortcuts removed: the tonic, by a transposition that is uniform over -6..+5, so that it takes the scale's intervals
and not its notes; instruments, tempo, room and level are drawn independently. What remains: 42 % of the chorales are
minor and 12 % of the tunes, and modes differ a little in metre.
Metric: macro-F1 (scikit-learn), since about 30 % of the clips are minor: always saying "major" scores 0.41; and
accuracy.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Mode(Classification):
    """Major or minor, whatever the tonic."""

    info = Info("mode", "Mode", "scikit-learn; this project", version=2)
    level = "style"
    corpus = "rendered_scores"
    metric = "macro_f1"
    labels = ("mode",)
    classes = ("major", "minor")
