"""One class per clip.

Conventions: the prediction is the likeliest class. Accuracy is the share of clips that are right; macro-F1 is
scikit-learn's, over the classes that the test set shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Classification(Task):
    """The class is the value of the corpus's column `labels[0]`; a value that is no class is no label."""

    output = "multiclass"
    metric = "accuracy"
    classes: ClassVar[tuple[str, ...]]

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Class indices."""
        index = {name: i for i, name in enumerate(self.classes)}
        return [index.get(value) for value in tracks[self.labels[0]]]

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """The likeliest class."""
        return [int(logits.argmax()) for logits in outputs]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """1 where the class is right."""
        return {"accuracy": np.equal(predictions, targets).astype(float)}

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Macro-F1, and the means over items."""
        from sklearn.metrics import f1_score

        macro = f1_score(targets, predictions, average="macro", labels=sorted(set(targets)), zero_division=0.0)
        return {"macro_f1": float(macro), **super().score(predictions, targets)}
