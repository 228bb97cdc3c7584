"""Tonic and mode: 24 classes.

Conventions: `mir_eval.key.weighted_score`: 1 same, 0.5 estimate a fifth above, 0.3 relative, 0.2 parallel; a fifth
below scores 0 (mir_eval's default, and MIREX's practice, is pinned here). And accuracy.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.kinds.classification import Classification

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: pitch classes from C = 0, spelled as mir_eval wants them
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS)
_SHARPS = {"C#": "Db", "D#": "Eb", "F#": "Gb", "G#": "Ab", "A#": "Bb", "Cb": "B", "Fb": "E", "E#": "F", "B#": "C"}


def spelled(tonic: str, mode: str) -> str:
    """A key as `KEYS` spells it, from any spelling of its tonic (`F#`, `f#`, `Gb`)."""
    letter = tonic[:1].upper() + tonic[1:]
    return f"{_SHARPS.get(letter, letter)} {mode.lower()}"


class KeyDetection(Classification):
    """The key is the corpus's column `labels[0]`, spelled as in `KEYS`; others are no label."""

    metric = "weighted_score"
    classes = KEYS

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """MIREX weights and hits."""
        weighted = [_weighted(KEYS[t], KEYS[p]) for p, t in zip(predictions, targets, strict=True)]
        return {"weighted_score": np.array(weighted, float), **super().item_scores(predictions, targets)}

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Means over items: of 24 classes some are too rare for a macro-F1."""
        return {name: float(values.mean()) for name, values in self.item_scores(predictions, targets).items()}


def _weighted(reference: str, estimate: str) -> float:
    from mir_eval.key import weighted_score

    # mir_eval means to change the default of this option, which older versions lack
    pinned = "allow_descending_fifths" in inspect.signature(weighted_score).parameters
    return float(weighted_score(reference, estimate, **({"allow_descending_fifths": False} if pinned else {})))
