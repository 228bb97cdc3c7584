"""Choi et al.'s five-layer CNN on log-mel (ICME 2022).

The paper's encoder maps 3 s (96 bands x 188 frames) to one vector: pools of (frequency, time) (2, 2), (2, 2), (2, 2),
(4, 4) and (3, 5) leave a single position. Here the last pool slides along time, so that a clip of any length gives two
frames per second, and the middle one of the five frames of 3 s is the paper's vector.

The released code feeds mel power, despite its names; here it is compressed by a logarithm, as its names say.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torchaudio
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Encoder

SAMPLE_RATE, N_FFT, HOP, BANDS = 16_000, 512, 256, 96
WIDTHS = (128, 256, 256, 512, 512)
#: frequency x time; the fifth is 3 x 5
POOLS = ((2, 2), (2, 2), (2, 2), (4, 4))
#: steps of each layer's output in a frame
SPANS = (16, 8, 4, 1, 1)
CITATION = "Choi et al. 2022 (ICME)"


class ConvMel(Encoder):
    """12.36 M parameters, two frames per second, each hearing the 3 s around it, 128 dimensions."""

    info = Info("conv_mel", "Five-layer CNN on log-mel (96 bands)", CITATION)
    sample_rate = SAMPLE_RATE
    embedding_dim = 128
    frame_rate = SAMPLE_RATE / HOP / 32

    def __init__(self) -> None:
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, N_FFT, hop_length=HOP, n_mels=BANDS, norm="slaney", mel_scale="slaney"
        )
        pools = [nn.MaxPool2d(size) for size in POOLS]
        pools.append(nn.MaxPool2d((3, 5), stride=(3, 1), padding=(0, 2)))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inside, outside, 5, padding=2), nn.BatchNorm2d(outside), nn.ReLU(), pool)
            for (inside, outside), pool in zip(pairwise((1, *WIDTHS)), pools, strict=True)
        )
        self.output = nn.Linear(WIDTHS[-1], 128)

    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, 96, T / 256 + 1): log-mel power, scaled by constants to about one deviation."""
        with torch.autocast(waveform.device.type, enabled=False):
            return (torch.log(self.mel(waveform.float()) + 1e-7) + 8.5) / 4.0

    def body(self, features: Tensor) -> Tensor:
        """(B, 96, frames) to (B, frames / 32, 128)."""
        frames: Tensor = self.output(self._maps(features)[-1].squeeze(2).transpose(1, 2))
        return frames

    def _maps(self, features: Tensor) -> list[Tensor]:
        """The five layers' outputs, each (B, channels, bands, frames)."""
        maps = [features.unsqueeze(1)]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return maps[1:]


class ConvMelLevels(ConvMel):
    """`conv_mel` whose embedding is all five levels, 128 dimensions of each: 640 at two frames per second.

    The paper's multi-level encoder averages the loss over the levels while it trains, and concatenates them afterwards:
    so does SimCLR here (`Encoder.levels`).
    """

    info = Info("conv_mel_levels", "Five-layer CNN on log-mel, all levels", CITATION, version=2)
    levels = len(WIDTHS)
    embedding_dim = 128 * levels

    def __init__(self) -> None:
        super().__init__()
        self.outputs = nn.ModuleList(nn.Linear(width, 128) for width in WIDTHS[:-1])

    def by_level(self, features: Tensor) -> list[Tensor]:
        """(B, 96, frames) to five times (B, frames / 32, 128): the maximum over all bands, at the last level's rate."""
        maps = self._maps(features)
        pooled = [_coarser(x.amax(dim=2), span) for x, span in zip(maps, SPANS, strict=True)]
        return [output(x) for output, x in zip([*self.outputs, self.output], pooled, strict=True)]

    def body(self, features: Tensor) -> Tensor:
        """(B, 96, frames) to (B, frames / 32, 640)."""
        return torch.cat(self.by_level(features), dim=2)


def _coarser(x: Tensor, span: int) -> Tensor:
    """(B, C, T) to (B, T / span, C): maxima over `span` steps, as pools make them."""
    frames = x.shape[2] // span
    return x[:, :, : frames * span].reshape(*x.shape[:2], frames, span).amax(dim=3).transpose(1, 2)
