"""VocalSet technique: 10 classes, accuracy.

Conventions
-----------
Measured: the vocal technique of a recording. Label: the folder. Of the data set's 17 techniques the 10 that the paper
classifies; recordings of the others (dynamics and tempo, mostly) have no label.
Split: official lists of 15 and 5 singers; validation is 3 of the 15. MARBLE draws its validation from the singers of
training, which is easier.
Shortcuts to know: a technique may be tied to contexts (what is spoken is an excerpt of a song). Silence at the ends is
not cut off (MARBLE does).
Metric: accuracy over recordings (MARBLE: over 3 s chunks); and macro-F1. Paper: Wilkins et al. 2018.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class VocalSetTechnique(Classification):
    """Vocal technique."""

    info = Info("vocalset_technique", "Vocal technique (VocalSet)", "Wilkins et al. 2018, VocalSet", version=1)
    level = "timbre"
    corpus = "vocalset_unseen_singers"
    labels = ("technique",)
    classes = (
        "belt", "breathy", "inhaled", "lip_trill", "spoken", "straight", "trill", "trillo", "vibrato", "vocal_fry",
    )  # fmt: skip
