"""A small residual CNN on log-mel: 2-D over pitch first, then 1-D over time with growing dilation, frames kept."""

from __future__ import annotations

from typing import Any

import torch
import torchaudio
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Encoder

SAMPLE_RATE, N_FFT, HOP, BANDS = 16_000, 1024, 320, 64
F_MIN, F_MAX = 60.0, SAMPLE_RATE / 2


class LogMel(nn.Module):
    """(B, T) to (B, 64, T / 320 + 1): log-mel power, roughly zero mean and unit deviation on music."""

    window: Tensor
    bank: Tensor

    def __init__(self) -> None:
        super().__init__()
        bank = torchaudio.functional.melscale_fbanks(
            N_FFT // 2 + 1, F_MIN, F_MAX, BANDS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("bank", bank.repeat_interleave(2, dim=0), persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Float32 inside, whatever autocast says: power spans many decades."""
        # on a CPU, a few examples at a time stay in its cache: four times as fast as the whole batch; fewer are not
        # split, so that a trace of two does not fix how many there are
        parts = torch.split(waveform, 8) if waveform.device.type == "cpu" and waveform.shape[0] > 8 else (waveform,)
        with torch.autocast(waveform.device.type, enabled=False):
            return torch.cat([self._log_mel(part.float()) for part in parts]).transpose(1, 2)

    def _log_mel(self, waveform: Tensor) -> Tensor:
        # as torch.stft pads, in a quarter of the time on a CPU
        half = N_FFT // 2
        ends = waveform[:, 1 : half + 1].flip(1), waveform[:, -half - 1 : -1].flip(1)
        padded = torch.cat([ends[0], waveform, ends[1]], dim=1)
        spectrum = torch.stft(padded, N_FFT, HOP, window=self.window, center=False, return_complex=True)
        # frames are contiguous in memory, so that they are the rows of one large matrix product; real and imaginary
        # parts are neighbors, so that the same product adds their squares
        squares = torch.view_as_real(spectrum.transpose(1, 2)).square().flatten(2)
        return (torch.log(squares @ self.bank + 1e-7) + 5.0) / 4.0


class _Block(nn.Module):
    """Residual bottleneck over time: 3 taps at `dilation`, so that few blocks hear seconds."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        inner = width // 3
        self.layers = nn.Sequential(
            nn.Conv2d(width, inner, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.layers(x))


class CNNSmall(Encoder):
    """0.35 M parameters, 25 frames/s, receptive field about 3 s, 192 dimensions."""

    info = Info(name="cnn_small", title="Small residual CNN on log-mel (64 bands)", citation="this project", version=2)
    sample_rate = SAMPLE_RATE
    embedding_dim = 192
    frame_rate = SAMPLE_RATE / HOP / 2
    shortest = N_FFT // 2 + 1

    def __init__(self) -> None:
        super().__init__()
        width = self.embedding_dim
        self.front_end = LogMel()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 32, (8, 5), stride=(4, 2), padding=(2, 2), bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, width, (BANDS // 4, 1), bias=False),  # all bands at once: absolute pitch is kept
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(*(_Block(width, dilation) for dilation in (1, 2, 4, 8, 16)))
        module: Any = self  # whose types know of this in some versions of torch alone
        module.to(memory_format=torch.channels_last)

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mel, (B, 64, frames at 50 per second)."""
        features: Tensor = self.front_end(waveform)
        return features

    def body(self, features: Tensor) -> Tensor:
        """(B, 64, frames) to (B, frames / 2, 192)."""
        x = self.stem(features.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        frames: Tensor = self.blocks(x).squeeze(2).transpose(1, 2)
        return frames
