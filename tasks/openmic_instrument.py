"""OpenMIC-2018 instruments: 20 partially labelled tags, mean average precision.

Conventions
-----------
Measured: which of 20 instruments are heard in 10 s of polyphonic music. Label: listeners' votes, weighted by their
reliability, present from 0.5 on; nobody was asked about most instruments in most excerpts, and those are NaN: no
training signal, and left out of the instrument's score.
Split: official split01; validation by artist from its training part. Artists of the test are heard in training.
Shortcuts to know: genre and recording quality go with instruments (ukulele, banjo); what was asked about
was chosen with the help of a model, so that positives are more frequent than in any music.
Metric: mAP, the mean over instruments of the average precision over the excerpts where it was asked for; and macro
ROC-AUC likewise. Paper: Humphrey, Durand & McFee 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.corpora.datasets.instruments.openmic import INSTRUMENTS
from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging

if TYPE_CHECKING:
    import pandas as pd


class OpenMICInstrument(Tagging):
    """Instruments heard, where asked for."""

    info = Info("openmic_instrument", "Instruments in polyphony (OpenMIC-2018)", "Humphrey et al. 2018", version=1)
    level = "timbre"
    corpus = "openmic"
    labels = ("present", "absent")
    classes = INSTRUMENTS

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """(C,) 1 where present, 0 where absent, NaN where nobody was asked; None where nothing is known."""
        rows = []
        for present, absent in zip(tracks["present"], tracks["absent"], strict=True):
            known = dict.fromkeys(absent, 0.0) | dict.fromkeys(present, 1.0)
            row = np.array([known.get(name, np.nan) for name in self.classes], np.float32)
            rows.append(None if np.isnan(row).all() else row)
        return rows
