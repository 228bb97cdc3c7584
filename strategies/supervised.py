"""Supervised: no pretext task; the same encoder learns each downstream task's labels from scratch."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Supervised(Strategy):
    """The bar that CLMR compares with: one training per task, fraction and resample, on the probes' own subsets."""

    info = Info("supervised", "Supervised from scratch", "baseline; Spijkervet & Burgoyne 2021, section 4", version=2)
    family = "labels"
    trains = False
    supervised = True
