"""Tempo: beats per minute, Accuracy 1.

Conventions
-----------
Measured: the tempo of a clip of 8 s. Label: the beats that pass in it, per minute (58 to 185). The beat is the
notated one, a dotted quarter in 6/8; it drifts by some percent within the clip. Log-uniform over 60-180 bpm before
drift.
Shortcuts removed: in real collections a style tells its tempo (reels are fast, airs are slow); here the tempo is
drawn for each clip whatever the work, its metre, dance and instruments. What remains is the choice of the metrical
level, which the notation settles and the sound may not: `accuracy2` forgives it.
Metric: `accuracy1`, within 4 % of the label, and `accuracy2`, also of its double, triple, half or third (Gouyon et
al. 2006). Always the likeliest tempo: 0.07.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tempo import TempoEstimation


class Tempo(TempoEstimation):
    """Tempo on a logarithmic scale; the limits leave room for the drift."""

    info = Info("tempo", "Tempo", "Gouyon et al. 2006", version=2)
    level = "time"
    corpus = "rendered_scores"
    labels = ("tempo",)
    bpm_range = (55.0, 200.0)
