"""What tells a training's health: is anything left in its embeddings, and was its loss still moving at the end?"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

#: below these, embeddings of different tracks hardly differ
COLLAPSED_RANK, COLLAPSED_COSINE = 2.0, 0.999
#: parts of the last quarter of a loss curve: means over these do not know of each other as the losses of steps may
PARTS = 16


def monitors(embeddings: Tensor) -> dict[str, float]:
    """Health of (N, D) clip embeddings of a fixed held-out set.

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


def trend(curve: Tensor) -> float | None:
    """Slope of the last quarter of a loss curve over its standard error: t, with `PARTS` - 2 degrees of freedom.

    A line is fitted to the means of equal parts (to the losses themselves, where there are fewer). Beyond -3 the loss
    was still falling when training ended, beyond 3 rising; in between it may have been level. Under a learning rate
    that goes to zero a loss may fall to the end and yet have nothing more to learn.

    Args:
        curve: (steps,) losses.

    Returns:
        None where the quarter has too few steps, or no noise, to tell.
    """
    last = curve.double()[-(len(curve) // 4) :] if len(curve) >= 4 else curve[:0]
    if len(last) < 3:
        return None
    y = torch.stack([part.mean() for part in last.tensor_split(min(PARTS, len(last)))])
    x = torch.arange(len(y)) - (len(y) - 1) / 2
    slope = (x * y).sum() / x.square().sum()
    noise = (y - y.mean() - slope * x).square().sum() / (len(y) - 2)
    ratio = float(slope / (noise / x.square().sum()).sqrt())
    return ratio if math.isfinite(ratio) else None
