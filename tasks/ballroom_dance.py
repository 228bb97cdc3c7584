"""Dance of ballroom music: 8 classes, accuracy.

Conventions
-----------
Measured: which dance an excerpt of 30 s is for. Label: the folder it is filed in; American, international and other
Rumba are one. One excerpt that is filed twice, as a cha-cha and as a samba, has no label.
Split: by album, see the corpus; the field reports 10-fold cross-validation.
Known: the tempo alone, from the annotation, tells most dances apart; waltzes are also told by their orchestras.
Metric: accuracy, and macro-F1.
Aggregation: mean of the windows' logits.
Paper: Dixon, Gouyon & Widmer, ISMIR 2004; Gouyon et al. 2006.
"""

from __future__ import annotations

from benchmark.corpora.datasets.transcription.ballroom import DANCES
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class BallroomDance(Classification):
    """Dance from rhythm and sound."""

    info = Info("ballroom_dance", "Dance, ballroom", "Dixon, Gouyon & Widmer 2004; Gouyon et al. 2006")
    level = "time"
    corpus = "ballroom"
    labels = ("dance",)
    classes = DANCES
