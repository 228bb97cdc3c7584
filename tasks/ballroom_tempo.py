"""Tempo of ballroom dances: accuracy within 4 %.

Conventions
-----------
Measured: one tempo in bpm per 30 s. Label: the tempo of the ISMIR 2004 contest's ground truth, an integer.
Split: by album, see the corpus; the field tests on all 698.
Known: each dance has a narrow range of tempi, so that who knows the dance knows the tempo within some 10 %.
Metric: accuracy1 and, up to the metrical level, accuracy2 (Gouyon et al. 2006); see `tasks.kinds.tempo`.
Aggregation: mean of the windows' logits over tempo bins.
Paper: Gouyon et al. 2006.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tempo import TempoEstimation


class BallroomTempo(TempoEstimation):
    """Tempo of dance music."""

    info = Info("ballroom_tempo", "Tempo, ballroom", "Gouyon et al. 2006", version=2)
    level = "time"
    corpus = "ballroom"
