"""A Vision Transformer on log-mel patches, for strategies that drop tokens (MAE, M2D, Myna).

Patches of 16 bands x 160 ms; fixed sine-cosine positions in frequency and time, so that a clip may have any length
(Dosovitskiy et al. 2021; Beyer et al. 2022, "Better plain ViT baselines"; input as in M2D, Niizumi et al. 2023).
Tokens are in time order, and from low to high frequency within a time step.
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import TokenEncoder

SAMPLE_RATE, FRAME, HOP, N_FFT, BANDS = 16_000, 400, 160, 1024, 80
F_MIN, F_MAX = 50.0, SAMPLE_RATE / 2
PATCH = 16


class Block(nn.Module):
    """Pre-norm transformer layer: self-attention and a GELU MLP of four times the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        query, key, value = self.qkv(self.attention_norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
        out: Tensor = x + self.mlp(self.mlp_norm(x))
        return out


class ViT(TokenEncoder):
    """ViT-Tiny (5.4 M parameters, 192 dimensions) on 80 log-mel bands, 6.25 frames per second."""

    info = Info(
        "vit",
        "Vision Transformer on log-mel (80 bands)",
        "Dosovitskiy et al. 2021; Niizumi et al. 2023 (M2D)",
        version=2,
    )
    sample_rate = SAMPLE_RATE
    frame_rate = SAMPLE_RATE / HOP / PATCH
    shortest = (PATCH - 1) * HOP
    first_frame = (PATCH - 1) * HOP // 2

    def __init__(self, width: int = 192, depth: int = 12, heads: int = 3) -> None:
        """Build it.

        Args:
            width: of the tokens, a multiple of 4 and of `heads`; (384, 12, 6) is ViT-S.
            depth: transformer layers.
            heads: of each layer's attention.
        """
        super().__init__()
        self.embedding_dim = width
        self.mel = torchaudio.transforms.MelSpectrogram(SAMPLE_RATE, N_FFT, FRAME, HOP, F_MIN, F_MAX, n_mels=BANDS)
        self.embed = nn.Linear(PATCH * PATCH, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, 80, T / 160 + 1): log-mel power, scaled by constants to about one deviation."""
        with torch.autocast(waveform.device.type, enabled=False):
            return (torch.log(self.mel(waveform.float()) + 1e-6) + 4.0) / 4.0

    def grid(self, features: Tensor) -> tuple[int, int]:
        """Patches in frequency and in time; frames after the last whole patch are dropped."""
        return features.shape[1] // PATCH, features.shape[2] // PATCH

    def patches(self, features: Tensor) -> Tensor:
        """(B, 80, frames) to (B, N, 256): each patch's values, band by band, in the tokens' order (MAE's targets)."""
        windows = features.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH)
        return windows.transpose(1, 2).flatten(3).flatten(1, 2)

    def tokens(self, features: Tensor) -> Tensor:
        """(B, 80, frames) to (B, N, D): embedded patches with their positions added."""
        embedded: Tensor = self.embed(self.patches(features))
        return embedded + positions(*self.grid(features), self.embedding_dim, features.device)

    def encode(self, tokens: Tensor) -> Tensor:
        """(B, n, D) to (B, n, D): the transformer on any n of the tokens, which know where they are from."""
        encoded: Tensor = self.norm(self.blocks(tokens))
        return encoded

    def body(self, features: Tensor) -> Tensor:
        """(B, 80, frames) to (B, frames / 16, D): the mean over frequency of each time step's tokens.

        M2D concatenates them, 5 D per step, which would compare encoders of unequal width.
        """
        rows, columns = self.grid(features)
        return self.encode(self.tokens(features)).view(features.shape[0], columns, rows, -1).mean(dim=2)


def positions(rows: int, columns: int, width: int, device: torch.device | None = None) -> Tensor:
    """(rows * columns, width): a quarter each of sine and cosine of the row, and of the column, column by column.

    Frequencies fall geometrically from 1 to 1 / 10,000 (Vaswani et al. 2017, section 3.5; Beyer et al. 2022).
    """
    omega = 10_000 ** -torch.linspace(0, 1, width // 4, device=device)
    column = torch.arange(columns, device=device).repeat_interleave(rows)
    row = torch.arange(rows, device=device).repeat(columns)
    angles = torch.stack([row, column], dim=1).unsqueeze(2) * omega
    return torch.cat([angles.sin(), angles.cos()], dim=2).flatten(1)
