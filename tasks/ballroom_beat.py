"""Beats of ballroom dances: F-measure at 70 ms.

Conventions
-----------
Measured: beat times within 30 s. Label: annotated beats at the metrical level that the dance prescribes (Krebs et al.
2013); introductions without beats are not annotated, so that beats found there count as errors.
Split: by album, see the corpus; the field reports 8-fold cross-validation over all 685.
Known: the metrical level follows from the dance, and dances differ in timbre.
Metric: `mir_eval.beat.f_measure`, untrimmed (the field drops the first 5 s). Mean over excerpts.
Decoding: peaks at least 0.2 s apart; the fastest quicksteps have 0.27 s.
Papers: Gouyon et al. 2006; Krebs, Böck & Widmer, ISMIR 2013.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class BallroomBeat(BeatTracking):
    """Beat tracking in dance music."""

    info = Info("ballroom_beat", "Beat tracking, ballroom", "Krebs, Böck & Widmer 2013; Gouyon et al. 2006")
    level = "time"
    corpus = "ballroom"
    labels = ("beats",)
    min_seconds = 0.2
