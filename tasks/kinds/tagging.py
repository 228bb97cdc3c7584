"""Any number of tags per clip.

Conventions: predictions are logits; the metrics ask for the order of the clips alone. Macro ROC-AUC and mAP
(scikit-learn's average precision) are means over tags; a tag that the test set shows only on one side has neither, and
is left out of the mean; with none left the score is NaN. Where nobody looked for a tag (NaN), the clip is left out.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Tagging(Task):
    """The tags are the lists of the corpus's column `labels[0]`; those that are not among `classes` are ignored."""

    output = "multilabel"
    metric = "map"
    classes: ClassVar[tuple[str, ...]]

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """(C,) in {0, 1}; a track whose list is missing (None) has no label, one with an empty list has all zeros."""
        return [None if tags is None else self._vector(tags) for tags in tracks[self.labels[0]]]

    def _vector(self, tags: Any) -> NDArray[np.float32]:
        present = set(tags)
        return np.array([name in present for name in self.classes], np.float32)

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """Logits as they are."""
        return [logits.astype(float).tolist() for logits in outputs]

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Macro ROC-AUC and mean average precision over the tags that are defined."""
        from sklearn.metrics import average_precision_score, roc_auc_score

        estimate, truth = np.asarray(predictions, float), np.asarray(targets, float)
        areas, precisions = [], []
        for tag in range(truth.shape[1]):
            known = np.isfinite(truth[:, tag])
            y, z = truth[known, tag], estimate[known, tag]
            if 0 < y.sum() < len(y):
                areas.append(roc_auc_score(y, z))
                precisions.append(average_precision_score(y, z))
        if not areas:
            return {"map": float("nan"), "roc_auc": float("nan")}
        return {"map": float(np.mean(precisions)), "roc_auc": float(np.mean(areas))}

    def resampled_scores(
        self, predictions: list[Any], targets: list[Any], draws: list[NDArray[np.int64]]
    ) -> list[dict[str, float]]:
        """The same of every draw at once: a draw is a weight per clip, and the clips are sorted once per tag.

        Fifty draws of 5,000 clips and 50 tags take a second; sorting again for each takes a minute.
        """
        estimate, truth = np.asarray(predictions, float), np.asarray(targets, float)
        weights = np.stack([np.bincount(draw, minlength=len(truth)) for draw in draws]).astype(float)
        pairs = [
            _weighted(truth[known, tag], estimate[known, tag], weights[:, known])
            for tag in range(truth.shape[1])
            if (known := np.isfinite(truth[:, tag])).any()
        ]
        if not pairs:
            return [{"map": float("nan"), "roc_auc": float("nan")} for _ in draws]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no tag is defined in a draw: NaN
            precision, area = (np.nanmean(values, axis=0) for values in zip(*pairs, strict=True))
        return [{"map": float(p), "roc_auc": float(a)} for p, a in zip(precision, area, strict=True)]


def _weighted(y: Floats, z: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Average precision and ROC area of one tag, (W,) each, for W weightings of N clips; NaN where undefined."""
    order = np.argsort(-z, kind="stable")
    y, z, weights = y[order], z[order], weights[:, order]
    # equal estimates are one threshold
    last = np.flatnonzero(np.append(np.diff(z) != 0, True))
    hits, misses = np.cumsum(weights * y, axis=1)[:, last], np.cumsum(weights * (1 - y), axis=1)[:, last]
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, fallout = hits / hits[:, -1:], misses / misses[:, -1:]
        precision = np.nan_to_num(hits / (hits + misses))
    steps = np.diff(recall, axis=1, prepend=0.0)
    middle = recall - steps / 2
    area = (np.diff(fallout, axis=1, prepend=0.0) * middle).sum(axis=1)
    both = (hits[:, -1] > 0) & (misses[:, -1] > 0)
    return np.where(both, (steps * precision).sum(axis=1), np.nan), np.where(both, area, np.nan)
