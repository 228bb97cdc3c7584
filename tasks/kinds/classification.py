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

    def main_score(self, predictions: list[Any], targets: list[Any]) -> float:
        """The same, without scikit-learn's F1 where another is the main one: it takes 5 ms of each of hundreds."""
        if type(self).score is not Classification.score or self.metric == "macro_f1":
            return super().main_score(predictions, targets)
        return float(self.item_scores(predictions, targets)[self.metric].mean())

    def resampled_scores(
        self, predictions: list[Any], targets: list[Any], draws: list[NDArray[np.int64]]
    ) -> list[dict[str, float]]:
        """The same of every draw at once: a draw is a weight per clip, and F1 follows from weighted counts.

        scikit-learn takes 5 ms a draw, and there are a hundred for each score.
        """
        if type(self).score is not Classification.score:  # whoever scores otherwise resamples otherwise
            return super().resampled_scores(predictions, targets, draws)
        names = np.unique(targets)
        called, true = (np.equal.outer(values, names).astype(float) for values in (predictions, targets))
        weights = np.stack([np.bincount(draw, minlength=len(targets)) for draw in draws]).astype(float)
        support = weights @ true
        shown = support > 0
        f1 = 2 * (weights @ (called * true)) / np.where(shown, support + weights @ called, 1)
        scores = {"macro_f1": np.where(shown, f1, 0).sum(axis=1) / shown.sum(axis=1)}
        for metric, values in self.item_scores(predictions, targets).items():
            scores[metric] = weights @ values / weights.sum(axis=1)
        return [dict(zip(scores, map(float, row), strict=True)) for row in zip(*scores.values(), strict=True)]
