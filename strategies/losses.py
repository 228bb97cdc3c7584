"""Losses: pure functions of float32 tensors. Autocast is off inside; they know nothing of ranks or modules."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Normalized temperature-scaled cross-entropy between two views.

    Each of the 2N embeddings is an anchor; its positive is the other view, its negatives are the other 2N - 2.

    Args:
        a: (N, D) embeddings of the first view.
        b: (N, D) embeddings of the second view, in the same order.
        temperature: divides the cosine similarities; has no default, since it defines the benchmark.

    Source: Chen et al. 2020, eq. 1; Spijkervet & Burgoyne 2021, section 3.3.
    """
    with torch.autocast(a.device.type, enabled=False):
        z = F.normalize(torch.cat([a, b]).float(), dim=1)
        n = len(a)
        similarity = (z @ z.T / temperature).masked_fill(
            torch.eye(2 * n, dtype=torch.bool, device=z.device), -torch.inf
        )
        positive = torch.arange(2 * n, device=z.device).roll(n)
        return F.cross_entropy(similarity, positive)


def byol_regression(prediction: Tensor, target: Tensor) -> Tensor:
    """2 - 2 cos between a prediction and the teacher's projection, (N, D) each; the teacher gets no gradient.

    Source: Grill et al. 2020, eq. 2.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        return (2 - 2 * F.cosine_similarity(prediction.float(), target.detach().float(), dim=1)).mean()
