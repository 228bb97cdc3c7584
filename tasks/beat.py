"""Beat: times of the notated beats, F-measure at 70 ms.

Conventions
-----------
Measured: beat times in seconds within a clip of 8 s. Label: the beat grid that the clip was rendered on, with slow
tempo drift; note onsets jitter around it by 8 ms. The beat is the notated one (a dotted quarter in 6/8).
Shortcuts removed: the clip starts anywhere between two beats, so that no beat time is likelier than another.
Metric: `mir_eval.beat.f_measure` with its 70 ms window, *untrimmed*: mir_eval's `evaluate` drops beats before 5 s,
which would leave 3 s of these clips. Mean over clips.
Decoding: local maxima of the activation, at least half as high as the clip's highest, at least 0.28 s apart.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.interfaces import Info, Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: 180 bpm is the fastest tempo: 0.33 s
MIN_DISTANCE_SECONDS = 0.28


class Beat(Task):
    """Beat tracking from a frame-wise activation."""

    info = Info("beat", "Beat tracking", "mir_eval.beat (Raffel et al. 2014); Dixon 2007", version=1)
    level = "time"
    corpus = "rendered_scores"
    output = "frame_activation"
    metric = "f_measure"
    labels = ("beats",)

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Beat times in seconds."""
        return [[float(t) for t in beats] for beats in tracks["beats"]]

    def frame_targets(self, targets: list[Any], n_frames: int, frame_rate: float) -> NDArray[np.float32]:
        """1 at the frame nearest to each beat, 0.5 beside it."""
        activation = np.zeros((len(targets), n_frames), np.float32)
        for row, beats in zip(activation, targets, strict=True):
            at = np.round(np.asarray(beats) * frame_rate).astype(int)
            for shift, value in ((-1, 0.5), (1, 0.5), (0, 1.0)):
                near = at + shift
                near = near[(near >= 0) & (near < n_frames)]
                row[near] = np.maximum(row[near], value)
        return activation

    def decode(self, outputs: NDArray[np.float32], frame_rate: float) -> list[Any]:
        """Peaks of the activation, in seconds."""
        from scipy.signal import find_peaks

        distance = max(1, round(MIN_DISTANCE_SECONDS * frame_rate))
        activation = 1 / (1 + np.exp(-np.clip(outputs, -30, 30)))
        peaks = (find_peaks(row, height=0.5 * row.max(), distance=distance)[0] for row in activation)
        return [[float(p) / frame_rate for p in found] for found in peaks]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """F-measure of each clip; no estimate scores 0."""
        from mir_eval.beat import f_measure

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty estimate is a zero here, not news
            values = [f_measure(np.array(t), np.array(p)) for p, t in zip(predictions, targets, strict=True)]
        return {"f_measure": np.array(values, float)}
