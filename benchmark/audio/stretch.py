"""Pitch and tempo of (B, T) waveforms, together or apart, each example by its own ratio.

`speed` resamples; `time_stretch` is a phase vocoder; `pitch_shift` is both. Waveforms are read as loops: what lies
beyond the end of a crop is its beginning. They are dear: for 3 s at 16 kHz, one CPU thread takes about 1 ms for a
filter, 12 for `speed`, 40 for `time_stretch` and 80 for `pitch_shift`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmark.audio.augment import uniform

#: window of the phase vocoder in seconds, to the next power of two: splits the partials of a chord, keeps its onset
WINDOW_S = 0.07
#: a bin that grows by more than this over a hop has an onset: its phase is taken from the sound anew
ONSET = 3.0
#: examples at a time: bounds the memory for overlapping frames
PART = 8


def speed(x: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Play (B, T) faster or slower, which moves pitch and tempo together, like sox's `speed`; ratio uniform in a range.

    Faster ones start over at their end, slower ones are cut, so that the length stays.

    Source: Choi et al. 2022: 0.8 to 1.2.
    """
    ratio = uniform(len(x), low, high, generator)
    return torch.cat([resample(part, r, x.shape[1]) for part, r in _parts(x, ratio)])


def time_stretch(x: Tensor, low: float, high: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Play (B, T) at another tempo and the same pitch; rate uniform in a range, above 1 faster.

    The length stays as in `speed`.
    """
    rate = uniform(len(x), low, high, generator)
    return torch.cat([stretch(part, r, x.shape[1], sample_rate) for part, r in _parts(x, rate)])


def pitch_shift(x: Tensor, low_cents: float, high_cents: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Shift the pitch of (B, T) by cents, uniform in a range; tempo and duration stay.

    Stretched first, so that resampling gives the duration back.

    Source: CLMR (Spijkervet & Burgoyne 2021): +-700 cents; SemiSupCon (Guinot et al. 2024): +-400 cents.
    """
    samples = x.shape[1]
    ratio = 2 ** (uniform(len(x), low_cents, high_cents, generator) / 1200)
    # a multiple of 1024, whose transform is fast, where any length would do
    longest = math.ceil(samples * 2 ** (high_cents / 1200) / 1024) * 1024
    stretched = (stretch(part, 1 / r, longest, sample_rate) for part, r in _parts(x, ratio))
    return torch.cat([resample(s, r, samples) for s, r in zip(stretched, torch.split(ratio, PART), strict=True)])


def resample(x: Tensor, ratio: Tensor, samples: int) -> Tensor:
    """Read (B, T) at the positions n * ratio of each example: (B, samples), by the sum of its Fourier series.

    Exact for the loop of x below the new Nyquist frequency, and nothing folds down from above it. A chirp-z transform
    takes every ratio alike (Rabiner et al. 1969): k n = (k^2 + n^2 - (n - k)^2) / 2 makes the series a convolution.

    Args:
        ratio: (B, 1), above 1 raises the pitch.
    """
    period = x.shape[1]
    k = torch.arange(period // 2 + 1, device=x.device)
    kept = (k * ratio.clamp(min=1) < period / 2) * torch.where(k == 0, 1, 2) / period
    longest, size = max(samples, len(k)), 1 << (samples + len(k) - 2).bit_length()
    # float64 up to the wrap: the phases reach 1e5 radians
    turns = (torch.arange(longest, device=x.device).double().square() * ratio / (2 * period)).frac().to(x.dtype)
    chirp = torch.polar(torch.ones_like(turns), 2 * torch.pi * turns)
    lag = torch.arange(size, device=x.device)
    lag = torch.where(lag < samples, lag, size - lag).clamp(max=longest - 1)
    series = torch.fft.fft(torch.fft.rfft(x) * kept * chirp[:, : len(k)], size)
    out: Tensor = (torch.fft.ifft(series * torch.fft.fft(chirp[:, lag].conj()))[:, :samples] * chirp[:, :samples]).real
    return out


def stretch(x: Tensor, rate: Tensor, samples: int, sample_rate: int) -> Tensor:
    """Play (B, T) at `rate` (B, 1) times its tempo, pitch kept: the first `samples` of it, by a phase vocoder.

    Frames are cut where the new tempo wants them, each with the one a hop before it, so that their phases differ by
    what the new phase must grow by. Bins at an onset take the sound's own phase (Robel 2003), which keeps it sharp;
    bins around a peak keep their phases to it (Laroche & Dolson 1999), without which a held note cancels itself.
    At rate 1 the input comes back.
    """
    size = 2 ** round(math.log2(WINDOW_S * sample_rate))
    hop, window = size // 4, torch.hann_window(size, device=x.device)
    frame = torch.arange(-(-samples // hop) + 3, device=x.device)
    # frame i is heard from (i - 3) hops on: four frames cover each sample
    start = ((frame - 1) * hop * rate).round().long() - size // 2
    now, before = (torch.fft.rfft(_frames(x, start - shift, size) * window) for shift in (0, hop))
    heard = torch.fft.irfft(_rephased(now, before, frame), n=size) * window
    quarters = heard.unflatten(2, (4, hop))
    overlap: Tensor = sum((quarters[:, 3 - q : len(frame) - q, q] for q in range(1, 4)), quarters[:, 3:, 0])
    return overlap.flatten(1)[:, :samples] / 1.5


def _frames(x: Tensor, start: Tensor, size: int) -> Tensor:
    """(B, frames, size) cut from the loops (B, T) at `start` (B, frames)."""
    index = (start.unsqueeze(2) + torch.arange(size, device=x.device)) % x.shape[1]
    return x.gather(1, index.flatten(1)).view(index.shape)


def _rephased(now: Tensor, before: Tensor, frame: Tensor) -> Tensor:
    """The frames (B, frames, bins) with new phases: the sum of the differences since the onset, at each peak."""
    own, magnitude = now.angle(), now.abs()
    phase = (own - before.angle()).cumsum(dim=1)
    onset = magnitude > ONSET * before.abs()
    last = torch.where(onset, frame[:, None], 0).cummax(dim=1).values
    turn = (own - phase).gather(1, last) + phase - own
    return torch.polar(magnitude, own + turn.gather(2, _nearest_peak(magnitude)))


def _nearest_peak(magnitude: Tensor) -> Tensor:
    """The bin of the nearest local maximum of each of (B, frames, bins)."""
    bins, far = torch.arange(magnitude.shape[2], device=magnitude.device), magnitude.shape[2] * 2
    peak = magnitude == F.max_pool1d(magnitude, 3, stride=1, padding=1)
    left = torch.where(peak, bins, -far).cummax(dim=2).values
    right = torch.where(peak, bins, far).flip(2).cummin(dim=2).values.flip(2)
    return torch.where(bins - left <= right - bins, left, right)


def _parts(x: Tensor, ratio: Tensor) -> zip[tuple[Tensor, Tensor]]:
    return zip(torch.split(x, PART), torch.split(ratio, PART), strict=True)
