"""Sounds of known pitch and time, and instruments that read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.views import ViewConfig, augmented

RATE = 16_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(hz: float, n: int = 16, seconds: float = 1.0) -> Tensor:
    t = torch.arange(int(RATE * seconds), dtype=torch.float64) / RATE
    return torch.sin(2 * torch.pi * hz * t).float().repeat(n, 1)


def click(at_s: float, n: int = 1, seconds: float = 3.0) -> Tensor:
    x = torch.zeros(n, int(RATE * seconds))
    x[:, round(at_s * RATE)] = 1.0
    return x


def level_db(x: Tensor) -> Tensor:
    return 10 * torch.log10(x.square().mean(dim=1))


def peak_hz(x: Tensor) -> np.ndarray:
    """The strongest frequency of each example, to a fraction of a hertz; the edges of the crop are left out."""
    middle = x[:, x.shape[1] // 8 : -x.shape[1] // 8].numpy()
    size = 1 << int(np.ceil(np.log2(8 * middle.shape[1])))
    return np.abs(np.fft.rfft(middle * np.hanning(middle.shape[1]), size)).argmax(axis=1) * RATE / size


def peak_s(x: Tensor) -> Tensor:
    """The time of each example's largest sample."""
    return x.abs().argmax(dim=1) / RATE


class Raw(Encoder):
    """Hands the waveform through, as one band."""

    info = Info("raw", "Raw", "none")
    sample_rate = RATE
    embedding_dim = 1
    frame_rate = float(RATE)
    offers = frozenset()

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.unsqueeze(1)

    def body(self, features: Tensor) -> Tensor:
        return features.transpose(1, 2)


def heard(x: Tensor, seed: int = 0, **options: Any) -> Tensor:
    """The views that these options make of waveforms; the draws are the same for any waveforms of one shape."""
    return augmented(x, Raw(), ViewConfig(**options), seeded(seed)).squeeze(1)
