"""Augmentations of waveforms: batched, on the device, each example with its own draw from the generator given.

Conventions, here and in filters.py and stretch.py: (B, T) float32 in and out, inputs unchanged; nothing waits for the
device and shapes depend on no draw. `sometimes` gives any of them to a share of the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


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


def sometimes(x: Tensor, share: float, transform: Callable[[Tensor], Tensor], generator: torch.Generator) -> Tensor:
    """Transform `some` of the examples of (B, T); the others pass as they are."""
    at = some(len(x), share, generator)
    return x.index_copy(0, at, transform(x[at])) if len(at) else x


def noise(x: Tensor, share: float, low_snr_db: float, high_snr_db: float, generator: torch.Generator) -> Tensor:
    """Add white noise to a share of the examples of (B, T), at a signal-to-noise ratio uniform in dB."""
    at = some(len(x), share, generator)
    level = x[at].square().mean(dim=1, keepdim=True).sqrt()
    level = level * 10 ** (-uniform(len(at), low_snr_db, high_snr_db, generator) / 20)
    white = torch.randn(len(at), x.shape[1], generator=generator, device=x.device)
    return x.index_add(0, at, white * level)


def colored_noise(
    x: Tensor,
    snr_db: tuple[float, float],
    decay: tuple[float, float],
    sample_rate: int,
    generator: torch.Generator,
) -> Tensor:
    """Add noise of power density f^-decay to (B, T), at a signal-to-noise ratio uniform in dB; both drawn in ranges.

    Decay 0 is white (`noise` is faster), 1 pink, 2 brown, -1 blue, -2 violet: 3 dB per octave each. Flat below 20 Hz:
    else brown noise would meet its level with what no one hears.

    Source: SemiSupCon's code (Guinot et al. 2024) by torch-audiomentations: 3 to 30 dB, decay -2 to 2.
    """
    n, samples = x.shape
    exponent = uniform(n, *decay, generator) / 2
    f = torch.fft.rfftfreq(samples, 1 / sample_rate, device=x.device).clamp(min=20.0)
    white = torch.randn(n, samples, generator=generator, device=x.device)
    colored = torch.fft.irfft(torch.fft.rfft(white) * (f / 1000.0) ** -exponent, n=samples)
    level = x.square().mean(dim=1, keepdim=True).sqrt() * 10 ** (-uniform(n, *snr_db, generator) / 20)
    added: Tensor = colored * level / colored.square().mean(dim=1, keepdim=True).sqrt()
    return x + added


def delay(
    x: Tensor,
    low_ms: int,
    high_ms: int,
    sample_rate: int,
    generator: torch.Generator,
    *,
    step_ms: int = 1,
    volume: float = 0.5,
    repeats: int = 1,
    attenuation: float = 0.5,
) -> Tensor:
    """Add echoes to (B, T) and halve the sum: (x[t] + sum over i >= 0 of volume attenuation^i x[t - (i + 1) lag]) / 2.

    Args:
        low_ms: the shortest delay; delays are drawn from low, low + step ... up to and with `high_ms`.
        volume: level of the first echo beside the direct sound.
        repeats: number of echoes.
        attenuation: level of each echo beside the one before.

    Source: CLMR's code (Spijkervet & Burgoyne 2021): 200 to 450 ms in steps of 50, volume 0.5, one echo. SemiSupCon's
    code (Guinot et al. 2024) fades evenly between direct sound and echoes, so its first echo has volume 1: 100 to
    500 ms, two echoes, attenuation 0.5 (it adds both at one place; here the second one follows the first).
    """
    steps = torch.randint((high_ms - low_ms) // step_ms + 1, (len(x), 1), generator=generator, device=generator.device)
    lag = (low_ms + step_ms * steps) * sample_rate // 1000
    position = torch.arange(x.shape[1], device=x.device)
    heard = x
    for i in range(repeats):
        source = position - (i + 1) * lag
        heard = heard + volume * attenuation**i * x.gather(1, source.clamp(min=0)) * (source >= 0)
    return heard / 2


def reverb(
    x: Tensor,
    rt60_s: tuple[float, float],
    wet_db: tuple[float, float],
    sample_rate: int,
    generator: torch.Generator,
) -> Tensor:
    """Convolve (B, T) with a synthetic room: the direct sound as it is, and noise that decays exponentially after it.

    Args:
        rt60_s: range of the time in which the reverberation falls by 60 dB, in seconds.
        wet_db: range of the reverberation's energy beside the direct sound's, in dB.

    Source: Moorer 1979 for the model. A stand-in for sox's reverb in CLMR, whose knobs have no units.
    """
    n, samples = x.shape
    tail = min(int(rt60_s[1] * sample_rate), samples)
    t = torch.arange(1, tail + 1, device=x.device) / sample_rate
    room = torch.randn(n, tail, generator=generator, device=x.device) * 10 ** (-3 * t / uniform(n, *rt60_s, generator))
    room = room * 10 ** (uniform(n, *wet_db, generator) / 20) / room.square().sum(dim=1, keepdim=True).sqrt()
    # room for the whole tail, so that the end of a crop does not wrap into its beginning
    size = 1 << (samples + tail).bit_length()
    response = F.pad(room, (1, 0))
    wet: Tensor = torch.fft.irfft(torch.fft.rfft(x, size) * torch.fft.rfft(response, size), n=size)
    return x + wet[:, :samples]


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
