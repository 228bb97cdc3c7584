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

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class Beat(BeatTracking):
    """Beat tracking from a frame-wise activation; 180 bpm is the fastest tempo, 0.33 s."""

    info = Info("beat", "Beat tracking", "mir_eval.beat (Raffel et al. 2014); Dixon 2007", version=1)
    level = "time"
    corpus = "rendered_scores"
    labels = ("beats",)
    told_by = ("tempo",)
