"""Gentle filters of (B, T) waveforms in the frequency domain: zero phase, 12 dB per octave, each its own cutoff.

All are one prototype, 1 / (1 + ratio^2), with the ratio f / cutoff for a low-pass and cutoff / f for a high-pass: -6 dB
at the cutoff. The papers' steep ones are in windowed_sinc.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from benchmark.audio.augment import chosen, some, uniform

Range = tuple[float, float]


def pass_filter(x: Tensor, share: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (200-1200 Hz) or low-pass (2200-4000 Hz), a fair coin, for a share of (B, T); CLMR's ranges.

    Zero-phase, 12 dB per octave, in the frequency domain: one transform serves every cutoff of the batch.
    """
    return PassFilter.drawn(len(x), share, generator).filtered(x, sample_rate)


class PassFilter(NamedTuple):
    """High- or low-passes for some examples of a batch.

    Attributes:
        at: (n,) which examples.
        low_cut, high_cut: (n, 1) cutoffs in Hz.
        is_high_pass: (n, 1) which of them counts.
    """

    at: Tensor
    low_cut: Tensor
    high_cut: Tensor
    is_high_pass: Tensor

    @classmethod
    def drawn(cls, count: int, share: float, generator: torch.Generator) -> PassFilter:
        """Draw for so many examples."""
        at = some(count, share, generator)
        cuts = uniform(len(at), 200, 1200, generator), uniform(len(at), 2200, 4000, generator)
        return cls(at, *cuts, chosen(len(at), 0.5, generator))

    def within(self, start: int, stop: int) -> PassFilter:
        """Those of examples `start` to `stop`, counted from there."""
        here = (self.at >= start) & (self.at < stop)
        return PassFilter(self.at[here] - start, *(draw[here] for draw in self[1:]))

    def filtered(self, x: Tensor, sample_rate: int) -> Tensor:
        """(B, T), filtered."""
        if not len(self.at):  # a transform of nothing is an error
            return x
        samples = x.shape[1]
        f = torch.fft.rfftfreq(samples, 1 / sample_rate, device=x.device)
        ratio = torch.where(self.is_high_pass, self.low_cut / f.clamp(min=1.0), f / self.high_cut)
        spectrum = torch.fft.rfft(x[self.at])
        spectrum *= ratio.square_().add_(1).reciprocal_()
        return x.index_copy(0, self.at, torch.fft.irfft(spectrum, n=samples))


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
