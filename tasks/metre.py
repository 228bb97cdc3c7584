"""Metre: simple or compound, duple or triple; macro-F1.

Conventions
-----------
Measured: how a clip's beats divide (in two or in three) and group (by two or by three). Label: the time signature of
the score; 2/4, 4/4 and 2/2 are one class, as are 3/4 and 3/8, since they cannot be told apart by ear.
Shortcuts removed: tempo is log-uniform in beats per minute whatever the metre; instruments, drums' sounds and levels
are drawn independently; works whose bars are irregular are not in the corpus.
Metric: macro-F1 (scikit-learn), since 9/8 is rare; and accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.interfaces import Info, Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Metre(Task):
    """Division and grouping of the beats."""

    info = Info("metre", "Metre", "scikit-learn; this project", version=1)
    level = "time"
    corpus = "rendered_scores"
    output = "multiclass"
    metric = "macro_f1"
    labels = ("metre",)
    classes = ("simple duple", "simple triple", "compound duple", "compound triple")

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Class index of `metre`."""
        return [self.classes.index(metre) for metre in tracks["metre"]]

    def decode(self, outputs: NDArray[np.float32], frame_rate: float) -> list[Any]:
        """The likeliest class."""
        return [int(c) for c in outputs.argmax(axis=1)]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """1 where the class is right."""
        return {"accuracy": np.equal(predictions, targets).astype(float)}

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Macro-F1 over the classes that the targets show, and accuracy."""
        from sklearn.metrics import f1_score

        macro = f1_score(targets, predictions, average="macro", labels=sorted(set(targets)), zero_division=0.0)
        return {"macro_f1": float(macro), **super().score(predictions, targets)}
