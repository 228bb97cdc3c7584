"""SampleCNN on raw audio (Lee et al. 2017), as in CLMR (Spijkervet & Burgoyne 2021).

The paper's encoder maps one window of 59,049 = 3^10 samples at 22.05 kHz, 2.678 s, to one vector. Here the last four
max-pools slide instead of striding, and what follows them is dilated to match: the same weights hear a window around
each of 30 frames per second, for 5 % more work, and the middle frame of a single window is the paper's vector. Frames
near either end hear zeros beyond it, as the paper's convolutions do.
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import Encoder

CORPUS_RATE, NATIVE_RATE = 16_000, 22_050
WIDTHS = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512)
#: blocks whose pool strides, after a stem that does: 3^(1 + 5) = 729 samples are a frame
STRIDED = 5


class _Block(nn.Module):
    """Convolution of 3 taps, BatchNorm, ReLU, max-pool of 3, which strides; or slides, if there is a `dilation`."""

    def __init__(self, inside: int, outside: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        spread = max(1, dilation)
        self.conv = nn.Conv1d(inside, outside, 3, padding=spread, dilation=spread)
        self.norm = nn.BatchNorm1d(outside)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        if not self.dilation:
            return F.max_pool1d(x, 3)
        # behind a ReLU, zeros beyond the ends never win
        return F.max_pool1d(F.pad(x, (self.dilation, self.dilation)), 3, 1, dilation=self.dilation)


class SampleCNN(Encoder):
    """2.37 M parameters on raw audio, 30 frames/s, each hearing the 2.7 s around it, 512 dimensions."""

    info = Info("sample_cnn", "SampleCNN on raw audio", "Lee et al. 2017; Spijkervet & Burgoyne 2021 (CLMR)", version=3)
    sample_rate = CORPUS_RATE
    embedding_dim = WIDTHS[-1]
    frame_rate = NATIVE_RATE / 3 ** (STRIDED + 1)
    shortest = 529  # of which 22.05 kHz make a frame
    first_frame = 264
    offers = frozenset({"waveform"})

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, WIDTHS[0], 3, stride=3)
        self.stem_norm = nn.BatchNorm1d(WIDTHS[0])
        dilations = [0] * STRIDED + [3**i for i in range(len(WIDTHS) - 1 - STRIDED)]
        self.blocks = nn.Sequential(*map(_Block, WIDTHS[:-1], WIDTHS[1:], dilations))
        self.last = nn.Conv1d(WIDTHS[-1], WIDTHS[-1], 3, padding=1)
        self.last_norm = nn.BatchNorm1d(WIDTHS[-1])

    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) at 16 kHz to (B, 1, 1.378 T) at 22.05 kHz, the rate of the paper's strides."""
        with torch.autocast(waveform.device.type, enabled=False):
            resampled: Tensor = torchaudio.functional.resample(waveform.float(), CORPUS_RATE, NATIVE_RATE)
        return resampled.unsqueeze(1)

    def body(self, features: Tensor) -> Tensor:
        """(B, 1, T) at 22.05 kHz to (B, T / 729, 512)."""
        x = self.blocks(torch.relu(self.stem_norm(self.stem(features))))
        # in the paper the last layer sees a single step between zeros: so does each frame, which only the middle of
        # its three taps reaches; the others count as parameters, and stay untrained there too
        frames = F.conv1d(x, self.last.weight[:, :, 1:2], self.last.bias)
        return torch.relu(self.last_norm(frames)).transpose(1, 2)
