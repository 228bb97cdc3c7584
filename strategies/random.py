"""Random: the untrained encoder, read out like every trained one: the bar that a pretext task must clear."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Random(Strategy):
    """No pre-training: the weights as they were initialized with the seed, BatchNorm settled on the corpus."""

    info = Info("random", "Untrained encoder", "baseline", version=2)
    family = "baseline"
    trains = False
    settled = True
