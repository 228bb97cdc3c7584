"""Pitch and tempo of (B, T) waveforms, together or apart, each example by its own ratio.

`speed` resamples; `time_stretch` is a phase vocoder; `pitch_shift` is both. Waveforms are read as loops: what lies
beyond the end of a crop is its beginning. They are dear: for 3 s at 16 kHz, one CPU thread takes about 2 ms for
`speed`, 6 for `time_stretch` and 8 for `pitch_shift`.
"""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional as F

from benchmark.audio import augment
from benchmark.audio.augment import uniform

#: window of the phase vocoder in seconds, to the next power of two: splits the partials of a chord, keeps its onset
WINDOW_S = 0.07
#: a bin that grows by more than this over a hop has an onset: its phase is taken from the sound anew
ONSET = 3.0
#: bins so far from a peak are phased with it, others by themselves: a window's side lobes beyond are inaudible
REACH = 8
#: examples at a time: of so few, the overlapping frames stay in a core's cache; on a GPU, in its memory
PART, PART_ON_GPU = 4, 128
#: lengths that examples are stretched to are multiples of this, whose transforms are fast
STEP = 4096


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
    out = torch.empty_like(x)
    for members, length in _by_length(samples * ratio[:, 0], samples * 2 ** (high_cents / 1200)):
        for part in torch.split(members, _part(x)):
            stretched = stretch(x[part], 1 / ratio[part], length, sample_rate)
            out[part] = resample(stretched, ratio[part], samples)
    return out


def _by_length(needed: Tensor, most: float) -> list[tuple[Tensor, int]]:
    """Examples that are stretched to the same length, and that length: what each needs, in steps.

    On a GPU all have the longest: to look at what each needs would wait for the device.
    """
    every = torch.arange(len(needed), device=needed.device)
    if not augment.at_hand(needed.device):
        return [(every, math.ceil(most / STEP) * STEP)]
    steps = (needed / STEP).ceil().long()
    return [(every[steps == step], step * STEP) for step in sorted(set(steps.tolist()))]


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
    longest, size = max(samples, len(k)), next_fast_len(samples + len(k) - 1)
    # float64 up to the wrap: the phases reach 1e5 radians
    turns = (torch.arange(longest, device=x.device).double().square() * ratio / (2 * period)).frac().to(x.dtype)
    chirp = torch.polar(torch.ones_like(turns), 2 * torch.pi * turns)
    lags = chirp.new_zeros(len(x), size)
    lags[:, :samples] = chirp[:, :samples].conj()
    lags[:, size - len(k) + 1 :] = chirp[:, 1 : len(k)].conj().flip(1)
    series = torch.fft.fft(torch.fft.rfft(x) * kept * chirp[:, : len(k)], size)
    out: Tensor = (torch.fft.ifft(series * torch.fft.fft(lags))[:, :samples] * chirp[:, :samples]).real
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
    heard = torch.fft.irfft(_rephased(now, before), n=size) * window
    quarters = heard.unflatten(2, (4, hop))
    overlap: Tensor = sum((quarters[:, 3 - q : len(frame) - q, q] for q in range(1, 4)), quarters[:, 3:, 0])
    return overlap.flatten(1)[:, :samples] / 1.5


def _frames(x: Tensor, start: Tensor, size: int) -> Tensor:
    """(B, frames, size) cut from the loops (B, T) at `start` (B, frames)."""
    # the loop from its start on, and as much again as a frame may reach beyond its end
    loop = torch.cat([x, x[:, torch.arange(size, device=x.device) % x.shape[1]]], dim=1)
    every = loop.unfold(1, size, 1)
    row = torch.arange(len(x), device=x.device)[:, None]
    return every[row, start % x.shape[1]]


def _rephased(now: Tensor, before: Tensor) -> Tensor:
    """The frames (B, frames, bins) with new phases: since the onset, each has grown by what it grew over a hop.

    Phases are kept as complex numbers of magnitude 1, whose products need no angles.
    """
    magnitude, own = now.abs(), now.sgn()
    onset = magnitude > ONSET * before.abs()
    grown = (now * before.conj()).sgn()
    turn, phase = torch.empty_like(now), own[:, 0]
    for i in range(now.shape[1]):
        phase = torch.where(onset[:, i], own[:, i], phase * grown[:, i]) if i else phase
        turn[:, i] = phase
    turn *= own.conj()
    return now * turn.gather(2, _peak_nearby(magnitude))


def _peak_nearby(magnitude: Tensor) -> Tensor:
    """The bin of the nearest local maximum within REACH of each of (B, frames, bins); of two the lower; or its own."""
    peak = (magnitude == F.max_pool1d(magnitude, 3, stride=1, padding=1)).to(torch.int8)
    # the nearer a peak, the larger its code: in bytes, a maximum is cheaper than a search
    code = peak * (2 * REACH + 2)
    for distance in range(1, REACH + 1):
        near = 2 * (REACH + 1 - distance)
        below, above = code[..., distance:], code[..., :-distance]
        torch.maximum(below, peak[..., :-distance] * (near + 1), out=below)
        torch.maximum(above, peak[..., distance:] * near, out=above)
    offset = (REACH + 1 - (code >> 1)) * (1 - 2 * (code & 1)) * (code > 0)
    return torch.arange(peak.shape[2], device=peak.device) + offset


def _parts(x: Tensor, ratio: Tensor) -> zip[tuple[Tensor, Tensor]]:
    return zip(torch.split(x, _part(x)), torch.split(ratio, _part(x)), strict=True)


def _part(x: Tensor) -> int:
    return PART if augment.at_hand(x.device) else PART_ON_GPU
