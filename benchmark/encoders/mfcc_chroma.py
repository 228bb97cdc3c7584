"""Handcrafted features: 20 MFCC (timbre), 12 chroma (harmony) and onset strength (rhythm) per frame."""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder

SAMPLE_RATE, N_FFT, HOP = 16_000, 4096, 640


class MFCCChroma(Encoder):
    """33 dimensions at 25 frames/s; the probe sees mean and deviation over time, as for every encoder."""

    info = Info(
        name="mfcc_chroma", title="MFCC and chroma", citation="Davis & Mermelstein 1980; Fujishima 1999", version=2
    )
    offers = frozenset()  # nothing to train
    sample_rate = SAMPLE_RATE
    embedding_dim = 33
    frame_rate = SAMPLE_RATE / HOP
    shortest = N_FFT // 2 + 1

    window: Tensor
    classes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.mfcc = torchaudio.transforms.MFCC(
            SAMPLE_RATE, n_mfcc=20, melkwargs={"n_fft": 1024, "hop_length": HOP, "n_mels": 64, "f_min": 60.0}
        )
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("classes", chroma_bank(), persistent=False)

    def features(self, waveform: Tensor) -> Tensor:
        """(B, 33, frames): MFCC, chroma (sums to one) and onset strength (half-wave rectified flux)."""
        # each on a channel of its own: torchaudio floors levels 80 dB below the loudest of what it is given at once
        mfcc = self.mfcc(waveform[:, None])[:, 0]
        spectrum = torch.stft(waveform, N_FFT, HOP, window=self.window, return_complex=True).abs()
        chroma = self.classes @ spectrum
        chroma = chroma / chroma.sum(dim=1, keepdim=True).clamp(min=1e-6)
        log = torch.log1p(10 * spectrum)
        flux = torch.nn.functional.pad(log.diff(dim=2).clamp(min=0).mean(dim=1, keepdim=True), (1, 0))
        return torch.cat([mfcc, chroma, flux], dim=1)

    def body(self, features: Tensor) -> Tensor:
        """(B, 33, F) to (B, F, 33)."""
        return features.transpose(1, 2)


def chroma_bank() -> Tensor:
    """(12, bins): each bin between 100 and 2,000 Hz by its distance to each pitch class, C = 0."""
    f = torch.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    pitch = 69 + 12 * torch.log2(f.clamp(min=1.0) / 440)
    bank = torch.zeros(12, len(f))
    audible = (f >= 100) & (f <= 2000)
    for c in range(12):
        distance = (pitch - c + 6) % 12 - 6
        bank[c] = torch.exp(-0.5 * (distance / 0.35) ** 2) * audible
    return bank
