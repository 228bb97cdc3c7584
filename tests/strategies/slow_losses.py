"""The losses once more, shaped like the papers' equations: loops, one term at a time, no tricks. Float64 in and out."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def cosine(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y) / ((x @ x).sqrt() * (y @ y).sqrt())


def nce(score: Callable[[Tensor, Tensor], Tensor], anchor: Tensor, own: Tensor, others: Sequence[Tensor]) -> Tensor:
    """-log of the own positive's share among itself and the others."""
    hit = score(anchor, own).exp()
    return -(hit / (hit + sum(score(anchor, other).exp() for other in others))).log()


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Chen et al. 2020, eq. 1."""
    z, n = [*a, *b], len(a)
    terms = []
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = [z[k] for k in range(2 * n) if k not in (i, j)]
        terms.append(nce(lambda x, y: cosine(x, y) / temperature, z[i], z[j], others))
    return torch.stack(terms).mean()


def sup_con(z: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Khosla et al. 2020, eq. 2, with weights; over the anchors that have a positive."""
    terms = []
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        denominator = sum((cosine(z[i], z[k]) / temperature).exp() for k in others)
        total = sum(float(weights[i, p]) for p in others)
        if total > 0:
            logs = [((cosine(z[i], z[p]) / temperature).exp() / denominator).log() for p in others]
            terms.append(-sum(float(weights[i, p]) * log for p, log in zip(others, logs, strict=True)) / total)
    return torch.stack(terms).mean()


def positives(track: Tensor, labels: Tensor, threshold: int, weighted: bool) -> Tensor:
    """Guinot et al. 2024, section 2.1, with Python's sets."""
    tags = [set(row.nonzero().flatten().tolist()) for row in labels]
    weights = torch.zeros(len(track), len(track), dtype=torch.float64)
    for i, a in enumerate(tags):
        for j, b in enumerate(tags):
            if track[i] == track[j]:
                weights[i, j] = 1
            elif a and b and weighted:
                weights[i, j] = 2 * len(a & b) / (len(a) + len(b))
            elif a and b:
                weights[i, j] = len(a & b) >= threshold
    return weights


def bilinear_nce(anchors: Tensor, sources: Tensor, weight: Tensor) -> Tensor:
    """Saeed et al. 2021, section 2."""
    terms = []
    for i, anchor in enumerate(anchors):
        others = [s for k, s in enumerate(sources) if k != i]
        terms.append(nce(lambda a, p: a @ (weight @ p), anchor, sources[i], others))
    return torch.stack(terms).mean()


def bilinear_null_nce(anchors: Tensor, sources: Tensor, weight: Tensor, active: Tensor) -> Tensor:
    """Garoufis et al. 2023: the batch without silent sources, and one class more for them all."""
    columns = {i: sources[i] for i in range(len(anchors)) if active[i]}
    silent = [sources[i] for i in range(len(anchors)) if not active[i]]
    if silent:
        columns[-1] = sum(silent, torch.zeros_like(sources[0])) / len(silent)
    terms = []
    for i, anchor in enumerate(anchors):
        target = i if active[i] else -1
        others = [column for k, column in columns.items() if k != target]
        terms.append(nce(lambda a, p: a @ (weight @ p), anchor, columns[target], others))
    return torch.stack(terms).mean()


def info_nce(a: Tensor, p: Tensor, negatives: Tensor | None, temperature: float, normalize: bool) -> Tensor:
    """van den Oord et al. 2018, eq. 4."""

    def score(x: Tensor, y: Tensor) -> Tensor:
        return (cosine(x, y) if normalize else x @ y) / temperature

    terms = []
    for i in range(len(a)):
        others = [q for k, q in enumerate(p) if k != i] if negatives is None else list(negatives[i])
        terms.append(nce(score, a[i], p[i], others))
    return torch.stack(terms).mean()


def byol_regression(prediction: Tensor, target: Tensor) -> Tensor:
    """Grill et al. 2020, eq. 2: the squared distance between unit vectors."""
    terms = []
    for x, y in zip(prediction.flatten(0, -2), target.flatten(0, -2), strict=True):
        distance = x / (x @ x).sqrt() - y / (y @ y).sqrt()
        terms.append(distance @ distance)
    return torch.stack(terms).mean()


def m2d(prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """Niizumi et al. 2023 as released: each target standardized over its features, then both made unit vectors."""
    flat = prediction.flatten(0, -2), target.flatten(0, -2)
    terms = []
    for i, (x, y) in enumerate(zip(*flat, strict=True)):
        if mask is None or mask.flatten()[i]:
            centered = y - y.sum() / len(y)
            y = centered / ((centered @ centered) / (len(y) - 1) + 1e-6).sqrt()
            terms.append(2 - 2 * ((x / (x @ x).sqrt()) @ (y / (y @ y).sqrt())))
    return torch.stack(terms).mean()


def masked_regression(prediction: Tensor, target: Tensor, mask: Tensor, normalize: bool) -> Tensor:
    """He et al. 2022, section 3: patch by patch."""
    terms = []
    for b, n in mask.nonzero().tolist():
        truth = target[b, n]
        if normalize:
            centered = truth - truth.sum() / len(truth)
            truth = centered / ((centered @ centered) / (len(truth) - 1) + 1e-6).sqrt()
        terms.append(((prediction[b, n] - truth) @ (prediction[b, n] - truth)) / len(truth))
    return torch.stack(terms).mean()


def barlow_twins(a: Tensor, b: Tensor, weight: float, mean: bool) -> Tensor:
    """Zbontar et al. 2021, eq. 1-2, which have no epsilon."""
    a, b = a - a.sum(dim=0) / len(a), b - b.sum(dim=0) / len(b)
    on, off = [], []
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            correlation = cosine(a[:, i], b[:, j])
            on.append((1 - correlation) ** 2) if i == j else off.append(correlation**2)
    on_sum, off_sum = torch.stack(on).sum(), torch.stack(off).sum()
    return on_sum / len(on) + weight * off_sum / len(off) if mean else on_sum + weight * off_sum


def vicreg(a: Tensor, b: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Bardes et al. 2022, eq. 1-6, with the released code's halves."""
    n, d = a.shape
    loss = invariance * sum((x - y) @ (x - y) for x, y in zip(a, b, strict=True)) / (n * d)
    for z in (a, b):
        columns = [column - column.sum() / n for column in z.T]
        for i, x in enumerate(columns):
            deviation = (x @ x / (n - 1) + 1e-4).sqrt()
            loss = loss + variance / 2 * torch.clamp(1 - deviation, min=0) / d
            for j, y in enumerate(columns):
                if i != j:
                    loss = loss + covariance * (x @ y / (n - 1)) ** 2 / d
    return loss


def vicreg_correlation(a: Tensor, b: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Meseguer-Brocal et al. 2024: VICReg whose third term is a mean over pairs of dimensions and over views.

    Pairs are compared after an affine-free BatchNorm (N, epsilon 1e-5), and their sum is divided by N - 1.
    """
    (n, d), third = a.shape, []
    for z in (a, b):
        centered = z - z.sum(dim=0) / n
        normed = [column / (column @ column / n + 1e-5).sqrt() for column in centered.T]
        third += [(x @ y / (n - 1)) ** 2 for i, x in enumerate(normed) for j, y in enumerate(normed) if i != j]
    assert len(third) == 2 * d * (d - 1)
    return vicreg(a, b, invariance, variance, 0.0) + covariance * sum(third, a.new_zeros(())) / len(third)


def dino(student: Tensor, teacher: Tensor, centre: Tensor, tau_s: float, tau_t: float) -> Tensor:
    """Caron et al. 2021, eq. 1-2 and algorithm 1."""
    terms = []
    for s, t in zip(student, teacher, strict=True):
        p_s = (s / tau_s).exp() / (s / tau_s).exp().sum()
        p_t = ((t - centre) / tau_t).exp() / ((t - centre) / tau_t).exp().sum()
        terms.append(-sum(p * q.log() for p, q in zip(p_t, p_s, strict=True)))
    return torch.stack(terms).mean()


def agreement(prediction: Tensor, target: Tensor) -> Tensor:
    """Riou et al. 2023 as released: cross-entropy whose logits are the predicted probabilities."""
    terms = []
    for p, t in zip(prediction, target.detach(), strict=True):
        total = sum(x.exp() for x in p)
        terms.append(-sum(weight * (x.exp() / total).log() for weight, x in zip(t, p, strict=True)))
    return torch.stack(terms).mean()


def shifted_agreement(a: Tensor, b: Tensor, steps: Tensor, reach: int) -> Tensor:
    """Riou et al. 2023: bin i of `a` beside bin i + step of `b`, both zero beyond their ends."""
    rows: list[list[Tensor]] = [[], []]
    for x, y, k in zip(a, b, steps.tolist(), strict=True):
        places = range(-reach, len(x) + reach)
        zero = torch.zeros((), dtype=x.dtype)
        rows[0].append(torch.stack([x[i] if 0 <= i < len(x) else zero for i in places]))
        rows[1].append(torch.stack([y[i + k] if 0 <= i + k < len(y) else zero for i in places]))
    return agreement(torch.stack(rows[0]), torch.stack(rows[1]))


def pitch_ratio(a: Tensor, b: Tensor, steps: Tensor, bins_per_octave: int, threshold: float) -> Tensor:
    """Riou et al. 2023: Huber's loss of phi(b) / phi(a) - 2^(k / bins per octave), and of the inverse ratios."""

    def huber(x: Tensor) -> Tensor:
        return x**2 / 2 if abs(x.item()) <= threshold else threshold * (x.abs() - threshold / 2)

    terms = []
    for x, y, k in zip(a, b, steps.tolist(), strict=True):
        phi = [sum(2 ** (i / bins_per_octave) * value for i, value in enumerate(z)) for z in (x, y)]
        ratio = 2 ** (k / bins_per_octave)
        terms.append((huber(phi[1] / phi[0] - ratio) + huber(phi[0] / phi[1] - 1 / ratio)) / 2)
    return torch.stack(terms).mean()


def cross_power(a: Tensor, b: Tensor, steps: Tensor, turns: int) -> Tensor:
    """Kong et al. 2024, eq. 2-5, with complex numbers of the pitch classes."""
    terms = []
    for x, y, k in zip(a, b, steps.tolist(), strict=True):
        circle = [cmath.exp(2j * cmath.pi * turns * q / 12) for q in range(12)]
        z = [sum(weight * point for weight, point in zip(profile, circle, strict=True)) for profile in (x, y)]
        distance = cmath.exp(-2j * cmath.pi * turns * k / 12) - z[0] * z[1].conj()
        terms.append((distance * distance.conj()).real)
    return torch.stack(terms).mean()


def mode_cross_entropy(share: Tensor, label: Tensor) -> Tensor:
    """Kong et al. 2025."""
    return torch.stack([-s.log() if y else -(1 - s).log() for s, y in zip(share, label, strict=True)]).mean()
