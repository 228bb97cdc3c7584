"""Beats in ten genres: F-measure at 70 ms.

Conventions
-----------
Measured: beat times within 30 s. Label: annotated beats (Marchand et al. 2015).
Split: GTZAN's fault-filtered one, 443 / 197 / 290, less clips without beats. The field trains elsewhere and tests on
all clips, so that its figures are not comparable.
Known: artists are not annotated and may be in training and test.
Metric: `mir_eval.beat.f_measure`, untrimmed (the field drops the first 5 s). Mean over clips.
Decoding: peaks at least 0.2 s apart (300 bpm).
Paper: Marchand, Fresnel & Peeters: GTZAN-Rhythm, ISMIR 2015 late-breaking.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class GTZANBeat(BeatTracking):
    """Beat tracking across genres."""

    info = Info("gtzan_beat", "Beat tracking, GTZAN", "Marchand, Fresnel & Peeters 2015")
    level = "time"
    corpus = "gtzan"
    labels = ("beats",)
    min_seconds = 0.2
