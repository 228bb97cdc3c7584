"""MFCC: statistics of MFCC, chroma and onset strength, the handcrafted contestant."""

from __future__ import annotations

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class MFCC(Strategy):
    """No pre-training: brings its own encoder, `mfcc_chroma`."""

    info = Info("mfcc", "MFCC + chroma statistics", "baseline; Davis & Mermelstein 1980, Fujishima 1999", version=1)
    family = "baseline"
    encoder_name = "mfcc_chroma"
    trains = False
