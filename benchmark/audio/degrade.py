"""What bad equipment and bad habits do to sound: distortion, compression, few bits, a narrow band, MP3, reversal.

Conventions: one example, (1, T) float32 in and out, input unchanged, nothing drawn; time and pitch stay but in
`reverse`. What depends on level counts from the example's own peak, so that a quiet recording suffers as a loud one.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
import torch
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from torch import Tensor
from torch.nn import functional as F

from benchmark.interfaces import UserError

#: stands for the level of silence, to divide by
TINY = 1e-9
#: over which the compressor holds and smooths its level, in seconds: a period of 40 Hz is heard as one level
HOLD_S = 0.05
#: order of the band limit's slopes: 6 dB per octave each
ORDER = 8
#: lowest and highest bit rate in kbps that libsndfile gives to a sample rate below the one in Hz
MP3_KBPS = {16_000: (8, 64), 32_000: (8, 160), 48_001: (32, 320)}
#: sample rates of MPEG-2.5, MPEG-2 and MPEG-1, in Hz
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
#: samples that LAME and the decoder put before the sound; taken off by the decoder only if the file says so, for which
#: frames of low bit rates have no room
MP3_DELAY = 1105


def leveled(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the power of `like`."""
    return x * (like.square().mean() / x.square().mean().clamp(min=TINY**2)).sqrt()


def distort(x: Tensor, drive_db: float) -> Tensor:
    """Saturate by tanh, which adds the odd harmonics, at the power of `x`.

    Args:
        drive_db: gain before it; at 0 dB the peak meets tanh at 1.
    """
    return leveled(torch.tanh(x / _peak(x) * 10 ** (drive_db / 20)), x)


def compress(x: Tensor, rate: int, threshold_db: float, ratio: float) -> Tensor:
    """Turn loud passages down, then all up to the power of `x`.

    The level is that of the peaks, held over 50 ms around each sample and smoothed over as much: it is never below the
    sample's own, so that no attack slips through.

    Args:
        rate: in Hz.
        threshold_db: below the example's peak, where compression begins.
        ratio: decibels above it in, for one out.
    """
    width = 2 * round(HOLD_S * rate / 2) + 1
    held = maximum_filter1d((x / _peak(x)).abs().double().cpu().numpy(), width, axis=1)
    level_db = 20 * np.log10(np.maximum(uniform_filter1d(held, width, axis=1), TINY))
    gain_db = -np.maximum(level_db - threshold_db, 0) * (1 - 1 / ratio)
    return leveled(x * torch.from_numpy(10 ** (gain_db / 20)).to(x), x)


def quantize(x: Tensor, bits: float) -> Tensor:
    """Round to 2^bits levels, those of two's complement with the example's peak at full scale."""
    peak, steps = _peak(x), 2 ** (bits - 1)
    return (x / peak * steps).round().clamp(-steps, steps - 1) / steps * peak


def band_limit(x: Tensor, rate: int, low_hz: float, high_hz: float) -> Tensor:
    """Keep a band, by Butterworth magnitudes of order 8 at zero phase: -3 dB at its ends, 48 dB per octave beyond."""
    f = torch.fft.rfftfreq(x.shape[1], 1 / rate, dtype=torch.float64, device=x.device).clamp(min=1.0)
    power = (1 + (low_hz / f) ** (2 * ORDER)) * (1 + (f / high_hz) ** (2 * ORDER))
    limited: Tensor = torch.fft.irfft(torch.fft.rfft(x) * power.rsqrt().float(), n=x.shape[1])
    return limited


def reverse(x: Tensor, rate: int, seconds: float) -> Tensor:
    """Play segments of this length backwards, each in its place, or all of `x` if it is not longer.

    Source: locally time-reversed speech (Saberi & Perrott 1999): the longer the segments, the less is understood.
    """
    size = int(min(seconds * rate, x.shape[1]))
    return torch.cat([part.flip(1) for part in torch.split(x, size, dim=1)], dim=1)


def mp3(x: Tensor, rate: int, kbps: float) -> Tensor:
    """Encode as mono MP3 of a constant bit rate and decode, aligned with `x`: LAME's delay is taken off.

    Args:
        rate: in Hz, one that MP3 has.
        kbps: bit rate; the nearest that the sample rate has.

    Raises:
        UserError: MP3 does not have the rate.
    """
    file = io.BytesIO(mp3_bytes(x[0].cpu().numpy(), rate, kbps))
    decoded = torch.from_numpy(soundfile.read(file, dtype="float32")[0])[None].to(x.device)
    # the decoder trims only what the file declares; then the lengths agree
    start = MP3_DELAY if decoded.shape[1] > x.shape[1] else 0
    kept = decoded[:, start : start + x.shape[1]]
    return F.pad(kept, (0, x.shape[1] - kept.shape[1]))


def mp3_bytes(samples: np.ndarray, rate: int, kbps: float) -> bytes:
    """The MP3 file of (T,) mono samples; arguments and errors as in `mp3`."""
    if rate not in MP3_RATES:
        raise UserError(f"mp3: no sample rate of {rate} Hz; corrupt at one of {', '.join(map(str, MP3_RATES))} Hz")
    lowest, highest = next(span for below, span in MP3_KBPS.items() if rate < below)
    # libsndfile divides the span evenly and refuses its very end
    level = min(max((highest - kbps) / (highest - lowest), 0.0), 0.999)
    file = io.BytesIO()
    options = {"subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": level}
    soundfile.write(file, samples, rate, format="MP3", **options)
    return file.getvalue()


def _peak(x: Tensor) -> Tensor:
    return x.abs().amax().clamp(min=TINY)
