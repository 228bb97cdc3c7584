"""The melody's pitch, frame by frame: classes of pitch, and one for no melody.

Conventions: the target is f0 in Hz every 10 ms from time 0, 0 where there is no melody. Class 0 is unvoiced, the others
are pitches `step` semitones apart from `lowest` to `highest` (MIDI numbers); 20 cents, because voices glide and are out
of tune, and a semitone's rounding alone would use up the metric's tolerance of 50 cents. A frame learns from the target
nearest in time; one that lies outside the range, or after the end, is ignored.

Decoding: of the pitches the likeliest; voiced where all pitches together are likelier than class 0 (the mass of one
note lies on several of them); both are median filtered over `median_seconds` (frames slower than that: not at all) and
read every 10 ms at the nearest frame. The pitch of an unvoiced frame is kept as a negative number, mir_eval's notation
for a guess.

Metrics, all of `mir_eval.melody`, tolerance 50 cents, means over tracks: raw pitch accuracy `rpa` (main) and raw chroma
accuracy `rca`, over frames voiced in the reference, where guesses count; overall accuracy `oa`; voicing false alarm
`vfa` (less is better; 0 for a reference that is voiced throughout). What an estimate does not span is unvoiced.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_METRICS = ("rpa", "rca", "oa", "vfa")
#: cents
_TOLERANCE = 50.0


class MelodyExtraction(Task):
    """The f0 are the lists of the corpus's column `labels[0]`.

    Class attributes:
        lowest, highest, step: of the pitches, in semitones; `classes` follows from them.
        hop: of targets and predictions, in seconds.
    """

    output = "frame_multiclass"
    metric = "rpa"
    lowest: ClassVar[float] = 33.0
    highest: ClassVar[float] = 93.0
    step: ClassVar[float] = 0.2
    hop: ClassVar[float] = 0.01
    median_seconds: ClassVar[float] = 0.05

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.classes = ("unvoiced", *(f"{pitch:.2f}" for pitch in cls.pitches()))

    @classmethod
    def pitches(cls) -> NDArray[np.float64]:
        """MIDI numbers of classes 1, 2, ..."""
        return np.linspace(cls.lowest, cls.highest, round((cls.highest - cls.lowest) / cls.step) + 1)

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """(T,) f0 in Hz every 10 ms; a track without any melody has no label, since its raw pitch accuracy is void."""
        contours = (None if f0 is None else np.asarray(f0, float) for f0 in tracks[self.labels[0]])
        return [None if f0 is None or not f0.any() else f0 for f0 in contours]

    def frame_targets(self, target: Any, n_frames: int, frame_rate: float) -> NDArray[np.int64]:
        """The class of the target nearest in time."""
        f0 = np.asarray(target, float)
        nearest = np.round(np.arange(n_frames) / frame_rate / self.hop).astype(int)
        heard = f0[np.minimum(nearest, len(f0) - 1)]
        midi = 69 + 12 * np.log2(np.where(heard > 0, heard, 440.0) / 440)
        pitch = np.round((midi - self.lowest) / self.step).astype(np.int64)
        inside = (pitch >= 0) & (pitch < len(self.classes) - 1) & (nearest < len(f0))
        return np.where((heard == 0) & (nearest < len(f0)), 0, np.where(inside, pitch + 1, -1))

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """f0 in Hz every 10 ms; negative: unvoiced, and what it would be if it were not."""
        return [self._contour(logits.astype(float), frame_rate) for logits in outputs]

    def _contour(self, logits: NDArray[np.float64], frame_rate: float) -> NDArray[np.float64]:
        from scipy.ndimage import median_filter

        width = 2 * (int(self.median_seconds * frame_rate) // 2) + 1
        pitch = median_filter(logits[:, 1:].argmax(axis=1), width, mode="nearest")
        with np.errstate(over="ignore"):  # infinitely likelier than class 0
            mass = np.exp(logits[:, 1:] - logits[:, :1]).sum(axis=1)
        voiced = median_filter((mass > 1).astype(int), width, mode="nearest")
        hertz = np.where(voiced, 1, -1) * self._hertz()[pitch]
        times = np.arange(round(len(hertz) / frame_rate / self.hop)) * self.hop
        read: NDArray[np.float64] = hertz[np.minimum(np.round(times * frame_rate).astype(int), len(hertz) - 1)]
        return read

    @classmethod
    @functools.cache
    def _hertz(cls) -> NDArray[np.float64]:
        """Of classes 1, 2, ..., as predictions are written."""
        return np.array([round(float(440 * 2 ** ((pitch - 69) / 12)), 3) for pitch in cls.pitches()])

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """The four metrics of each track, as mir_eval defines them; its own loop takes 4 ms for a track of 10 s."""
        values = [self._evaluate(p, t) for p, t in zip(predictions, targets, strict=True)]
        return dict(zip(_METRICS, np.array(values, float).reshape(-1, len(_METRICS)).T, strict=True))

    @staticmethod
    def _evaluate(prediction: Any, target: Any) -> tuple[float, ...]:
        truth, found = np.asarray(target, float), np.asarray(prediction, float)
        found = np.pad(found[: len(truth)], (0, max(0, len(truth) - len(found))))
        sung, heard = truth > 0, found > 0
        off = np.full(len(truth), np.inf)  # in cents
        both = sung & (found != 0)
        off[both] = 1200 * np.abs(np.log2(np.abs(found[both]) / truth[both]))
        octaves = 1200 * np.floor(off[both] / 1200 + 0.5)
        right, right_chroma = off < _TOLERANCE, np.abs(off[both] - octaves) < _TOLERANCE
        voiced, silent = max(1, sung.sum()), max(1, (~sung).sum())
        return (
            right.sum() / voiced,
            right_chroma.sum() / voiced,
            np.where(sung, heard & right, ~heard).mean(),
            (heard & ~sung).sum() / silent,
        )
