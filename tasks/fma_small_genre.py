"""FMA-small genre: 8 classes, accuracy.

Conventions
-----------
Measured: the genre of a 30-second clip from the middle of a track. Label: the root of the genres its artist chose,
where there is only one root.
Split: the authors' 6,400 / 800 / 800, balanced, all tracks of an artist on one side; three clips have no audio and are
left out. A 95 % interval of accuracy on 800 clips is 3 points to either side.
Known limits: labels such as "International" or "Instrumental" say little about sound, so nobody can be right
throughout; a musician with two names is two artists.
Metric: accuracy over clips; and macro-F1. Means over a clip's windows are of logits.
Paper: Defferrard, Benzi, Vandergheynst, Bresson, "FMA: a dataset for music analysis", ISMIR 2017.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class FMASmallGenre(Classification):
    """Top genre of FMA-small's clips."""

    info = Info("fma_small_genre", "FMA-small genre", "Defferrard et al. (ISMIR 2017)", version=1)
    level = "style"
    corpus = "fma_small"
    labels = ("genre",)
    classes = ("Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock")
