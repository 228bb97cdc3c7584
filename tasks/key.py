"""Key: 24 classes, MIREX weighted score.

Conventions
-----------
Measured: tonic and mode of a clip. Label: the notated key of the work (`K:` of the ABC tunes; MusicXML's for the
chorales, where the bass ends on that tonic), moved by the clip's transposition, which is uniform over -6..+5.
Modal and modulating tunes are not in the corpus.
Shortcuts removed: transposition makes all 12 tonics equally likely whatever the work; tempo, level, instruments and
room are drawn independently.
Metric: `mir_eval.key.weighted_score` (1 same, 0.5 estimate a fifth above, 0.3 relative, 0.2 parallel; a fifth below
scores 0, mir_eval's default), and accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.corpora.rendered_scores.palette import TONICS
from benchmark.interfaces import Info, Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Key(Task):
    """Tonic and mode."""

    info = Info("key", "Key", "mir_eval (Raffel et al. 2014); MIREX key detection", version=1)
    level = "pitch"
    corpus = "rendered_scores"
    output = "multiclass"
    metric = "weighted_score"
    labels = ("key", "mode")
    classes = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS)

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Class index of `key`."""
        return [self.classes.index(key) for key in tracks["key"]]

    def decode(self, outputs: NDArray[np.float32], frame_rate: float) -> list[Any]:
        """The likeliest key."""
        return [int(c) for c in outputs.argmax(axis=1)]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """MIREX weights and hits."""
        from mir_eval.key import weighted_score

        names = self.classes
        weighted = [weighted_score(names[t], names[p]) for p, t in zip(predictions, targets, strict=True)]
        return {
            "weighted_score": np.array(weighted, float),
            "accuracy": np.equal(predictions, targets).astype(float),
        }
