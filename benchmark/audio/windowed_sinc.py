"""Steep filters of (B, T) waveforms, those of CLMR's and SemiSupCon's code: a sinc under a Hann window, zero phase.

The window holds eight zero crossings of the sinc on either side, so that everything scales with the cutoff: 6 dB down
there, flat to .1 dB from a third beyond it, and an octave past it 80 dB down (high-pass: 64 dB). Their library, julius
0.2.8, convolves one example after the other; here one transform takes each example with its own cutoffs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.audio.augment import chosen, uniform
from benchmark.audio.filters import uniform_mel

#: of the sinc, on either side of its middle, within the window
CROSSINGS = 8


def pass_filter(x: Tensor, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (200-1200 Hz) or low-pass (2200-4000 Hz) (B, T), a fair coin; cutoffs uniform in Hz.

    Source: CLMR's code, version 2 (Spijkervet & Burgoyne 2021).
    """
    n = len(x)
    high, low = uniform(n, 200, 1200, generator), uniform(n, 2200, 4000, generator)
    removes_low = chosen(n, 0.5, generator)
    upper = torch.where(removes_low, high, low)
    return _filtered(x, torch.zeros_like(upper), upper, removes_low, sample_rate, lowest=200)


def any_filter(x: Tensor, kind: Tensor, sample_rate: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Filter (B, T) by kind: 0 band-pass, 1 band-stop, 2 high-pass, 3 low-pass; cutoffs uniform on the mel scale.

    Args:
        kind: (B,) int64.
        sample_rate: in Hz.
        generator: as many draws at every strength.
        strength: at 1 bands around 200-4000 Hz of 0.5-1.99 times the center, high-pass 200-2400 Hz, low-pass 150-7500
            Hz, as in training; beyond, bands are wider and passes narrower.

    Source: SemiSupCon's code (Guinot et al. 2024) with torch-audiomentations' mel scale.
    """
    n, kind = len(x), kind[:, None]
    center = uniform_mel(n, (200, 4000), generator)
    half = center * uniform(n, 0.5 * strength, 1.99, generator) / 2
    high = uniform_mel(n, (200 * strength, min(sample_rate / 2, 2400 * strength)), generator)
    low = uniform_mel(n, (max(75.0, 150 / strength), 7500 / max(1.0, strength)), generator)
    is_band, removes = kind < 2, (kind == 1) | (kind == 2)
    upper = torch.where(is_band, center + half, torch.where(kind == 2, high, low))
    return _filtered(x, torch.where(is_band, center - half, 0), upper, removes, sample_rate)


def band(low: Tensor, high: Tensor, samples: int, longest: int) -> Tensor:
    """Transfer function of the band between two cutoffs, (B, samples / 2 + 1); 1 minus it is the band-stop's.

    Args:
        low: (B, 1), as a share of the sample rate; 0 makes a low-pass, and 1 minus that is the high-pass.
        high: (B, 1). One window serves both edges, as wide as the lower one wants it: they are equally steep in Hz.
        samples: of what is to be filtered.
        longest: how far the window may reach, in samples.
    """
    t = torch.arange(longest + 1, device=low.device)
    reach = (CROSSINGS / 2 / torch.where(low > 0, low, high)).floor().clamp(max=longest)
    window = torch.where(t <= reach, 0.5 + 0.5 * torch.cos(math.pi * t / reach), 0)
    # the half from the middle on says all of a symmetric response, whose transform is real
    half = _unit(high * torch.sinc(2 * high * t) * window) - _unit(low * torch.sinc(2 * low * t) * window)
    response: Tensor = torch.fft.hfft(half, n=samples)
    return response[:, : samples // 2 + 1]


def _unit(half: Tensor) -> Tensor:
    """Gain 1 at 0 Hz, or 0 everywhere."""
    return half / (2 * half.sum(dim=1, keepdim=True) - half[:, :1]).clamp(min=1e-6)


def _filtered(
    x: Tensor, low_hz: Tensor, high_hz: Tensor, removes: Tensor, sample_rate: int, lowest: float = 0.0
) -> Tensor:
    """(B, T) through bands, or through what they leave; `lowest`: of the cutoffs, where that is known."""
    samples = x.shape[1]
    longest = min(samples // 2, math.ceil(CROSSINGS / 2 * sample_rate / lowest) if lowest else samples)
    passed = band(low_hz / sample_rate, (high_hz / sample_rate).clamp(max=0.5), samples, longest)
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(x) * torch.where(removes, 1 - passed, passed), n=samples)
    return filtered
