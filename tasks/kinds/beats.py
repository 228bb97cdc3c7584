"""Beat times from a frame-wise activation.

Conventions: `mir_eval.beat.f_measure` with its 70 ms window, *untrimmed*: mir_eval's `evaluate` drops beats before 5 s,
which is most of a short clip. Mean over clips. Decoding: local maxima of the activation, at least half as high as the
clip's highest, at least `min_seconds` apart.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class BeatTracking(Task):
    """The times, in seconds, are the lists of the corpus's column `labels[0]`."""

    output = "frame_activation"
    metric = "f_measure"
    min_seconds: ClassVar[float] = 0.28

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Times in seconds."""
        return [None if times is None else [float(t) for t in times] for times in tracks[self.labels[0]]]

    def frame_targets(self, target: Any, n_frames: int, frame_rate: float) -> NDArray[np.float32]:
        """1 at the frame nearest to each time, 0.5 beside it."""
        row = np.zeros(n_frames, np.float32)
        at = np.round(np.asarray(target, float) * frame_rate).astype(int)
        for shift, value in ((-1, 0.5), (1, 0.5), (0, 1.0)):
            near = at + shift
            near = near[(near >= 0) & (near < n_frames)]
            row[near] = np.maximum(row[near], value)
        return row

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """Peaks of the activation, in seconds."""
        from scipy.signal import find_peaks

        distance = max(1, int(self.min_seconds * frame_rate))
        activations = (1 / (1 + np.exp(-np.clip(logits, -30, 30))) for logits in outputs)
        # mirrored, so that the first and the last frame can be peaks too
        mirrored = (np.concatenate([row[1:2], row, row[-2:-1]]) for row in activations)
        peaks = (find_peaks(row, height=0.5 * row.max(), distance=distance)[0] - 1 for row in mirrored)
        return [(found / frame_rate).tolist() for found in peaks]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """F-measure of each clip; no estimate scores 0."""
        from mir_eval.beat import f_measure

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty estimate is a zero here, not news
            values = [f_measure(np.array(t), np.array(p)) for p, t in zip(predictions, targets, strict=True)]
        return {"f_measure": np.array(values, float)}
