"""Filters of (B, T) waveforms in the frequency domain: zero phase, 12 dB per octave, each example its own cutoff.

All are one prototype, 1 / (1 + ratio^2), with the ratio f / cutoff for a low-pass, cutoff / f for a high-pass, and
(f^2 - f0^2) / (f width) for a band-pass (its inverse for a band-stop): -6 dB at each cutoff.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.audio.augment import chosen, some, uniform

Range = tuple[float, float]


def pass_filter(x: Tensor, share: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (200-1200 Hz) or low-pass (2200-4000 Hz), a fair coin, for a share of (B, T); CLMR's ranges.

    Zero-phase, 12 dB per octave, in the frequency domain: one transform serves every cutoff of the batch.
    """
    at = some(len(x), share, generator)
    n, samples = len(at), x.shape[1]
    if not n:  # a transform of nothing is an error
        return x
    f = torch.fft.rfftfreq(samples, 1 / sample_rate, device=x.device)
    low_cut, high_cut = uniform(n, 200, 1200, generator), uniform(n, 2200, 4000, generator)
    ratio = torch.where(chosen(n, 0.5, generator), low_cut / f.clamp(min=1.0), f / high_cut)
    filtered = torch.fft.irfft(torch.fft.rfft(x[at]) / (1 + ratio.square()), n=samples)
    return x.index_copy(0, at, filtered)


def low_pass(x: Tensor, cutoff_hz: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Low-pass (B, T), cutoffs uniform on the mel scale in a range in Hz."""
    return _filtered(x, _frequencies(x, sample_rate) / _uniform_mel(len(x), cutoff_hz, generator))


def high_pass(x: Tensor, cutoff_hz: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (B, T), cutoffs uniform on the mel scale in a range in Hz."""
    return _filtered(x, _uniform_mel(len(x), cutoff_hz, generator) / _frequencies(x, sample_rate))


def band_pass(x: Tensor, center_hz: Range, fraction: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Band-pass (B, T) between center (1 - fraction / 2) and center (1 + fraction / 2).

    Args:
        center_hz: range of the band's middle, uniform on the mel scale.
        fraction: range of the bandwidth as a share of the center, below 2.
    """
    return _filtered(x, _band(x, center_hz, fraction, sample_rate, generator))


def band_stop(x: Tensor, center_hz: Range, fraction: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    """What `band_pass` takes away."""
    return _filtered(x, 1 / _band(x, center_hz, fraction, sample_rate, generator))


def any_filter(x: Tensor, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Band-pass, band-stop, high-pass or low-pass, as likely as each other, for each example of (B, T).

    Source: SemiSupCon's code (Guinot et al. 2024) with torch-audiomentations' mel scale: bands around 200-4000 Hz of
    0.5-1.99 times the center, high-pass 200-2400 Hz, low-pass 150-7500 Hz.
    """
    f, n = _frequencies(x, sample_rate), len(x)
    band = _band(x, (200, 4000), (0.5, 1.99), sample_rate, generator)
    high = _uniform_mel(n, (200, 2400), generator) / f
    low = f / _uniform_mel(n, (150, 7500), generator)
    kind = torch.randint(4, (n,), generator=generator, device=generator.device)
    return _filtered(x, torch.stack([band, 1 / band, high, low])[kind, torch.arange(n, device=x.device)])


def _frequencies(x: Tensor, sample_rate: int) -> Tensor:
    """(T / 2 + 1,) in Hz; 1 Hz stands for 0, to divide by."""
    f: Tensor = torch.fft.rfftfreq(x.shape[1], 1 / sample_rate, device=x.device)
    return f.clamp(min=1.0)


def _filtered(x: Tensor, ratio: Tensor) -> Tensor:
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(x) / (1 + ratio.square()), n=x.shape[1])
    return filtered


def _band(x: Tensor, center_hz: Range, fraction: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    f = _frequencies(x, sample_rate)
    center, share = _uniform_mel(len(x), center_hz, generator), uniform(len(x), *fraction, generator)
    geometric_mean_squared = center.square() * (1 - share.square() / 4)
    return (f.square() - geometric_mean_squared) / (f * center * share)


def _uniform_mel(n: int, hz: Range, generator: torch.Generator) -> Tensor:
    """(n, 1) frequencies in Hz, uniform on the mel scale (O'Shaughnessy 1987)."""
    low, high = (2595 * math.log10(1 + f / 700) for f in hz)
    return 700 * (10 ** (uniform(n, low, high, generator) / 2595) - 1)
