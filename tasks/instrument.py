"""Instrument family of the lead part: 8 classes, accuracy.

Conventions
-----------
Measured: which family (piano, mallets, free reed, guitar, strings, brass, reed, pipe) plays the melody of a clip.
Label: the General MIDI program drawn for the lead when the clip was arranged, independently of the work.
Test: tunes, rooms and (program, register) pairs that training did not hear; `accuracy_unseen_programs` adds programs
that training did not hear at all, for the same tunes.
Shortcuts removed: every family plays works, keys, tempi and levels of the same distribution; the accompaniment may
be played by any family.
Metric: accuracy over clips (scikit-learn's definition).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.corpora.rendered_scores.palette import FAMILIES
from benchmark.interfaces import Info, Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Instrument(Task):
    """Instrument family of the lead."""

    info = Info("instrument", "Instrument family of the lead", "General MIDI families; this project", version=1)
    level = "timbre"
    corpus = "rendered_scores"
    output = "multiclass"
    metric = "accuracy"
    labels = ("family",)
    classes = tuple(FAMILIES)
    test_splits = {"": "test", "_unseen_programs": "transfer"}

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Class index of `family`."""
        return [self.classes.index(family) for family in tracks["family"]]

    def decode(self, outputs: NDArray[np.float32], frame_rate: float) -> list[Any]:
        """The likeliest class."""
        return [int(c) for c in outputs.argmax(axis=1)]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """1 where the class is right."""
        return {"accuracy": np.equal(predictions, targets).astype(float)}
