"""Any number of tags per clip.

Conventions: predictions are logits; the metrics ask for the order of the clips alone. Macro ROC-AUC and mAP
(scikit-learn's average precision) are means over tags; a tag that the test set shows only on one side has neither, and
is left out of the mean; with none left the score is NaN. Where nobody looked for a tag (NaN), the clip is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


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
