"""Losses: pure functions of float32 tensors. Autocast is off inside; they know nothing of ranks or modules.

Conventions: N or B examples of a batch, D dimensions of an embedding. Each returns a scalar in float32 (in float64 when
it is given float64). Temperatures and weights have no default, since they define the benchmark. The losses that compare
statistics or distributions of a batch instead of its pairs are in `strategies.regularizers`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def at_least_float32(x: Tensor) -> Tensor:
    """Cast to float32 unless it is float64, in which the tests are exact."""
    return x if x.dtype == torch.float64 else x.float()


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Normalized temperature-scaled cross-entropy between two views.

    Each of the 2N embeddings is an anchor; its positive is the other view, its negatives are the other 2N - 2.

    Args:
        a: (N, D) embeddings of the first view.
        b: (N, D) embeddings of the second view, in the same order.
        temperature: divides the cosine similarities.

    Source: Chen et al. 2020, eq. 1; Spijkervet & Burgoyne 2021, section 3.3.
    """
    with torch.autocast(a.device.type, enabled=False):
        z = F.normalize(at_least_float32(torch.cat([a, b])), dim=1)
        n = len(a)
        similarity = (z @ z.T / temperature).masked_fill(
            torch.eye(2 * n, dtype=torch.bool, device=z.device), -torch.inf
        )
        positive = torch.arange(2 * n, device=z.device).roll(n)
        return F.cross_entropy(similarity, positive)


def sup_con(z: Tensor, positives: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss, L_out: the mean over an anchor's positives is outside the logarithm.

    An anchor without positives adds nothing and is not counted; it still is a negative of the others.

    Args:
        z: (N, D) embeddings of all views of the batch.
        positives: (N, N) weights in [0, 1], row i for anchor i; the diagonal is ignored.
        temperature: divides the cosine similarities.

    Source: Khosla et al. 2020, eq. 2; Guinot et al. 2024, section 2.1. The released code of the latter adds 1e-6 inside
    the logarithm, which stops the gradient of the hardest positives; this one does not.
    """
    with torch.autocast(z.device.type, enabled=False):
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        z = F.normalize(at_least_float32(z), dim=1)
        log_share = (z @ z.T / temperature).masked_fill(itself, -torch.inf).log_softmax(dim=1)
        weights = positives.to(z.dtype).masked_fill(itself, 0)
        total = weights.sum(dim=1)
        lonely = total == 0
        # The second fill keeps 0 * inf, which is not a number, out of the sum.
        terms = -(weights * log_share.masked_fill(itself, 0)).sum(dim=1) / total.masked_fill(lonely, 1)
        return terms.sum() / (~lonely).sum().clamp(min=1)


def semi_supervised_positives(track: Tensor, labels: Tensor, threshold: int, weighted: bool) -> Tensor:
    """Weights for `sup_con` from tracks and from whatever labels there are.

    Views of one track match (1). Labeled views of different tracks match if they share enough tags (1) or, if
    `weighted`, as far as they share them: Dice 2 |A and B| / (|A| + |B|). Unlabeled views match their own track alone.

    Args:
        track: (N,) integers, equal for the views of a track.
        labels: (N, C) multi-hot; all zero where unlabeled.
        threshold: tags that two tracks must share, at least 1; unused if `weighted`.
        weighted: Dice in place of the threshold.

    Returns:
        (N, N) float32 weights (float64 for float64 labels).

    Source: Guinot et al. 2024, section 2.1.
    """
    with torch.autocast(labels.device.type, enabled=False):
        tags = at_least_float32(labels)
        shared, count = tags @ tags.T, tags.sum(dim=1)
        labeled = (count[:, None] > 0) & (count > 0)
        dice = 2 * shared / (count[:, None] + count).clamp(min=1)
        match = dice if weighted else (labeled & (shared >= threshold)).to(tags.dtype)
        return match.masked_fill(track[:, None] == track, 1)


def bilinear_nce(anchors: Tensor, positives: Tensor, weight: Tensor) -> Tensor:
    """Find an anchor's own positive among those of the batch by a learned similarity, a^T W p, without temperature.

    Args:
        anchors: (B, D) embeddings.
        positives: (B, D) embeddings, in the same order.
        weight: (D, D), learned with the encoder.

    Source: Saeed et al. 2021 (COLA), section 2.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        scores = at_least_float32(anchors) @ at_least_float32(weight) @ at_least_float32(positives).T
        return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def bilinear_null_nce(anchors: Tensor, positives: Tensor, weight: Tensor, active: Tensor) -> Tensor:
    """`bilinear_nce` where the source of some positives is silent: their anchors belong to one class, the null source.

    The null source is the mean of the silent positives, which are no columns of their own. Without silent positives it
    is no column either; without sounding ones it is the only column and the loss is 0.

    Args:
        anchors: (B, D) embeddings of mixtures.
        positives: (B, D) embeddings of their sources.
        weight: (D, D), learned with the encoder.
        active: (B,) bool, whether the source sounds.

    Source: Garoufis et al. 2023 (MSCOL), with its released code's treatment of silent sources.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        a, p, silent = at_least_float32(anchors), at_least_float32(positives), ~active
        null = (silent.to(p.dtype) @ p / silent.sum().clamp(min=1)).unsqueeze(0)
        absent = torch.cat([silent, active.all().unsqueeze(0)])
        scores = (a @ at_least_float32(weight) @ torch.cat([p, null]).T).masked_fill(absent, -torch.inf)
        own = torch.arange(len(a), device=a.device)
        return F.cross_entropy(scores, own.masked_fill(silent, len(a)))


def info_nce(
    anchors: Tensor, positives: Tensor, negatives: Tensor | None = None, *, temperature: float, normalize: bool
) -> Tensor:
    """Find an anchor's own positive among those of the batch or, where given, among its own negatives.

    Args:
        anchors: (N, D) embeddings, or CPC's predictions.
        positives: (N, D) embeddings, in the same order.
        negatives: (N, K, D) embeddings, in place of the other positives of the batch.
        temperature: divides the similarities.
        normalize: whether they are cosines; plain dot products otherwise.

    Source: van den Oord et al. 2018, eq. 4. Choi et al. 2022 use dot products at temperature 1 between tracks.
    """
    with torch.autocast(anchors.device.type, enabled=False):

        def prepared(x: Tensor) -> Tensor:
            return F.normalize(at_least_float32(x), dim=-1) if normalize else at_least_float32(x)

        a, p = prepared(anchors), prepared(positives)
        own = torch.arange(len(a), device=a.device)
        if negatives is None:
            return F.cross_entropy(a @ p.T / temperature, own)
        scores = torch.cat([p.unsqueeze(1), prepared(negatives)], dim=1) @ a.unsqueeze(2)
        return F.cross_entropy(scores.squeeze(2) / temperature, torch.zeros_like(own))


def byol_regression(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """2 - 2 cos between a prediction and the teacher's projection, (..., D) each; the teacher gets no gradient.

    Args:
        prediction: the student's.
        target: the teacher's.
        mask: (...) bool, which of them count; by default all.

    Source: Grill et al. 2020, eq. 2; on the masked tokens alone it is M2D's loss (Niizumi et al. 2023).
    """
    with torch.autocast(prediction.device.type, enabled=False):
        cosine = F.cosine_similarity(at_least_float32(prediction), at_least_float32(target.detach()), dim=-1)
        error = 2 - 2 * cosine
        return error.mean() if mask is None else _mean_where(mask, error)


def _mean_where(mask: Tensor, error: Tensor) -> Tensor:
    """The mean over what the mask lets through; 0 if that is nothing."""
    return error.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


def token_standardized(target: Tensor) -> Tensor:
    """(..., D) targets, each on its own with zero mean and unit variance over its D features; float32.

    Source: He et al. 2022, section 3, of pixels; M2D's released code, of the teacher's tokens. The variance is the
    unbiased one, as in both codes.
    """
    with torch.autocast(target.device.type, enabled=False):
        variance, mean = torch.var_mean(x := at_least_float32(target.detach()), dim=-1, keepdim=True)
        return (x - mean) / (variance + 1e-6).sqrt()


def standardized(target: Tensor) -> Tensor:
    """(..., D) targets with zero mean and unit variance in each dimension, over all of the batch; float32."""
    with torch.autocast(target.device.type, enabled=False):
        x = at_least_float32(target.detach())
        rows = x.flatten(0, -2)
        return (x - rows.mean(dim=0)) / (rows.var(dim=0, correction=0) + 1e-6).sqrt()


def clip_standardized(target: Tensor) -> Tensor:
    """(B, N, D) targets with zero mean and unit variance in each dimension over each clip's N positions; float32.

    Source: Baevski et al. 2022 (data2vec), section 3.3, of speech: instance normalization of the targets.
    """
    with torch.autocast(target.device.type, enabled=False):
        variance, mean = torch.var_mean(x := at_least_float32(target.detach()), dim=-2, keepdim=True, correction=0)
        return (x - mean) / (variance + 1e-5).sqrt()


def masked_regression(prediction: Tensor, target: Tensor, mask: Tensor, normalize: bool) -> Tensor:
    """Mean squared error over the masked patches alone; the target gets no gradient.

    Args:
        prediction: (B, N, D) patches.
        target: (B, N, D) patches.
        mask: (B, N) bool, true where the patch was hidden and counts.
        normalize: bring each target patch to zero mean and unit variance.

    Source: He et al. 2022 (MAE), section 3.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        truth = token_standardized(target) if normalize else at_least_float32(target.detach())
        return _mean_where(mask, (at_least_float32(prediction) - truth).square().mean(dim=-1))
