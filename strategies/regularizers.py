"""Losses without negatives: the statistics (Barlow Twins, VICReg) or the clusters (DINO) of a batch keep it apart.

Pure functions under the conventions of `strategies.losses`. Statistics are those of the batch that they are given.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from strategies.losses import at_least_float32


def _off_diagonal_energy(matrix: Tensor) -> Tensor:
    """Sum of squares off the diagonal of (D, D); filled, since a difference of two sums cancels in float32."""
    eye = torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
    return matrix.masked_fill(eye, 0).square().sum()


def barlow_twins(a: Tensor, b: Tensor, off_diagonal_weight: float, mean: bool = False) -> Tensor:
    """Make the cross-correlation between two views the identity.

    Each dimension is standardized over the batch with its biased deviation, as an affine-free BatchNorm does (epsilon
    1e-5), so that the correlation of a view with itself is 1.

    Args:
        a: (N, D) embeddings of the first view.
        b: (N, D) embeddings of the second view, in the same order.
        off_diagonal_weight: of the squared correlations between different dimensions (5e-3 in the paper).
        mean: means over the D diagonal and the D (D - 1) other entries in place of sums; the weight is then near 1.

    Source: Zbontar et al. 2021, eq. 1-2; `mean`: Meseguer-Brocal et al. 2024.
    """
    with torch.autocast(a.device.type, enabled=False):
        x, y = (F.batch_norm(at_least_float32(z), None, None, training=True) for z in (a, b))
        correlation = x.T @ y / len(x)
        on, off = (1 - correlation.diagonal()).square().sum(), _off_diagonal_energy(correlation)
        if mean:
            d = len(correlation)
            on, off = on / d, off / (d * (d - 1))
        return on + off_diagonal_weight * off


def vicreg(
    a: Tensor, b: Tensor, invariance: float, variance: float, covariance: float, correlation: bool = False
) -> Tensor:
    """Pull two views together; keep each dimension's deviation above 1 and the dimensions uncorrelated.

    Args:
        a: (N, D) embeddings of the first view.
        b: (N, D) embeddings of the second view, in the same order.
        invariance: weight of the mean squared distance (25 in the paper).
        variance: weight of the hinge on the deviations, the mean of both views (25 in the paper's code).
        covariance: weight of the squared covariances divided by D, the sum of both views (1 in the paper).
        correlation: in their place, the squared correlations' mean over the D (D - 1) pairs of dimensions and over both
            views, as in the multi-view study: 2 (D - 1) times less at unit variance, and blind to scale.

    Source: Bardes et al. 2022, eq. 1-6. The mean in the variance term is the released code's; the paper writes a sum.
    `correlation`: Meseguer-Brocal et al. 2024, whose code divides by N - 1 after a BatchNorm that divides by N.
    """
    with torch.autocast(a.device.type, enabled=False):
        x, y = at_least_float32(a), at_least_float32(b)
        loss = invariance * F.mse_loss(x, y)
        for z in (x, y):
            centered = z - z.mean(dim=0)
            hinge = F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()
            compared = F.batch_norm(z, None, None, training=True) if correlation else centered
            energy = _off_diagonal_energy(compared.T @ compared / (len(z) - 1))
            spread = energy / (2 * (z.shape[1] - 1)) if correlation else energy
            loss = loss + variance * hinge / 2 + covariance * spread / z.shape[1]
        return loss


def dino(
    student: Tensor, teacher: Tensor, centre: Tensor, student_temperature: float, teacher_temperature: float | Tensor
) -> Tensor:
    """Cross-entropy of the student's clusters under the teacher's, centered and sharpened; no gradient to the teacher.

    Args:
        student: (N, K) logits of one view.
        teacher: (N, K) logits of another view, in the same order.
        centre: (K,) running mean of the teacher's logits.
        student_temperature: divides the student's logits.
        teacher_temperature: divides the teacher's centered logits; the lower, the sharper.

    Source: Caron et al. 2021, eq. 2 and algorithm 1.
    """
    with torch.autocast(student.device.type, enabled=False):
        centered = at_least_float32(teacher.detach()) - at_least_float32(centre.detach())
        target = (centered / teacher_temperature).softmax(dim=1)
        log_share = (at_least_float32(student) / student_temperature).log_softmax(dim=1)
        return -(target * log_share).sum(dim=1).mean()


@torch.no_grad()
def moved_centre(centre: Tensor, teacher_logits: Tensor, momentum: float) -> Tensor:
    """Move the centre to momentum * centre + (1 - momentum) * mean over the batch; (K,) and (N, K) to (K,).

    Source: Caron et al. 2021, eq. 4.
    """
    return momentum * centre + (1 - momentum) * at_least_float32(teacher_logits).mean(dim=0)
