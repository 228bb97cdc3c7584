"""A convolutional network on a constant-Q spectrogram that commutes with transposition, for PESTO and STONE.

All layers are convolutions over pitch and time with the same weights at every pitch, and pitch is never strided: notes
a semitone higher have the same maps, three bins higher. PESTO's network ends in a few channels over pitch, and so does
this one, but each bin also hears what is around it in time, since probes read rhythm too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.encoders.constant_q import BINS, BINS_PER_SEMITONE, HOP, SAMPLE_RATE, ConstantQ
from benchmark.interfaces import Info
from benchmark.modules import PitchEncoder

WIDTH = 16


class _Block(nn.Module):
    """Residual: 7 bins and 5 frames around each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(WIDTH, WIDTH, (7, 5), padding=(3, 2), bias=False)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


class CQTCNN(PitchEncoder):
    """18 k parameters, 25 frames/s.

    The embedding holds what moves with pitch and what does not: both pitch maps at each of 99 semitones (the mean of
    its three bins), and each channel below them, averaged over pitch; 214 dimensions.
    """

    info = Info("cqt_cnn", "Transposition-equivariant CNN on constant-Q (296 bins)", "after Riou et al. 2023 (PESTO)")
    sample_rate = SAMPLE_RATE
    bins_per_semitone = BINS_PER_SEMITONE
    channels = 2
    embedding_dim = channels * -(-BINS // BINS_PER_SEMITONE) + WIDTH
    frame_rate = SAMPLE_RATE / HOP

    def __init__(self) -> None:
        super().__init__()
        self.front_end = ConstantQ()
        self.stem = nn.Sequential(
            nn.Conv2d(1, WIDTH, (15, 1), padding=(7, 0), bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True),
            _Block(),
            _Block(),
        )
        self.to_maps = nn.Sequential(
            nn.Conv2d(WIDTH, self.channels, 1, bias=False), nn.BatchNorm2d(self.channels), nn.LeakyReLU(0.3)
        )
        module: Any = self  # whose types know of this in some versions of torch alone
        module.to(memory_format=torch.channels_last)

    def features(self, waveform: Tensor) -> Tensor:
        """Log power, (B, 296, frames at 25 per second)."""
        features: Tensor = self.front_end(waveform)
        return features

    def _below(self, features: Tensor) -> Tensor:
        below: Tensor = self.stem(features.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        return below

    def pitch_maps(self, features: Tensor) -> Tensor:
        """(B, bins, frames) to (B, 2, bins, frames)."""
        maps: Tensor = self.to_maps(self._below(features))
        return maps

    def body(self, features: Tensor) -> Tensor:
        """(B, 296, frames) to (B, frames, 214)."""
        below = self._below(features)
        semitones = F.avg_pool2d(self.to_maps(below), (BINS_PER_SEMITONE, 1), ceil_mode=True)
        return torch.cat([semitones.flatten(1, 2), below.mean(dim=2)], dim=1).transpose(1, 2)
