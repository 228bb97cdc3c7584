"""Augmentations: batched, on the device, each example with its own draw from the generator given."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(n, 1) draws on the generator's device."""
    return low + (high - low) * torch.rand(n, 1, generator=generator, device=generator.device)


def chosen(n: int, p: float, generator: torch.Generator) -> Tensor:
    """(n, 1) mask, true with probability p."""
    return torch.rand(n, 1, generator=generator, device=generator.device) < p


def gain(x: Tensor, low_db: float, high_db: float, generator: torch.Generator) -> Tensor:
    """Scale each example of (B, T) by a level uniform in dB."""
    return x * torch.pow(10.0, uniform(len(x), low_db, high_db, generator) / 20)


def polarity(x: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Invert the sign of each example with probability p."""
    return torch.where(chosen(len(x), p, generator), -x, x)


def noise(x: Tensor, p: float, low_snr_db: float, high_snr_db: float, generator: torch.Generator) -> Tensor:
    """Add white noise at a signal-to-noise ratio uniform in dB, with probability p."""
    rms = x.square().mean(dim=1, keepdim=True).sqrt()
    level = rms * 10 ** (-uniform(len(x), low_snr_db, high_snr_db, generator) / 20)
    level = torch.where(chosen(len(x), p, generator), level, torch.zeros_like(level))
    return x + level * torch.randn(x.shape, generator=generator, device=x.device)


def pass_filter(x: Tensor, p: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (200-1200 Hz) or low-pass (2200-4000 Hz), a fair coin, with probability p; CLMR's ranges.

    Zero-phase, 12 dB per octave, in the frequency domain: one transform serves every cutoff of the batch.
    """
    f = torch.fft.rfftfreq(x.shape[1], 1 / sample_rate, device=x.device)
    n = len(x)
    low_cut, high_cut = uniform(n, 200, 1200, generator), uniform(n, 2200, 4000, generator)
    ratio = torch.where(chosen(n, 0.5, generator), low_cut / f.clamp(min=1.0), f / high_cut)
    response = 1 / (1 + ratio.square())
    response = torch.where(chosen(n, p, generator), response, torch.ones_like(response))
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(x) * response, n=x.shape[1])
    return filtered


def mask_bands(features: Tensor, axis: int, largest: float, generator: torch.Generator) -> Tensor:
    """Replace one random span of (B, bands, frames) along `axis` by the example's mean: SpecAugment's masks.

    Args:
        axis: 1 masks frequency, 2 masks time.
        largest: the widest span as a share of the axis; widths are uniform from 0.
    """
    size = features.shape[axis]
    width = uniform(len(features), 0, largest * size, generator)
    start = uniform(len(features), 0, 1, generator) * (size - width)
    at = torch.arange(size, device=features.device)[None]
    span = (at >= start) & (at < start + width)
    mean = features.mean(dim=(1, 2), keepdim=True)
    return torch.where(span.unsqueeze(2 if axis == 1 else 1), mean, features)


def pitch_shift(x: Tensor, low_cents: int, high_cents: int, generator: torch.Generator) -> Tensor:
    """Shift by cents, by resampling without keeping the duration; off by default, since it erases key and pitch.

    Linear interpolation of (B, T), wrapped in time, so that the length stays.
    """
    ratio = 2 ** (uniform(len(x), low_cents, high_cents, generator) / 1200)
    position = torch.arange(x.shape[1], device=x.device) * ratio
    index = position.long()
    fraction = position - index
    return x.gather(1, index % x.shape[1]) * (1 - fraction) + x.gather(1, (index + 1) % x.shape[1]) * fraction
