"""An encoder that hears nothing: a probe on it can learn the classes' frequencies only, the floor of each task."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder


class Constant(Encoder):
    """One zero per frame, 25 frames/s."""

    info = Info(name="constant", title="Constant features", citation="this project")
    offers = frozenset()  # nothing to train
    sample_rate = 16_000
    embedding_dim = 1
    frame_rate = 25.0

    def features(self, waveform: Tensor) -> Tensor:
        """(B, 1, frames) of zeros."""
        return waveform.new_zeros(len(waveform), 1, waveform.shape[1] // 640 + 1)

    def body(self, features: Tensor) -> Tensor:
        """(B, F, 1) of zeros."""
        return torch.zeros_like(features).transpose(1, 2)
