"""Augmentations of waveforms: batched, on the device, each example with its own draw from the generator given.

Conventions, here and in filters.py, windowed_sinc.py and stretch.py: (B, T) float32 in and out, inputs unchanged;
nothing waits for the device and shapes depend on no draw. `sometimes` gives any of them to a share of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

#: samples of noise that are kept
POOL = 2**21


def at_hand(device: torch.device) -> bool:
    """Whether values can be read there without waiting for a device."""
    return device.type == "cpu"


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


def sometimes(
    x: Tensor,
    share: float,
    transform: Callable[..., Tensor],
    generator: torch.Generator,
    *along: Tensor,
    crops_per_track: int = 1,
) -> Tensor:
    """Transform `some` of the examples of (B, T); the others pass as they are.

    Args:
        along: (B, ...) what `transform` is told of each of its examples besides.
        crops_per_track: crops of one track share its fate; (B, T) holds one of each track, then another of each, ...
    """
    tracks = len(x) // crops_per_track
    crop = torch.arange(crops_per_track, device=x.device)
    at = (some(tracks, share, generator) + tracks * crop[:, None]).flatten()
    return x.index_copy(0, at, transform(x[at], *(a[at] for a in along))) if len(at) else x


def noise(x: Tensor, share: float, low_snr_db: float, high_snr_db: float, generator: torch.Generator) -> Tensor:
    """Add white noise to a share of the examples of (B, T), at a signal-to-noise ratio uniform in dB."""
    return Noise.drawn(x, share, low_snr_db, high_snr_db, generator).added(x)


class Noise(NamedTuple):
    """White noise for some examples of a batch, before it is added: draws do not depend on the sound.

    Attributes:
        at: (n,) which examples.
        level: (n, 1) of the noise beside the example's own.
        white: (N, T) noise; on a CPU all pieces of two minutes that are drawn once, since drawing takes longest.
        piece: (n,) rows of it.
    """

    at: Tensor
    level: Tensor
    white: Tensor
    piece: Tensor

    @classmethod
    def drawn(cls, x: Tensor, share: float, low_snr_db: float, high_snr_db: float, generator: torch.Generator) -> Noise:
        """Draw for (B, T)."""
        at, samples = some(len(x), share, generator), x.shape[1]
        level = 10 ** (-uniform(len(at), low_snr_db, high_snr_db, generator) / 20)
        if at_hand(x.device) and samples <= POOL // 4:
            piece = torch.randint(POOL - samples + 1, (len(at),), generator=generator)
            return cls(at, level, _pool().unfold(0, samples, 1), piece)
        white = torch.randn(len(at), samples, generator=generator, device=x.device)
        return cls(at, level, white, torch.arange(len(at), device=x.device))

    def within(self, start: int, stop: int) -> Noise:
        """Those of examples `start` to `stop`, counted from there."""
        here = (self.at >= start) & (self.at < stop)
        return Noise(self.at[here] - start, self.level[here], self.white, self.piece[here])

    def added(self, x: Tensor) -> Tensor:
        """(B, T) with the noise."""
        heard = x[self.at]
        level = torch.linalg.vector_norm(heard, dim=1, keepdim=True) / x.shape[1] ** 0.5
        return x.index_copy(0, self.at, torch.addcmul(heard, self.white[self.piece], level * self.level))


@cache
def _pool() -> Tensor:
    return torch.randn(POOL, generator=torch.Generator().manual_seed(0))


def colored_noise(
    x: Tensor,
    snr_db: tuple[float, float],
    decay: tuple[float, float],
    sample_rate: int,
    generator: torch.Generator,
) -> Tensor:
    """Add colored noise to (B, T), at a signal-to-noise ratio uniform in dB; color and ratio are drawn in ranges.

    Decay 0 is white (`noise` is faster), 1 brown, -1 violet: 6 dB per octave each, from about 100 Hz on, below which it
    is flat: else dark noise would meet its level with what no one hears.

    Source: SemiSupCon's code (Guinot et al. 2024) by torch-audiomentations 0.12.0: 3 to 30 dB, decay -2 to 2, which are
    exponents of the magnitude, on this very frequency axis.
    """
    n, samples = x.shape
    exponent = uniform(n, *decay, generator)
    nyquist = sample_rate / 2
    axis = 1 + (math.sqrt(nyquist) - 1) / nyquist * torch.fft.rfftfreq(samples, 1 / sample_rate, device=x.device)
    white = torch.randn(n, samples, generator=generator, device=x.device)
    colored = torch.fft.irfft(torch.fft.rfft(white) * axis**-exponent, n=samples)
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
    """Add echoes to (B, T) and halve the sum: (x[t] + sum over i >= 1 of volume attenuation^(i - 1) x[t - i lag]) / 2.

    Args:
        low_ms: the shortest delay; delays are drawn from low, low + step ... up to and with `high_ms`.
        volume: level of the first echo beside the direct sound.
        repeats: number of echoes.
        attenuation: level of each echo beside the one before.

    Source: CLMR's code (Spijkervet & Burgoyne 2021): 200 to 450 ms in steps of 50, volume 0.5, one echo.
    """
    steps = torch.randint((high_ms - low_ms) // step_ms + 1, (len(x), 1), generator=generator, device=generator.device)
    lag = (low_ms + step_ms * steps) * sample_rate // 1000
    return _with_copies(x, {i + 1: volume * attenuation**i for i in range(repeats)}, lag)


def soft_echoes(x: Tensor, sample_rate: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """SemiSupCon's echoes: (x[t] + sum over 0 <= i < repeats of volume attenuation^i x[t - i lag]) / 2 of (B, T).

    The first copy comes at once, with the direct sound: the first echo is 11 to 23 dB below both, and half of the
    examples, with a single repeat, have none and are turned down only.

    Args:
        sample_rate: in Hz.
        generator: as many draws at every strength.
        strength: at 1 a lag of 100 to 500 ms, volume .3 or .7, attenuation .3 or .7, 1 or 3 repeats, as in training.

    Source: SemiSupCon's code (Guinot et al. 2024).
    """
    n, device = len(x), generator.device
    shortest, longest = (int(ms * sample_rate / 1000) for ms in (100 / strength, 500))
    lag = torch.randint(shortest, longest + 1, (n, 1), generator=generator, device=device)
    volume, repeats, attenuation = 0.5 * strength, int(2 * strength), min(1.0, 0.5 * strength)
    volumes, attenuations = (v + 0.2 - 0.4 * chosen(n, 0.5, generator).float() for v in (volume, attenuation))
    few = chosen(n, 0.5, generator)
    copies = {i: volumes * attenuations**i * (~few if i >= repeats - 1 else 1) for i in range(repeats + 1)}
    return _with_copies(x, copies, lag)


def _with_copies(x: Tensor, copies: Mapping[int, float | Tensor], lag: Tensor) -> Tensor:
    """Half of (B, T) and its copies, i lags late each at a level of its own."""
    position = torch.arange(x.shape[1], device=x.device)
    heard = x
    for i, level in copies.items():
        source = position - i * lag
        heard = heard + level * x.gather(1, source.clamp(min=0)) * (source >= 0)
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
        rt60_s: range of the time in which the reverberation falls by 60 dB, in seconds, uniform on a log scale.
        wet_db: range of the reverberation's energy beside the direct sound's, uniform in dB.

    Source: Moorer 1979 for the model. A stand-in for sox's reverb in CLMR, whose knobs have no units.
    """
    n, samples = x.shape
    tail = min(int(rt60_s[1] * sample_rate), samples)
    t = torch.arange(1, tail + 1, device=x.device) / sample_rate
    rt60 = torch.exp(uniform(n, math.log(rt60_s[0]), math.log(rt60_s[1]), generator))
    room = torch.randn(n, tail, generator=generator, device=x.device) * 10 ** (-3 * t / rt60)
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
