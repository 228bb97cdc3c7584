"""Gentle filters of (B, T) waveforms in the frequency domain: zero phase, 12 dB per octave, each its own cutoff.

All are one prototype, 1 / (1 + ratio^2), with the ratio f / cutoff for a low-pass and cutoff / f for a high-pass: -6 dB
at the cutoff. The papers' steep ones are in windowed_sinc.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.audio.augment import at_hand, chosen, some, uniform

Range = tuple[float, float]
#: examples at a time on a CPU, whose spectra stay in its cache
PART = 16


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
    high = chosen(n, 0.5, generator)
    out, part = x.clone(), PART if at_hand(x.device) else n
    for rows, low, top, is_high in zip(
        *(torch.split(draw, part) for draw in (at, low_cut, high_cut, high)), strict=True
    ):
        ratio = torch.where(is_high, low / f.clamp(min=1.0), f / top)
        spectrum = torch.fft.rfft(x[rows])
        spectrum *= ratio.square_().add_(1).reciprocal_()
        out[rows] = torch.fft.irfft(spectrum, n=samples)
    return out


def low_pass(x: Tensor, cutoff_hz: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Low-pass (B, T), cutoffs uniform on the mel scale in a range in Hz."""
    return _filtered(x, _frequencies(x, sample_rate) / uniform_mel(len(x), cutoff_hz, generator))


def high_pass(x: Tensor, cutoff_hz: Range, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (B, T), cutoffs uniform on the mel scale in a range in Hz."""
    return _filtered(x, uniform_mel(len(x), cutoff_hz, generator) / _frequencies(x, sample_rate))


def uniform_mel(n: int, hz: Range, generator: torch.Generator) -> Tensor:
    """(n, 1) frequencies in Hz, uniform on the mel scale (O'Shaughnessy 1987)."""
    low, high = (2595 * math.log10(1 + f / 700) for f in hz)
    return 700 * (10 ** (uniform(n, low, high, generator) / 2595) - 1)


def _frequencies(x: Tensor, sample_rate: int) -> Tensor:
    """(T / 2 + 1,) in Hz; 1 Hz stands for 0, to divide by."""
    f: Tensor = torch.fft.rfftfreq(x.shape[1], 1 / sample_rate, device=x.device)
    return f.clamp(min=1.0)


def _filtered(x: Tensor, ratio: Tensor) -> Tensor:
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(x) / (1 + ratio.square()), n=x.shape[1])
    return filtered
