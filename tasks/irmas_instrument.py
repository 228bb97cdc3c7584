"""IRMAS predominant instruments: 11 tags, mean average precision.

Conventions
-----------
Measured: which instruments are predominant in an excerpt of polyphonic music. Label: in training the one that the
excerpt was cut out for, in the test all that are predominant, one to five.
Single against multiple labels: training takes its one instrument as present and the other ten as absent, as the field
does, although some of these are heard; the test is multi-label, so the task is tagging. The field then reports micro
and macro F1 with a threshold tuned on validation, where single labels mislead it; scores that need no threshold are
used instead. `lrap` is the field's too (Zhong et al. 2023).
Split: official training and test; validation from training by recording.
Shortcuts to know: genre (cello is classical, electric guitar is rock), and 3 s in training against 5 to 20 s in the
test.
Metric: mAP, macro over instruments; and macro ROC-AUC, and label-ranking average precision, a mean over excerpts.
Paper: Bosch et al. 2012; Han, Kim & Lee 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.corpora.datasets.instruments.irmas import INSTRUMENTS
from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging

if TYPE_CHECKING:
    from numpy.typing import NDArray


class IRMASInstrument(Tagging):
    """Predominant instruments."""

    info = Info("irmas_instrument", "Predominant instruments (IRMAS)", "Bosch et al. 2012, ISMIR", version=1)
    level = "timbre"
    corpus = "irmas"
    labels = ("instruments",)
    classes = tuple(INSTRUMENTS)

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """Label-ranking average precision of each excerpt."""
        from sklearn.metrics import label_ranking_average_precision_score as lrap

        pairs = zip(np.asarray(targets) > 0, np.asarray(predictions, float), strict=True)
        return {"lrap": np.array([lrap(truth[None], estimate[None]) for truth, estimate in pairs], float)}

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Metrics over tags, and the mean over excerpts."""
        ranking = float(self.item_scores(predictions, targets)["lrap"].mean())
        return {**super().score(predictions, targets), "lrap": ranking}
