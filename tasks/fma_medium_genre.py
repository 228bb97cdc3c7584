"""FMA-medium genre: 16 unbalanced classes, accuracy and macro-F1.

Conventions
-----------
Measured: the genre of a 30-second clip from the middle of a track. Label: the root of the genres its artist chose,
where there is only one root.
Split: the authors' 19,922 / 2,505 / 2,573, all tracks of an artist on one side; fifteen clips without audio are
left out.
Unbalanced: Rock and Electronic are more than half of the clips, Easy Listening has 21 in all. So accuracy rewards the
frequent genres: read macro-F1 beside it (over the genres that the test set shows).
Metric: accuracy over clips; and macro-F1. Means over a clip's windows are of logits.
Paper: Defferrard, Benzi, Vandergheynst, Bresson, "FMA: a dataset for music analysis", ISMIR 2017.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class FMAMediumGenre(Classification):
    """Top genre of FMA-medium's clips."""

    info = Info("fma_medium_genre", "FMA-medium genre", "Defferrard et al. (ISMIR 2017)", version=1)
    level = "style"
    corpus = "fma_medium"
    labels = ("genre",)
    classes = (
        "Blues",
        "Classical",
        "Country",
        "Easy Listening",
        "Electronic",
        "Experimental",
        "Folk",
        "Hip-Hop",
        "Instrumental",
        "International",
        "Jazz",
        "Old-Time / Historic",
        "Pop",
        "Rock",
        "Soul-RnB",
        "Spoken",
    )
