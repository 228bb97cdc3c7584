"""Key of electronic dance music: 24 classes, MIREX weighted score.

Conventions
-----------
Measured: tonic and mode of a two-minute preview. Label: one annotated key (sharps in training, flats in test: spelling
is leveled out); training leaves out tracks in several keys and those that the annotator was not sure of.
Split: train and validation from GiantSteps-MTG-Keys, by artist, jukemir's (923 / 236); test is
GiantSteps-Key, all 604, as everybody reports.
Known: 511 of 604 test keys are minor, 67 % in training; the constant "C minor" scores 0.158 weighted. Artists of the
test tracks are not annotated in text, and some may be in training.
Metric: `mir_eval.key.weighted_score` (1 same, 0.5 estimate a fifth above, 0.3 relative, 0.2 parallel; a fifth below
scores 0), and accuracy.
Aggregation: mean of the windows' logits. MARBLE and JukeMIR choose among vote, maximum and mean on validation.
Papers: Knees et al., ISMIR 2015; Korzeniowski & Widmer, ISMIR 2018 (the selection).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.interfaces import Info
from tasks.kinds.keys import KEYS, KeyDetection, spelled

if TYPE_CHECKING:
    import pandas as pd


class GiantStepsKey(KeyDetection):
    """Tonic and mode of electronic dance music."""

    info = Info("giantsteps_key", "Key, electronic dance music", "Knees et al. 2015; Korzeniowski & Widmer 2018")
    level = "pitch"
    corpus = "giantsteps_key"
    labels = ("tonic", "mode")

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Class indices, whatever the spelling."""
        return [KEYS.index(spelled(tonic, mode)) for tonic, mode in zip(tracks["tonic"], tracks["mode"], strict=True)]
