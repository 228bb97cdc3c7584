"""What equivariant pretext tasks share: transposition on a log-frequency axis, and linear maps that commute with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def bins_from(features: Tensor, first: Tensor, height: int) -> Tensor:
    """`height` bins of each of (B, bins, frames), from `first` (B,) on: (B, height, frames).

    The sound of bins that start k lower is, on the axis that remains, k bins higher.
    """
    rows = first[:, None] + torch.arange(height, device=features.device)
    return features.gather(1, rows[:, :, None].expand(-1, -1, features.shape[2]))


class Toeplitz(nn.Module):
    """A linear layer whose output moves up by k where its input does: weights depend on the distance alone.

    Source: Riou et al. 2023 (PESTO), whose released code has one filter over all channels; here each has its own.
    """

    def __init__(self, channels: int, inside: int, outside: int) -> None:
        super().__init__()
        self.inside, self.outside = inside, outside
        distances = inside + outside - 1
        self.weight = nn.Parameter(torch.empty(channels, distances).uniform_(-1, 1) / (channels * distances) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., channels, inside) to (..., outside)."""
        matrix = self.weight.unfold(1, self.outside, 1).flip(1)
        return x.flatten(-2) @ matrix.flatten(0, 1)


class Circulant(nn.Module):
    """`Toeplitz` on a circle: channels at 12 pitch classes, each hearing all of them by their interval."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inside, outside, 12, bias=False)
        # flat profiles are a saddle of STONE's loss: the default, which is smaller, starts nearer to it
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, 12) to (B, outside, 12)."""
        circulant: Tensor = self.conv(torch.cat([x, x[..., :-1]], dim=2))
        return circulant


def chroma(maps: Tensor, bins_per_semitone: int) -> Tensor:
    """The mean over octaves, and over the bins of a semitone, of (..., octaves * 12 * bins_per_semitone, F): (..., 12).

    The first pitch class is the one that the maps start with; frames are averaged too.
    """
    octaves = torch.unflatten(maps.mean(dim=-1), -1, (-1, 12, bins_per_semitone))
    return octaves.mean(dim=(-3, -1))
