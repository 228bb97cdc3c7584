"""GTZAN genre: 10 classes, accuracy.

Conventions
-----------
Measured: the genre of a 30-second clip. Label: the collector's, one per clip.
Split: fault-filtered, 443 / 197 / 290 of the 1,000 clips; not comparable with figures from random folds (HEAR, S3PRL),
where repeated clips and artists fall on both sides.
Leaks to know: artists are not part of the data set; those that Sturm identified recur within genres.
Noise: a 95 % interval of accuracy on 290 clips is 5 points to either side. One per cent of train is 4 clips.
Metric: accuracy over clips; and macro-F1. Means over a clip's windows are of logits.
Paper: Tzanetakis & Cook, "Musical genre classification of audio signals", IEEE TSAP 2002; Sturm, "The GTZAN dataset:
its contents, its faults", 2013.
"""

from __future__ import annotations

from benchmark.corpora.datasets.tags.gtzan import GENRES
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class GTZANGenre(Classification):
    """Genre of GTZAN's clips, fault-filtered."""

    info = Info("gtzan_genre", "GTZAN genre", "Tzanetakis, Cook (2002); Sturm (2013)", version=1)
    level = "style"
    corpus = "gtzan"
    labels = ("genre",)
    classes = GENRES
