"""Constant: the predictor that hears nothing."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Constant(Strategy):
    """No pre-training: brings its own encoder, `constant`; its probes learn the class frequencies alone."""

    info = Info("constant", "Constant predictor", "baseline", version=1)
    family = "baseline"
    encoder_name = "constant"
    trains = False
