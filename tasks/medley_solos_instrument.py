"""Medley-solos-DB instrument: 8 classes, accuracy.

Conventions
-----------
Measured: which instrument is heard alone for 3 s. Label: the stem's, or the solo recording's.
Split: official, across collections: training and validation from MedleyDB, test from solosDb.
Shortcuts to know: few songs per class (several clips of a song sound alike, so standard errors are by song); between
the collections room, microphone and style change, which no validation score foresees.
Metric: accuracy over clips; and macro-F1, since the classes are unbalanced, in the test differently.
Paper: Lostanlen & Cella 2016.
"""

from __future__ import annotations

from benchmark.corpora.datasets.instruments.medley_solos_db import INSTRUMENTS
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class MedleySolosInstrument(Classification):
    """Instrument of a solo."""

    info = Info(
        "medley_solos_instrument", "Solo instrument (Medley-solos-DB)", "Lostanlen & Cella 2016, ISMIR", version=1
    )
    level = "timbre"
    corpus = "medley_solos_db"
    labels = ("instrument",)
    classes = INSTRUMENTS
