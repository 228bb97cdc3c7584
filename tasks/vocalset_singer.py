"""VocalSet singer: 20 classes, accuracy.

Conventions
-----------
Measured: who sings. Label: the folder, since some file names are wrong.
Split: our own, for lack of an official one: whole exercises (singer, context, technique) to training, validation and
test, 64 / 16 / 20 % of them. Stricter than the files drawn at random in the paper and in MARBLE, where the vowels of an
exercise straddle: scores are not comparable with theirs.
Shortcuts to know: room and microphone are the same for all; each singer's sessions are few, so the day may be heard.
Metric: accuracy over recordings; and macro-F1. Paper: Wilkins et al. 2018.
"""

from __future__ import annotations

from benchmark.corpora.datasets.instruments.vocalset import SINGERS
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class VocalSetSinger(Classification):
    """Who sings."""

    info = Info("vocalset_singer", "Singer (VocalSet)", "Wilkins et al. 2018, VocalSet", version=1)
    level = "timbre"
    corpus = "vocalset"
    labels = ("singer",)
    classes = SINGERS
