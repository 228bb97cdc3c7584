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
    return x * (1 - 2 * chosen(len(x), p, generator).to(x.dtype))


def some(n: int, share: float, generator: torch.Generator) -> Tensor:
    """Indices of `round(share * n)` of n examples, drawn without replacement.

    Each example is chosen with probability `share`; that their number is fixed keeps shapes static (no wait for the
    device) and spends nothing on the others, which a mask would.
    """
    return torch.randperm(n, generator=generator, device=generator.device)[: round(share * n)]


def noise(x: Tensor, share: float, low_snr_db: float, high_snr_db: float, generator: torch.Generator) -> Tensor:
    """Add white noise to a share of the examples of (B, T), at a signal-to-noise ratio uniform in dB."""
    at = some(len(x), share, generator)
    level = x[at].square().mean(dim=1, keepdim=True).sqrt()
    level = level * 10 ** (-uniform(len(at), low_snr_db, high_snr_db, generator) / 20)
    white = torch.randn(len(at), x.shape[1], generator=generator, device=x.device)
    return x.index_add(0, at, white * level)


def pass_filter(x: Tensor, share: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """High-pass (200-1200 Hz) or low-pass (2200-4000 Hz), a fair coin, for a share of (B, T); CLMR's ranges.

    Zero-phase, 12 dB per octave, in the frequency domain: one transform serves every cutoff of the batch.
    """
    at = some(len(x), share, generator)
    n, samples = len(at), x.shape[1]
    f = torch.fft.rfftfreq(samples, 1 / sample_rate, device=x.device)
    low_cut, high_cut = uniform(n, 200, 1200, generator), uniform(n, 2200, 4000, generator)
    ratio = torch.where(chosen(n, 0.5, generator), low_cut / f.clamp(min=1.0), f / high_cut)
    filtered = torch.fft.irfft(torch.fft.rfft(x[at]) / (1 + ratio.square()), n=samples)
    return x.index_copy(0, at, filtered)


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
