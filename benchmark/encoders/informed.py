"""Informed features: what a textbook would measure for each task, with nothing learned but the probe on top.

Key: correlations of chroma with key profiles. Tempo: a tempogram. Beat: loudness, onset strength and their peaks, with
some context. Instrument: the envelope. A pretext task that does not beat them has not learned what its task is about.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmark.encoders.mfcc_chroma import HOP, N_FFT, SAMPLE_RATE, chroma_bank
from benchmark.interfaces import Info
from benchmark.modules import Encoder

#: of the analysis of time: 1,024 samples, twice for each frame that is given
ONSET_FFT, ONSET_HOP = 1024, HOP // 2
#: frames of onset strength on either side that a frame knows
CONTEXT = 4
#: beats per minute of the tempogram
TEMPI = tuple(40 * 2 ** (i / 16) for i in range(45))
#: stability of the twelve degrees, from the tonic on (Krumhansl & Kessler 1982)
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: shares of the frames below which the loudness is told, in dB under the loudest
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)


class Informed(Encoder):
    """Chroma (12), key profiles (24), tempogram (45), onsets and their peaks (12), envelope (9), at 25 frames/s.

    What describes a whole clip stands in each of its frames.
    """

    info = Info(
        name="informed",
        title="Key profiles, tempogram, onset peaks, envelope",
        citation="Krumhansl & Kessler 1982; Grosche & Müller 2011; Dixon 2006",
    )
    offers = frozenset()  # nothing to train
    sample_rate = SAMPLE_RATE
    embedding_dim = 12 + 24 + len(TEMPI) + 2 * CONTEXT + 4 + len(QUANTILES) + 3
    frame_rate = SAMPLE_RATE / HOP
    shortest = N_FFT // 2 + 1

    window: Tensor
    short: Tensor
    classes: Tensor
    keys: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("short", torch.hann_window(ONSET_FFT), persistent=False)
        self.register_buffer("classes", chroma_bank(), persistent=False)
        self.register_buffer("keys", key_profiles(), persistent=False)

    def features(self, waveform: Tensor) -> Tensor:
        """(B, D, frames): see the class."""
        spectrum = torch.stft(waveform, N_FFT, HOP, window=self.window, return_complex=True).abs()
        chroma = self.classes @ spectrum
        frames = chroma.shape[2]
        share = chroma / chroma.sum(dim=1, keepdim=True).clamp(min=1e-6)
        loudness, onset = self._loudness_and_onset(waveform)
        clip = torch.cat([self._key(chroma), tempogram(onset, SAMPLE_RATE / ONSET_HOP), envelope(loudness)], dim=1)
        return torch.cat([share, clip[:, :, None].expand(-1, -1, frames), _events(loudness, onset, frames)], dim=1)

    def body(self, features: Tensor) -> Tensor:
        """(B, D, F) to (B, F, D)."""
        return features.transpose(1, 2)

    def _loudness_and_onset(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2 F) in dB, and half-wave rectified flux of the compressed spectrum, over its mean."""
        spectrum = torch.stft(waveform, ONSET_FFT, ONSET_HOP, window=self.short, return_complex=True).abs()
        loudness = 10 * torch.log10(spectrum.square().mean(dim=1) + 1e-7)
        flux = torch.log1p(10 * spectrum).diff(dim=2).clamp(min=0).mean(dim=1)
        flux = F.pad(flux, (1, 0))
        return loudness, flux / flux.mean(dim=1, keepdim=True).clamp(min=1e-6)

    def _key(self, chroma: Tensor) -> Tensor:
        """(B, 24) correlations of a clip's chroma with each key's profile, C major to B minor."""
        heard = chroma.mean(dim=2)
        heard = heard - heard.mean(dim=1, keepdim=True)
        correlations: Tensor = heard @ self.keys.T / heard.norm(dim=1, keepdim=True).clamp(min=1e-6)
        return correlations


def key_profiles() -> Tensor:
    """(24, 12) profiles of zero mean and unit length: C major to B major, C minor to B minor."""
    rows = torch.stack([torch.tensor(mode).roll(tonic) for mode in (MAJOR, MINOR) for tonic in range(12)])
    rows = rows - rows.mean(dim=1, keepdim=True)
    profiles: Tensor = rows / rows.norm(dim=1, keepdim=True)
    return profiles


def tempogram(onset: Tensor, rate: float) -> Tensor:
    """(B, T) onset strength to (B, len(TEMPI)): its autocorrelation a beat later, between frames by interpolation."""
    x = onset - onset.mean(dim=1, keepdim=True)
    n = x.shape[1]
    power = torch.fft.rfft(x, 2 * n).abs().square()
    correlation = torch.fft.irfft(power)[:, :n] / power.mean(dim=1, keepdim=True).clamp(min=1e-6)
    lags = torch.tensor([60 * rate / tempo for tempo in TEMPI], device=onset.device).clamp(max=n - 2)
    low = lags.long()
    return torch.lerp(correlation[:, low], correlation[:, low + 1], (lags - low).to(correlation.dtype))


def envelope(loudness: Tensor) -> Tensor:
    """(B, T) dB to (B, 9): quantiles under the loudest, mean rise and fall per frame, and deviation, in tens of dB."""
    relative = (loudness - loudness.amax(dim=1, keepdim=True)) / 10
    levels = torch.quantile(relative, torch.tensor(QUANTILES, device=loudness.device), dim=1).T
    steps = relative.diff(dim=1)
    moves = [steps.clamp(min=0).mean(dim=1), steps.clamp(max=0).mean(dim=1), relative.std(dim=1)]
    return torch.cat([levels, torch.stack(moves, dim=1)], dim=1)


def _events(loudness: Tensor, onset: Tensor, frames: int) -> Tensor:
    """(B, 2 CONTEXT + 4, frames): onset strength around a frame, the loudness, and the peaks of both."""
    loud = _paired(loudness, frames) / 10
    strength = _paired(onset, frames)
    around = F.pad(strength, (CONTEXT, CONTEXT)).unfold(1, frames, 1)
    peaks = [x * (x == F.max_pool1d(x[:, None], 7, 1, 3)[:, 0]) for x in (strength, loud - loud.amin(1, keepdim=True))]
    return torch.cat([around, torch.stack([loud, *peaks], dim=1)], dim=1)


def _paired(x: Tensor, frames: int) -> Tensor:
    """(B, 2 F) to (B, frames): the larger of the two values that are nearest to a frame's time."""
    padded = F.pad(x, (1, max(0, 2 * frames - x.shape[1])), value=-math.inf)
    return F.max_pool1d(padded[:, None], 3, 2)[:, 0, :frames]
