"""One tempo per clip, in beats per minute.

Conventions: Gouyon et al. (2006): `accuracy1` is the share of clips whose estimate is within 4 % of the reference (the
edge counts); `accuracy2` also counts estimates at 2, 3, 1/2 or 1/3 of it, within 4 % of that. Mean over clips.

The probe chooses among tempi on a logarithmic scale. Neighbors are 1.04^(1/2.5) apart, 1.6 %: an estimate, which is a
bin's center, is then within two bins of the reference's bin exactly if it is within a factor of 1.04 of the reference
itself, so that scoring against the bin costs nothing. (The definition is not symmetric: it also admits estimates of
0.96 to 1/1.04 = 0.9615 times the reference. At accuracy2's other factors the bin moves the limits by up to 0.8 %.)

`mir_eval.tempo.detection` is not used: it scores two estimated tempi against two annotated ones and their salience,
within 8 %; these data sets annotate one tempo, for which it would repeat accuracy1 with a laxer tolerance.

Paper: Gouyon, Klapuri, Dixon, Alonso, Tzanetakis, Uhle, Cano: An experimental comparison of audio tempo induction
algorithms. IEEE TASLP 14(5), 2006, section IV.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

TOLERANCE = 0.04
#: between the centers of neighboring bins: 2.5 of them are the tolerance
RATIO = (1 + TOLERANCE) ** (1 / 2.5)
#: metrical levels that accuracy2 takes for the tempo
LEVELS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)


def tempo_bins(slowest: float, fastest: float) -> NDArray[np.float64]:
    """Centers of bins in bpm: the first is `slowest`, the last the first that is not below `fastest`."""
    count = 1 + math.ceil(math.log(fastest / slowest) / math.log(RATIO))
    return np.asarray(slowest * RATIO ** np.arange(count), float)


def tempo_hits(references: ArrayLike, estimates: ArrayLike, levels: tuple[float, ...] = (1.0,)) -> NDArray[np.float64]:
    """1 where an estimate is within 4 % of one of the `levels` of its reference.

    Args:
        references: (N,) bpm.
        estimates: (N,) bpm.
        levels: factors on the reference.
    """
    targets = np.asarray(references, float)[:, None] * np.asarray(levels)
    distance = np.abs(np.asarray(estimates, float)[:, None] - targets)
    # The edge counts, whatever the rounding of a product says.
    return np.asarray((distance <= TOLERANCE * targets * (1 + 1e-12)).any(axis=1), float)


class TempoEstimation(Task):
    """The tempo is the number in the corpus's column `labels[0]`, in bpm; one outside `bpm_range` is no label."""

    output = "multiclass"
    ordered = True
    metric = "accuracy1"
    labels = ("tempo",)
    bpm_range: ClassVar[tuple[float, float]] = (30.0, 300.0)

    def __init_subclass__(cls) -> None:
        """Name the bins of a task's own range."""
        super().__init_subclass__()
        cls.classes = tuple(f"{bpm:.1f}" for bpm in tempo_bins(*cls.bpm_range))

    @property
    def bins(self) -> NDArray[np.float64]:
        """(C,) centers in bpm."""
        return tempo_bins(*self.bpm_range)

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Indices of the nearest bins."""
        return [self._bin(bpm) for bpm in tracks[self.labels[0]].to_numpy(float)]

    def _bin(self, bpm: float) -> int | None:
        if not bpm > 0:  # NaN, too
            return None
        index = round(math.log(bpm / self.bpm_range[0]) / math.log(RATIO))
        return index if 0 <= index < len(self.classes) else None

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """The likeliest bin's center, in bpm."""
        bins = self.bins
        return [float(bins[logits.argmax()]) for logits in outputs]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """1 where the tempo is right; where it is right up to the metrical level."""
        references = self.bins[np.asarray(targets, int)]
        return {
            "accuracy1": tempo_hits(references, predictions),
            "accuracy2": tempo_hits(references, predictions, LEVELS),
        }
