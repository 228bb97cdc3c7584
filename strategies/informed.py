"""Informed: what a textbook would measure for each task, the floor that learning has to beat."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Informed(Strategy):
    """No pre-training: brings its own encoder, `informed`."""

    info = Info(
        "informed",
        "Informed features",
        "baseline; Krumhansl & Kessler 1982, Grosche & Müller 2011, Dixon 2006",
        version=1,
    )
    family = "baseline"
    encoder_name = "informed"
    trains = False
