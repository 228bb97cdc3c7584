"""Downbeats of ballroom dances: F-measure at 70 ms.

Conventions
-----------
Measured: times of each bar's first beat within 30 s. Label: annotated beats with position 1 (Krebs et al. 2013).
Split and known facts: as in `ballroom_beat`; waltzes have three beats per bar, the other dances four.
Metric: `mir_eval.beat.f_measure`, untrimmed. Mean over excerpts.
Decoding: peaks at least 0.7 s apart; a bar of the fastest Viennese waltzes takes 0.9 s.
Papers: Krebs, Böck & Widmer, ISMIR 2013.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class BallroomDownbeat(BeatTracking):
    """Downbeat tracking in dance music."""

    info = Info("ballroom_downbeat", "Downbeat tracking, ballroom", "Krebs, Böck & Widmer 2013")
    level = "time"
    corpus = "ballroom"
    labels = ("downbeats",)
    min_seconds = 0.7
