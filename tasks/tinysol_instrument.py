"""TinySOL instrument: 14 classes, accuracy.

Conventions
-----------
Measured: which orchestral instrument plays a single note. Label: what was recorded.
Split: of the official five folds, 0 is the test, 1 the validation, 2 to 4 training (papers average over folds or, like
mir_ref, draw at random). Retuned copies follow their recording.
Shortcuts to know: instrument, player, microphone and room are the same in every part, so this is recognition of one
specimen each, near saturation for good features; range gives some classes away.
Metric: accuracy over notes; and macro-F1 (the classes are unbalanced). Paper: Cella et al. 2020.
"""

from __future__ import annotations

from benchmark.corpora.datasets.instruments.tinysol import INSTRUMENTS
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class TinySOLInstrument(Classification):
    """Instrument of a note."""

    info = Info("tinysol_instrument", "Orchestral instrument (TinySOL)", "Cella et al. 2020, OrchideaSOL", version=1)
    level = "timbre"
    corpus = "tinysol"
    labels = ("instrument",)
    classes = tuple(INSTRUMENTS.values())
