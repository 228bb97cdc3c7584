"""Random, unsettled: the untrained encoder with BatchNorm off, a strong shallow feature."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class RandomUnsettled(Strategy):
    """No pre-training, and nothing of the corpus: BatchNorm stays the identity that it is initialized as.

    With all labels of the small corpus it reads instrument at .51 and key at .46, where `random` reads .38 and .35 (two
    seeds). So what pre-training gains is held against whichever of the two reads a level better.
    """

    info = Info("random_unsettled", "Untrained encoder, BatchNorm off", "baseline", version=1)
    family = "baseline"
    trains = False
