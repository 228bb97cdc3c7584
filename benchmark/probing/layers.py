"""A probe as a list of layers, batched over subsets and hyper-parameters, and its loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

#: one class of several; any number of tags or activations, each on its own; numbers
Loss = Literal["softmax", "sigmoid", "squares"]


def forward(layers: list[Tensor], x: Tensor) -> Tensor:
    """Outputs (..., n, C) of rows (..., n, D)."""
    for i, layer in enumerate(layers):
        x = functional.pad(x if i == 0 else x.relu(), (0, 1), value=1.0) @ layer
    return x


def row_loss(z: Tensor, y: Tensor, kind: Loss) -> Tensor:
    """Loss of each row, (...), from outputs and targets (..., C); a target that is NaN counts for nothing."""
    if kind == "softmax":
        return z.logsumexp(-1) - (y * z).sum(-1)
    known, y = ~y.isnan(), y.nan_to_num()  # NaN times zero would be a gradient of NaN
    each = functional.softplus(z) - y * z if kind == "sigmoid" else (z - y).square() / 2
    return (each * known).sum(-1)


def descent(z: Tensor, y: Tensor, kind: Loss) -> tuple[Tensor, Tensor, Tensor]:
    """Of `row_loss`: its sum over the rows, derivative by the outputs, and that one's own, summed over the rows.

    Args:
        z: (S, n, C) outputs; they are written to.
        y: (S, n, C) targets.
        kind: the loss, but squares.

    Returns:
        (S,), (S, n, C) and (S, C).
    """
    if kind == "softmax":  # a class is always known
        p = z.log_softmax(-1)
        loss = -torch.linalg.vecdot(p.flatten(1), y.flatten(1))
        p = p.exp_()
        return loss, torch.sub(p, y, out=z), p.sum(1) - torch.linalg.vector_norm(p, dim=1).square()
    loss, p = row_loss(z, y, kind).sum(1), z.sigmoid()
    return loss, torch.where(y.isnan(), 0.0, p - y), (p - p.square()).sum(1)
