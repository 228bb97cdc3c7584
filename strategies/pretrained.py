"""Pretrained: weights that an earlier run exported, as they are: a row that costs no training."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Pretrained(Strategy):
    """No pre-training here: the grid says whose `weights` it has, and they bring their encoder."""

    info = Info("pretrained", "Encoder of an export, frozen", "whoever trained it: see its model card", version=1)
    family = "pretrained elsewhere"
    trains = False
    imported = True
