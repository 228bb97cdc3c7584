"""The multi-view study's ResNet (Meseguer-Brocal et al. 2024): CLIP's (Radford et al. 2021) on log-mel.

The paper's encoder maps 4 s (126 frames) to one vector, by attention pooling over 4 x 3 = 12 positions and their mean.
Here the pooling slides along time: each column attends to itself and its neighbors, so that a clip of any length gives
about one frame per second, and the middle frame of 4 s is the paper's vector.

The paper's filter bank ends at 11,025 Hz, above the Nyquist frequency of its 16 kHz audio, which leaves 11 of 128 bands
dead; ours ends at 8,000 Hz.
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import Encoder

SAMPLE_RATE, N_FFT, HOP, BANDS = 16_000, 1024, 512, 128
TOP_DB = 100.0
EXPANSION, HEADS = 4, 8
#: columns of the last stage in 4 s, and its rows
COLUMNS, ROWS = 3, BANDS // 32


def _conv(inside: int, outside: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, and BatchNorm."""
    conv = nn.Conv2d(inside, outside, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside))


class _Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut; strides are average pools, against aliasing."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        outside = EXPANSION * width
        pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.layers = nn.Sequential(
            _conv(inside, width, 1), nn.ReLU(), _conv(width, width, 3), nn.ReLU(), pool, _conv(width, outside, 1)
        )
        same = stride == 1 and inside == outside
        self.shortcut = nn.Identity() if same else nn.Sequential(pool, _conv(inside, outside, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.shortcut(x))


class _AttentionPool(nn.Module):
    """Each column's mean over its neighborhood of 4 x 3 positions asks all of them, and itself, in 8 heads."""

    def __init__(self, width: int, outside: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(1 + ROWS * COLUMNS, width) / width**0.5)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, outside)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 4, F) to (B, F, D)."""
        batch, width, rows, frames = x.shape
        tokens = _neighborhoods(x).permute(0, 3, 2, 4, 1).reshape(batch * frames, rows * COLUMNS, width)
        heard = _neighborhoods(torch.ones_like(x[:, :1])).permute(0, 3, 1, 2, 4).reshape(batch * frames, 1, 1, -1)
        mean = tokens.sum(dim=1, keepdim=True) / heard.sum(dim=3)
        tokens = torch.cat([mean, tokens], dim=1) + self.positions
        mask = F.pad(heard, (1, 0), value=1.0) > 0  # past either end of the clip there is nothing to attend to
        query, key, value = (
            t.view(t.shape[0], -1, HEADS, width // HEADS).transpose(1, 2)
            for t in (self.query(tokens[:, :1]), self.key(tokens), self.value(tokens))
        )
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        pooled: Tensor = self.out(attended.flatten(1))
        return pooled.view(batch, frames, -1)


def _neighborhoods(x: Tensor) -> Tensor:
    """(B, C, H, F) to (B, C, H, F, 3): each column with those before and after it, zeros past the ends."""
    return F.pad(x, (COLUMNS // 2, COLUMNS // 2)).unfold(3, COLUMNS, 1)


class ResNet(Encoder):
    """2.80 M parameters, a frame per second, each attending to the 4 s around it, 1,024 dimensions."""

    info = Info(
        "resnet",
        "CLIP-style ResNet on log-mel (128 bands)",
        "Meseguer-Brocal et al. 2024; Radford et al. 2021",
        version=3,
    )
    sample_rate = SAMPLE_RATE
    embedding_dim = 1024
    frame_rate = SAMPLE_RATE / HOP / 32
    shortest = 30 * HOP
    first_frame = 15 * HOP

    def __init__(self) -> None:
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, N_FFT, hop_length=HOP, n_mels=BANDS, normalized=True, norm="slaney", mel_scale="slaney"
        )
        stem = [_conv(1, 8, 3, stride=2), nn.ReLU(), _conv(8, 8, 3), nn.ReLU(), _conv(8, 16, 3), nn.ReLU()]
        blocks, inside = [], 16
        for stage, (depth, width) in enumerate(zip((3, 4, 6, 3), (16, 32, 64, 128), strict=True)):
            for i in range(depth):
                blocks.append(_Bottleneck(inside, width, stride=2 if stage and not i else 1))
                inside = EXPANSION * width
        self.trunk = nn.Sequential(*stem, nn.AvgPool2d(2), *blocks)
        self.pool = _AttentionPool(inside, self.embedding_dim)

    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, 128, T / 512 + 1): dB of the peak-normalized clip, within 100 dB of its loudest bin.

        The range is each example's own (torchaudio's `AmplitudeToDB` takes it over the batch), and scaled by a constant
        to about one deviation.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            x = waveform.float()
            power = self.mel(x / x.abs().amax(dim=1, keepdim=True).clamp(min=1e-4))
            db = 10 * torch.log10(power.clamp(min=1e-10))
            return (torch.maximum(db, db.amax(dim=(1, 2), keepdim=True) - TOP_DB) + 50) / 20

    def body(self, features: Tensor) -> Tensor:
        """(B, 128, frames) to (B, frames / 32, 1024)."""
        frames: Tensor = self.pool(self.trunk(features.unsqueeze(1)))
        return frames
