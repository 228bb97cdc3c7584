"""Projection and prediction heads, and the one pooling that strategies share."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp(sizes: list[int], norm: bool, bias: bool = True) -> nn.Sequential:
    """Linear layers of these sizes with (BatchNorm and) ReLU between them; the last one is plain.

    Args:
        bias: False leaves biases out (CLMR, SemiSupCon, the multi-view study).
    """
    layers: list[nn.Module] = []
    for i, (inside, outside) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers.append(nn.Linear(inside, outside, bias=bias and (last or not norm)))
        if not last:
            layers += [nn.BatchNorm1d(outside)] * norm + [nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def pool(frames: Tensor) -> Tensor:
    """(B, F, D) to (B, D), the mean over time: the clip embedding that probes will see."""
    return frames.mean(dim=1)


def tanh_projector(inside: int, outside: int) -> nn.Sequential:
    """COLA's projection: linear, LayerNorm, tanh (Saeed et al. 2021, section 2)."""
    return nn.Sequential(nn.Linear(inside, outside), nn.LayerNorm(outside), nn.Tanh())


def bilinear_form(size: int) -> nn.Parameter:
    """W of the similarity a^T W b, (size, size); the dot product of tanh projections would saturate at once."""
    return nn.Parameter(torch.randn(size, size) / size)
