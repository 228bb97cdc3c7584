"""Metre: simple duple, simple triple, or compound; macro-F1.

Conventions
-----------
Measured: how a clip's beats divide (in two or in three) and group (by two or by three). Label: the time signature of
the score; 2/4, 4/4 and 2/2 are one class, as are 3/4 and 3/8, since they cannot be told apart by ear. Compound
metres are one: of 9/8 there are too few tunes to test on.
Shortcuts removed: tempo is log-uniform in beats per minute whatever the metre; instruments, drums' sounds and levels
are drawn independently; works whose bars are irregular are not in the corpus.
Metric: macro-F1 (scikit-learn), since the classes are of different size; and accuracy.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Metre(Classification):
    """Division and grouping of the beats."""

    info = Info("metre", "Metre", "scikit-learn; this project", version=3)
    level = "time"
    corpus = "rendered_scores"
    metric = "macro_f1"
    labels = ("metre",)
    told_by = ("dance",)
    classes = ("simple duple", "simple triple", "compound")
