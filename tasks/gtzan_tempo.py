"""Tempo in ten genres: accuracy within 4 %.

Conventions
-----------
Measured: one tempo in bpm per 30 s. Label: annotated with the beats (Marchand et al. 2015).
Split: GTZAN's fault-filtered one, 443 / 197 / 290; the field tests on all clips, having trained elsewhere.
Known: 443 clips for some 100 tempi are few: expect low accuracy1, and look at accuracy2, too. Artists are not annotated
and may be in training and test.
Metric: accuracy1 and, up to the metrical level, accuracy2 (Gouyon et al. 2006); see `tasks.kinds.tempo`.
Aggregation: mean of the windows' logits over tempo bins.
Papers: Marchand, Fresnel & Peeters: GTZAN-Rhythm, ISMIR 2015 late-breaking; Gouyon et al. 2006.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tempo import TempoEstimation


class GTZANTempo(TempoEstimation):
    """Tempo across genres."""

    info = Info("gtzan_tempo", "Tempo, GTZAN", "Marchand, Fresnel & Peeters 2015; Gouyon et al. 2006", version=2)
    level = "time"
    corpus = "gtzan"
