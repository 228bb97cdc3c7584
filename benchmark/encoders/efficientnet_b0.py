"""EfficientNet-B0 (Tan & Le 2019) on log-mel, as in MSCOL (Garoufis et al. 2023).

The paper pools the last map globally by its maximum; here the maximum is over frequency alone, and time is kept.
Four things are left out. Its L2 normalization of the waveform would push quiet bands under the logarithm's floor. Its
stochastic depth makes a step depend on more than the views. Its slow BatchNorm statistics (momentum 0.01) lag behind
the weights in runs of some hundred steps, so PyTorch's default is kept. Keras's EfficientNet divides its input by 255,
as if the log-mel were a picture, which leaves the first BatchNorm with variances below its epsilon.
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Encoder

SAMPLE_RATE, FRAME, HOP, N_FFT, BANDS = 16_000, 400, 160, 1024, 64
F_MIN, F_MAX = 60.0, 7800.0
FLOOR = 1e-5

#: Tan & Le, table 1: expansion, kernel size, stride of the first block, channels, blocks
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def _conv(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, and BatchNorm."""
    conv = nn.Conv2d(inside, outside, size, stride, padding=size // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight)  # by inputs: untrained, the signal outlives twenty layers
    return nn.Sequential(conv, nn.BatchNorm2d(outside, eps=1e-3))


class _SqueezeExcite(nn.Module):
    """Channels are weighted by a small network of their means over the whole map."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = nn.functional.silu(self.squeeze(x.mean(dim=(2, 3), keepdim=True)))
        return x * torch.sigmoid(self.excite(squeezed))


class _MBConv(nn.Module):
    """Inverted residual: expand, depthwise, squeeze-and-excite (a quarter of the *block's* inputs), project."""

    def __init__(self, inside: int, outside: int, expansion: int, size: int, stride: int) -> None:
        super().__init__()
        width = expansion * inside
        expand = [_conv(inside, width, 1), nn.SiLU()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            _conv(width, width, size, stride, groups=width),
            nn.SiLU(),
            _SqueezeExcite(width, inside // 4),
            _conv(width, outside, 1),
        )
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return x + out if self.residual else out


class EfficientNetB0(Encoder):
    """4.01 M parameters, three frames per second, 1,280 dimensions."""

    info = Info(
        "efficientnet_b0", "EfficientNet-B0 on log-mel (64 bands)", "Tan & Le 2019; Garoufis et al. 2023 (MSCOL)"
    )
    sample_rate = SAMPLE_RATE
    embedding_dim = 1280
    frame_rate = SAMPLE_RATE / HOP / 32
    shortest = N_FFT // 2 + 1

    def __init__(self) -> None:
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, N_FFT, FRAME, HOP, F_MIN, F_MAX, n_mels=BANDS, power=1.0
        )
        blocks, inside = [], 32
        for expansion, size, stride, outside, depth in STAGES:
            for i in range(depth):
                blocks.append(_MBConv(inside, outside, expansion, size, 1 if i else stride))
                inside = outside
        self.trunk = nn.Sequential(
            _conv(1, 32, 3, stride=2), nn.SiLU(), *blocks, _conv(inside, self.embedding_dim, 1), nn.SiLU()
        )

    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, 64, T / 160 + 1): natural logarithm of the mel magnitude, at least 1e-5."""
        with torch.autocast(waveform.device.type, enabled=False):
            return torch.log(self.mel(waveform.float()).clamp(min=FLOOR))

    def body(self, features: Tensor) -> Tensor:
        """(B, 64, frames) to (B, frames / 32, 1280)."""
        frames: Tensor = self.trunk(features.unsqueeze(1)).amax(dim=2).transpose(1, 2)
        return frames
