"""A probe as a list of layers, batched over subsets and hyper-parameters, and its loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def forward(layers: list[Tensor], x: Tensor) -> Tensor:
    """Logits (..., n, C) of rows (..., n, D)."""
    for i, layer in enumerate(layers):
        x = functional.pad(x if i == 0 else x.relu(), (0, 1), value=1.0) @ layer
    return x


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Loss of each row (...): softmax over several columns, sigmoid for one."""
    if z.shape[-1] == 1:
        return (functional.softplus(z) - y * z)[..., 0]
    return z.logsumexp(-1) - (y * z).sum(-1)
