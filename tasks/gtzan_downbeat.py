"""Downbeats in ten genres: F-measure at 70 ms.

Conventions
-----------
Measured: times of each bar's first beat within 30 s. Label: annotated beats with position 1 (Marchand et al. 2015);
clips whose beats have no positions are left out.
Split and known facts: as in `gtzan_beat`.
Metric: `mir_eval.beat.f_measure`, untrimmed. Mean over clips.
Decoding: peaks at least 0.6 s apart: bars of two fast beats are shorter still, and rare.
Paper: Marchand, Fresnel & Peeters: GTZAN-Rhythm, ISMIR 2015 late-breaking.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class GTZANDownbeat(BeatTracking):
    """Downbeat tracking across genres."""

    info = Info("gtzan_downbeat", "Downbeat tracking, GTZAN", "Marchand, Fresnel & Peeters 2015")
    level = "time"
    corpus = "gtzan"
    labels = ("downbeats",)
    min_seconds = 0.6
