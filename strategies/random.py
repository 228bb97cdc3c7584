"""Random: the untrained encoder, the bar that every pretext task must clear."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Random(Strategy):
    """No pre-training: the encoder as it was initialized with the seed."""

    info = Info("random", "Untrained encoder", "baseline", version=1)
    family = "baseline"
    trains = False
