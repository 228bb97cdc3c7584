"""What masked pretext tasks share: masks for tokens and for pictures, the crop that they hear, MAE's decoder."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.encoders.vit import Block, positions
from benchmark.modules import Batch, Crops, Encoder, Strategy, TokenEncoder
from strategies.views import Preset, ViewConfig, augmented

#: bands x frames of a mask's patch where the encoder has no patches of its own
PATCH = (16, 16)


def kept_tokens(noise: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Split N tokens at random: indices of the kept, (B, K), and of the dropped, (B, N - K), in order.

    Args:
        noise: (B, N) random numbers; the tokens with the smallest are kept.
        share: share of the tokens to drop.
    """
    n = noise.shape[1]
    keep = max(1, n - round(share * n))
    order = noise.argsort(dim=1)
    return order[:, :keep].sort(dim=1).values, order[:, keep:].sort(dim=1).values


def take(tokens: Tensor, index: Tensor) -> Tensor:
    """(B, N, D) tokens at (B, K) indices: (B, K, D)."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def patch_grid(features: Tensor) -> tuple[int, int]:
    """How many patches of `PATCH` cover (B, bands, frames), partial ones at the end included."""
    return -(-features.shape[1] // PATCH[0]), -(-features.shape[2] // PATCH[1])


def patch_noise(features: Tensor, encoder: Encoder, generator: torch.Generator) -> Tensor:
    """A random number for each patch of (B, bands, frames), (B, N): the order in which they are hidden."""
    rows, columns = encoder.grid(features) if isinstance(encoder, TokenEncoder) else patch_grid(features)
    return torch.rand(len(features), rows * columns, generator=generator, device=generator.device)


def picture_mask(noise: Tensor, share: float, features: Tensor) -> Tensor:
    """Which pixels of (B, bands, frames) are masked: whole patches, `share` of them. (B, bands, frames) bool.

    Args:
        noise: (B, rows * columns of the grid) random numbers.
    """
    rows, columns = patch_grid(features)
    _, dropped = kept_tokens(noise, share)
    mask = torch.zeros(noise.shape, dtype=torch.bool, device=noise.device).scatter(1, dropped, True)
    mask = mask.view(-1, rows, columns).repeat_interleave(PATCH[0], 1).repeat_interleave(PATCH[1], 2)
    return mask[:, : features.shape[1], : features.shape[2]]


def hidden(features: Tensor, mask: Tensor) -> Tensor:
    """Replace masked pixels by the mean of all of the example's, these among them."""
    return torch.where(mask, features.mean(dim=(1, 2), keepdim=True), features)


def hidden_frames(mask: Tensor, frames: int, ratio: int) -> Tensor:
    """Which of a CNN's frame embeddings stand for columns of which nothing is visible, (B, frames) bool.

    Args:
        mask: (B, bands, T) bool, true where hidden.
        frames: of the encoder's body.
        ratio: columns that each stands for.
    """
    column = torch.arange(frames * ratio, device=mask.device).clamp(max=mask.shape[2] - 1)
    return mask.all(dim=1)[:, column].view(-1, frames, ratio).all(dim=2)


class MaskedConfig(ViewConfig):
    """Options of masked prediction: one crop of each track, as it is.

    A preset fills no bands or frames unless these options say so: they would be among what is to be predicted.

    Attributes:
        masked: share of the tokens, or of the spectrogram's patches, that is hidden.
    """

    preset: Preset = "crop_only"
    mask_frequency: float = 0.0
    mask_time: float = 0.0
    masked: float = Field(gt=0, lt=1)
    seconds: float = Field(default=3.0, gt=0)


class MaskedCrop(Strategy):
    """Hears one crop of each track; `noise` (B, N) says in which order its patches are hidden."""

    needs = frozenset({"mel"})

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """One crop."""
        return Crops(count=1, seconds=config.seconds)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features, and random numbers that say what is hidden."""
        features = augmented(batch.crops[:, 0], self.encoder, self.config, generator)
        return {"features": features, "noise": patch_noise(features, self.encoder, generator)}


class Decoder(nn.Module):
    """MAE's decoder: mask tokens in the gaps, positions, a few transformer layers, one linear map to the target."""

    def __init__(self, inside: int, width: int, depth: int, outside: int) -> None:
        super().__init__()
        self.width = width
        self.inward, self.outward = nn.Linear(inside, width), nn.Linear(width, outside)
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads=4) for _ in range(depth)), nn.LayerNorm(width))

    def forward(self, encoded: Tensor, kept: Tensor, grid: tuple[int, int]) -> Tensor:
        """Encoded tokens (B, K, D) at indices (B, K) of a grid of N: something about each of the N, (B, N, outside)."""
        n = grid[0] * grid[1]
        inward = self.inward(encoded)
        gaps = self.mask_token.to(inward).expand(len(encoded), n, self.width)
        tokens = gaps.scatter(1, kept[:, :, None].expand(-1, -1, self.width), inward)
        outward: Tensor = self.outward(self.blocks(tokens + positions(*grid, self.width).to(tokens)))
        return outward


@torch.no_grad()
def frame_ratio(encoder: Encoder) -> tuple[int, int]:
    """Bands of the features, and how many of their frames one frame embedding stands for."""
    short, long = (encoder.features(torch.zeros(1, n * encoder.sample_rate)) for n in (1, 3))
    per_second = (long.shape[2] - short.shape[2]) / 2
    return long.shape[1], max(1, round(per_second / encoder.frame_rate))
