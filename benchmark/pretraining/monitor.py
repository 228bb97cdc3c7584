"""Collapse monitors: is anything left in the embeddings? Computed on a fixed held-out set."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: below these, embeddings of different tracks hardly differ
COLLAPSED_RANK, COLLAPSED_COSINE = 2.0, 0.999


def monitors(embeddings: Tensor) -> dict[str, float]:
    """Health of (N, D) clip embeddings.

    Returns:
        `std`: mean per-dimension deviation of the L2-normalized embeddings, times sqrt(D) (1 if isotropic);
        `effective_rank`: exp of the entropy of the centered embeddings' normalized singular values (RankMe,
        Garrido et al. 2023, on centered data); `mean_cosine`: mean cosine between different tracks;
        `collapsed`: 1 if the rank or the cosine says so.
    """
    z = F.normalize(embeddings.double(), dim=1)
    n, dim = z.shape
    singular = torch.linalg.svdvals(z - z.mean(dim=0))
    p = singular / singular.sum().clamp(min=1e-12)
    rank = float(torch.exp(-(p * torch.log(p.clamp(min=1e-12))).sum()))
    cosine = float((z @ z.T).sum() - n) / (n * (n - 1))
    return {
        "std": float(z.std(dim=0).mean()) * dim**0.5,
        "effective_rank": rank,
        "mean_cosine": cosine,
        "collapsed": float(rank < COLLAPSED_RANK or cosine > COLLAPSED_COSINE),
    }
