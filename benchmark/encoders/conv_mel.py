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
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import Encoder

SAMPLE_RATE, N_FFT, HOP, BANDS = 16_000, 512, 256, 96
WIDTHS = (128, 256, 256, 512)
#: frequency x time; the fifth is 3 x 5
POOLS = ((2, 2), (2, 2), (2, 2), (4, 4))
#: of each of these layers' outputs: bands, steps in a frame, and steps in 3 s, over which a level takes its maximum
LEVELS = ((48, 16, 94), (24, 8, 47), (12, 4, 23), (3, 1, 5))
CITATION = "Choi et al. 2022 (ICME)"


def _as_released(layer: nn.Module) -> None:
    """Weights start as in the paper's code, which is not PyTorch's default."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_uniform_(layer.weight)
    elif isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)


class ConvMel(Encoder):
    """12.36 M parameters, two frames per second, each hearing the 3 s around it, 128 dimensions."""

    info = Info("conv_mel", "Five-layer CNN on log-mel (96 bands)", CITATION, version=3)
    sample_rate = SAMPLE_RATE
    embedding_dim = 128
    frame_rate = SAMPLE_RATE / HOP / 32
    shortest = 31 * HOP
    first_frame = 31 * HOP // 2
    #: channels of the fifth layer
    last_width = 512

    def __init__(self) -> None:
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, N_FFT, hop_length=HOP, n_mels=BANDS, norm="slaney", mel_scale="slaney"
        )
        pools = [nn.MaxPool2d(size) for size in POOLS]
        pools.append(nn.MaxPool2d((3, 5), stride=(3, 1), padding=(0, 2)))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inside, outside, 5, padding=2), nn.BatchNorm2d(outside), nn.ReLU(), pool)
            for (inside, outside), pool in zip(pairwise((1, *WIDTHS, self.last_width)), pools, strict=True)
        )
        self.output = nn.Linear(self.last_width, 128)
        self.apply(_as_released)

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

    A level is a fully connected layer on the maximum over 3 s of each channel in each band, so that a level knows where
    in the spectrum something sounded; the middle one of the five frames of 3 s is the paper's vector. The fifth layer
    has 128 channels in place of 512: 9.56 M parameters. What levels 1 to 3 hear is centered .2 s behind a frame.

    The paper's multi-level encoder averages the loss over the levels while it trains, and concatenates them afterwards:
    so does SimCLR here (`Encoder.levels`).
    """

    info = Info("conv_mel_levels", "Five-layer CNN on log-mel, all levels", CITATION, version=5)
    levels = len(LEVELS) + 1
    last_width = 128
    embedding_dim = 128 * levels

    def __init__(self) -> None:
        super().__init__()
        self.outputs = nn.ModuleList(
            nn.Linear(width * bands, 128) for width, (bands, _, _) in zip(WIDTHS, LEVELS, strict=True)
        )
        self.outputs.apply(_as_released)

    def by_level(self, features: Tensor) -> list[Tensor]:
        """(B, 96, frames) to five times (B, frames / 32, 128)."""
        *maps, last = self._maps(features)
        frames = last.shape[3]
        pooled = [_maxima(x, span, window)[:, :frames] for x, (_, span, window) in zip(maps, LEVELS, strict=True)]
        pooled.append(last.squeeze(2).transpose(1, 2))
        return [output(x) for output, x in zip([*self.outputs, self.output], pooled, strict=True)]

    def body(self, features: Tensor) -> Tensor:
        """(B, 96, frames) to (B, frames / 32, 640)."""
        return torch.cat(self.by_level(features), dim=2)


def _maxima(x: Tensor, span: int, window: int) -> Tensor:
    """(B, C, bands, T) to (B, T / span, C * bands): maxima over `window` steps, which start two frames early."""
    pooled = F.max_pool2d(x, (1, window), stride=(1, span), padding=(0, 2 * span), ceil_mode=True)
    return pooled.flatten(1, 2).transpose(1, 2)
