"""Losses that know by how much one view was transposed: PESTO's on a pitch axis, STONE's and S-KEY's on its circle.

Pure functions under the conventions of `strategies.losses`. A distribution is (N, K), non-negative with sum 1; `steps`
(N,) are integers, by how many bins (PESTO) or semitones (STONE) the second input's sound is higher than the first's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from strategies.losses import at_least_float32


def agreement(prediction: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of one distribution under another, (N, K) each; the target gets no gradient.

    Probabilities are taken for logits, as in PESTO's released code: up to a constant and 1 / K this is minus the inner
    product of the two, so that they gain from being peaked, and at the same place. The prediction's own logarithm would
    be content with any two that are equal, flat ones too, and learns relative pitch several times as slowly.

    Source: Riou et al. 2023 (PESTO), the invariance loss.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        return F.cross_entropy(at_least_float32(prediction), at_least_float32(target.detach()))


def aligned(a: Tensor, b: Tensor, steps: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Two distributions with `b` shifted back by its transposition, both (N, K + 2 reach), zero where nothing was.

    Args:
        reach: the largest transposition there may be.

    Source: Riou et al. 2023 (PESTO), the shifted cross-entropy, whose terms are `agreement` between these two.
    """
    x, y = F.pad(a, (reach, reach)), F.pad(b, (2 * reach, 2 * reach))
    at = steps[:, None] + reach + torch.arange(x.shape[1], device=x.device)
    return x, y.gather(1, at)


def pitch_ratio(a: Tensor, b: Tensor, steps: Tensor, bins_per_octave: int, threshold: float) -> Tensor:
    """Huber loss between the ratio of two projections and that of the frequencies, 2^(steps / bins per octave).

    A distribution's projection is its mean frequency, sum over i of 2^(i / bins per octave) p_i: where `b` is `a`
    shifted, their ratio is that of the frequencies, and no constant output is a solution.

    Args:
        threshold: where the Huber loss turns from quadratic to linear (2^(1/6) - 1 in the released code).

    Source: Riou et al. 2023 (PESTO), the equivariance loss, the mean of both directions.
    """
    with torch.autocast(a.device.type, enabled=False):
        x, y = at_least_float32(a), at_least_float32(b)
        # below 1, so that nothing overflows; a common factor is nothing to a ratio
        octaves = torch.arange(1 - x.shape[1], 1, device=x.device, dtype=x.dtype) / bins_per_octave
        low, high = x @ octaves.exp2(), y @ octaves.exp2()
        expected = (steps.to(x.dtype) / bins_per_octave).exp2()
        up = F.huber_loss(high / low, expected, delta=threshold)
        return (up + F.huber_loss(low / high, 1 / expected, delta=threshold)) / 2


def key_coefficient(profile: Tensor, turns: int) -> Tensor:
    """The Fourier coefficient of a (N, 12) profile that goes `turns` times round the pitch classes, (N,) complex.

    With 7 turns neighbors on the circle are a fifth apart, with 1 a semitone. Transposition up by k semitones turns the
    coefficient by 2 pi turns k / 12; it lies on the unit circle where one pitch class has it all.

    Source: Kong et al. 2024 (STONE), eq. 2.
    """
    with torch.autocast(profile.device.type, enabled=False):
        x = at_least_float32(profile)
        angle = 2 * math.pi * turns * torch.arange(12, device=x.device, dtype=x.dtype) / 12
        return torch.complex(x @ angle.cos(), x @ angle.sin())


def cross_power(a: Tensor, b: Tensor, steps: Tensor, turns: int) -> Tensor:
    """Squared distance between the cross-power spectral density of two profiles and what the transposition makes it.

    Args:
        a: (N, 12) profiles, distributions over pitch classes.
        b: (N, 12) profiles of the sound `steps` semitones higher.

    Source: Kong et al. 2024 (STONE), eq. 5: the mean of |e^(-2 pi i turns steps / 12) - z_a conj(z_b)|^2.
    """
    with torch.autocast(a.device.type, enabled=False):
        density = key_coefficient(a, turns) * key_coefficient(b, turns).conj()
        angle = -2 * math.pi * turns * steps.to(density.real.dtype) / 12
        return ((density.real - angle.cos()).square() + (density.imag - angle.sin()).square()).mean()


def mode_labels(profile: Tensor, chroma: Tensor) -> Tensor:
    """Which of two pitch classes, as far apart as relative tonics, is louder: 1.0 for the profile's peak q, else 0.0.

    The other one is q + 3. No loss says where a key signature's peak lies, so the two need not be its tonics.

    Args:
        profile: (N, 12) key signature profiles.
        chroma: (N, 12) energy of each pitch class, in the profile's order.

    Source: Kong et al. 2025 (S-KEY), with its released code's order of the two.
    """
    with torch.no_grad():
        first = profile.argmax(dim=1, keepdim=True)
        louder = chroma.gather(1, first) > chroma.gather(1, (first + 3) % 12)
        return louder.squeeze(1).to(at_least_float32(profile).dtype)


def mode_cross_entropy(share: Tensor, label: Tensor) -> Tensor:
    """Binary cross-entropy of the first mode's share, (N,) in [0, 1], with labels (N,); logarithms end at -100.

    Source: Kong et al. 2025 (S-KEY).
    """
    with torch.autocast(share.device.type, enabled=False):
        # rounding may carry a sum of probabilities beyond 1
        return F.binary_cross_entropy(at_least_float32(share).clamp(0, 1), at_least_float32(label))


def mode_balance(share: Tensor) -> Tensor:
    """How far the batch is from having both modes alike: (mean share - 1/2)^2.

    Source: Kong et al. 2025 (S-KEY).
    """
    with torch.autocast(share.device.type, enabled=False):
        return (at_least_float32(share).mean() - 0.5).square()
