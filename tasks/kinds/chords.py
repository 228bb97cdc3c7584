"""Chords, frame by frame: 12 major, 12 minor, and none.

Conventions: labels are Harte's (`C:min7/b3`, `N`, `X`). What a label counts as is mir_eval's own reduction to major and
minor (`mir_eval.chord.majmin`): sevenths and inversions onto a chord tone are their triad; suspended, diminished,
augmented, power chords, those that lack a third or fifth, a bass that changes the triad, and `X` are ignored, in
training and in the score. So are gaps between annotations, and labels that mir_eval cannot read. `N` is a class.

Decoding: logits are averaged over `smooth_seconds` around each frame, the likeliest class wins, runs of one class are
merged; chords change halfway between two frames. What the reference does not span is not scored; what the estimate does
not span of it counts as `N`.

Metrics: `majmin` (main) and `root`, each mir_eval's accuracy weighted by duration within a track (WCSR of the track),
then the plain mean over tracks. MIREX's figure for a collection also weights tracks by their length; here they count
alike, so that they are exchangeable items. `root` also counts the chords that majmin ignores, except X.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: pitch classes from C = 0
_ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
CHORDS = (*(f"{root}:{quality}" for quality in ("maj", "min") for root in _ROOTS), "N")


class ChordRecognition(Task):
    """The chords are the corpus's column `labels[0]`: lists of {start, end, label}, times in seconds."""

    output = "frame_multiclass"
    metric = "majmin"
    classes = CHORDS
    smooth_seconds: ClassVar[float] = 0.5

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """Chords without gaps or overlaps; a track all of whose chords are ignored has no label."""
        timelines = [None if chords is None else _timeline(chords) for chords in tracks[self.labels[0]]]
        return [t if t and any(chord_class(chord["label"]) >= 0 for chord in t) else None for t in timelines]

    def frame_targets(self, target: Any, n_frames: int, frame_rate: float) -> NDArray[np.int64]:
        """The class of the chord that sounds at each frame's time."""
        times = np.arange(n_frames) / frame_rate
        # the last bound opens a stretch that nobody annotated, and so does index -1, before the first
        bounds = np.array([*(chord["start"] for chord in target), target[-1]["end"]])
        classes = np.array([*(chord_class(chord["label"]) for chord in target), -1], np.int64)
        return classes[np.searchsorted(bounds, times, side="right") - 1]

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """Lists of {start, end, label}, as the corpus has them."""
        return [self._intervals(logits, frame_rate) for logits in outputs]

    def _intervals(self, logits: NDArray[np.float32], frame_rate: float) -> list[dict[str, Any]]:
        from scipy.ndimage import uniform_filter1d

        width = 2 * (int(self.smooth_seconds * frame_rate) // 2) + 1
        best = uniform_filter1d(logits.astype(float), width, axis=0, mode="nearest").argmax(axis=1)
        first = np.flatnonzero(np.diff(best, prepend=-1))
        bounds = [0.0, *((first[1:] - 0.5) / frame_rate).tolist(), len(best) / frame_rate]
        labels = [self.classes[index] for index in best[first]]
        return [_chord(*fields) for fields in zip(bounds[:-1], bounds[1:], labels, strict=True)]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """Share of each track's comparable time that is right."""
        values = [_accuracies(p, t) for p, t in zip(predictions, targets, strict=True)]
        return {name: np.array([each[name] for each in values], float) for name in ("majmin", "root")}


@cache
def chord_class(label: str) -> int:
    """Which of `CHORDS` mir_eval takes a label for; -1 if it ignores it or cannot read it."""
    from mir_eval.chord import InvalidChordException, majmin

    try:
        matches = majmin([label] * len(CHORDS), list(CHORDS))
    except InvalidChordException:
        return -1
    return int(matches.argmax()) if matches.max() > 0 else -1


@cache
def _readable(label: str) -> bool:
    from mir_eval.chord import InvalidChordException, encode

    try:
        encode(label)
    except InvalidChordException:
        return False
    return True


def _chord(start: float, end: float, label: str) -> dict[str, Any]:
    return {"start": float(start), "end": float(end), "label": label}


def _timeline(chords: Any) -> list[dict[str, Any]]:
    """The chords in order, each cut where the next begins; X where there is none or mir_eval cannot read it."""
    spans = sorted((c["start"], c["end"], c["label"]) for c in chords)
    end_of_time = (float("inf"), float("inf"), "X")
    line: list[dict[str, Any]] = []
    for (start, end, label), (following, _, _) in pairwise([*spans, end_of_time]):
        if min(end, following) <= start:
            continue
        if line and start > line[-1]["end"]:
            line.append(_chord(line[-1]["end"], start, "X"))
        line.append(_chord(start, min(end, following), label if _readable(label) else "X"))
    return line


def _accuracies(prediction: Any, target: Any) -> dict[str, float]:
    from mir_eval import chord
    from mir_eval.util import adjust_intervals, intervals_to_durations, merge_labeled_intervals

    truth, truth_labels = _arrays(target)
    span = (truth.min(), truth.max())
    found, found_labels = adjust_intervals(*_arrays(prediction), *span, chord.NO_CHORD, chord.NO_CHORD)
    merged, reference, estimate = merge_labeled_intervals(truth, truth_labels, found, found_labels)
    seconds = intervals_to_durations(merged)
    return {
        "majmin": float(chord.weighted_accuracy(chord.majmin(reference, estimate), seconds)),
        "root": float(chord.weighted_accuracy(chord.root(reference, estimate), seconds)),
    }


def _arrays(chords: Any) -> tuple[NDArray[np.float64], list[str]]:
    bounds = np.array([(c["start"], c["end"]) for c in chords], float).reshape(-1, 2)
    return bounds, [c["label"] for c in chords]
