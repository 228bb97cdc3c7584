"""Every loss with inputs of a batch of n in d dimensions, and its slow twin: what the tests of all losses run over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import slow_losses as slow
import torch
from torch import Generator, Tensor

from strategies import equivariance, losses, regularizers


class Case(NamedTuple):
    fast: Callable[..., Tensor]
    slow: Callable[..., Tensor]
    inputs: Callable[[int, int, Generator], tuple[Tensor, ...]]
    learned: int  # the first so many inputs get a gradient


def _normal(*shape: int, scale: float = 1.0) -> Callable[[Generator], Tensor]:
    return lambda generator: scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def _two(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    a = _normal(n, d)(generator)
    return a, a + 0.7 * _normal(n, d)(generator)


def _stretched(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    """Deviations on both sides of VICReg's hinge and none near it; large beside Barlow Twins's epsilon if times 100."""
    a, b = _two(n, d, generator)
    return a * (0.2 + 2.0 * (torch.arange(d) % 2)), b * (0.2 + 2.0 * (torch.arange(d) % 2))


def _labeled(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    """Two views of n / 2 tracks; tags of a third of the tracks are unknown."""
    track = torch.arange(n) % (n // 2)
    tags = (torch.rand(n // 2, 4, generator=generator) < 0.5).double()
    tags[::3] = 0
    return _normal(n, d)(generator), track, tags[track]


def _bilinear(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return *_two(n, d, generator), _normal(d, d, scale=1 / d)(generator)


def _sources(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return *_bilinear(n, d, generator), torch.arange(n) % 3 > 0


def _small(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    a, b = _two(n, d, generator)
    return a / d**0.25, b / d**0.25


def _with_negatives(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return *_two(n, d, generator), _normal(n, 3, d)(generator)


def _logits(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return tuple(_normal(*shape, scale=0.1)(generator) for shape in ((n, d), (n, d), (d,)))


def _patches(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return *(_normal(n, 4, d)(generator) for _ in range(2)), torch.rand(n, 4, generator=generator) < 0.6


def _distributions(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    a, b = _two(n, d, generator)
    return (2 * a).softmax(dim=1), (2 * b).softmax(dim=1)


def _transposed(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    """By at most 3 bins."""
    return *_distributions(n, d, generator), torch.randint(-3, 4, (n,), generator=generator)


def _profiles(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return *_distributions(n, 12, generator), torch.randint(-11, 12, (n,), generator=generator)


def _modes(n: int, d: int, generator: Generator) -> tuple[Tensor, ...]:
    return _normal(n)(generator).sigmoid(), torch.arange(n).double() % 2


def _semi(positives: Callable[..., Tensor], loss: Callable[..., Tensor], weighted: bool) -> Callable[..., Tensor]:
    return lambda z, track, tags: loss(z, positives(track, tags, 2, weighted), 0.3)


def _supervised(weighted: bool) -> Case:
    fast = _semi(losses.semi_supervised_positives, losses.sup_con, weighted)
    return Case(fast, _semi(slow.positives, slow.sup_con, weighted), _labeled, 1)


CASES: dict[str, Case] = {
    "nt_xent": Case(lambda a, b: losses.nt_xent(a, b, 0.2), lambda a, b: slow.nt_xent(a, b, 0.2), _two, 2),
    "sup_con": _supervised(weighted=False),
    "sup_con_dice": _supervised(weighted=True),
    "bilinear_nce": Case(losses.bilinear_nce, slow.bilinear_nce, _bilinear, 3),
    "bilinear_null_nce": Case(losses.bilinear_null_nce, slow.bilinear_null_nce, _sources, 3),
    "info_nce_dot": Case(
        lambda a, p: losses.info_nce(a, p, temperature=1.0, normalize=False),
        lambda a, p: slow.info_nce(a, p, None, 1.0, False),
        _small,
        2,
    ),
    "info_nce_negatives": Case(
        lambda a, p, n: losses.info_nce(a, p, n, temperature=0.3, normalize=True),
        lambda a, p, n: slow.info_nce(a, p, n, 0.3, True),
        _with_negatives,
        3,
    ),
    "byol_regression": Case(losses.byol_regression, slow.byol_regression, _two, 1),
    "m2d": Case(
        lambda x, y, m: losses.byol_regression(x, losses.token_standardized(y), m),
        slow.m2d,
        _patches,
        1,
    ),
    "masked_regression": Case(
        lambda x, y, m: losses.masked_regression(x, y, m, normalize=False),
        lambda x, y, m: slow.masked_regression(x, y, m, False),
        _patches,
        1,
    ),
    "masked_regression_normalized": Case(
        lambda x, y, m: losses.masked_regression(x, y, m, normalize=True),
        lambda x, y, m: slow.masked_regression(x, y, m, True),
        _patches,
        1,
    ),
    "barlow_twins": Case(
        lambda a, b: regularizers.barlow_twins(100 * a, 100 * b, 0.005),
        lambda a, b: slow.barlow_twins(a, b, 0.005, False),
        _stretched,
        2,
    ),
    "barlow_twins_mean": Case(
        lambda a, b: regularizers.barlow_twins(100 * a, 100 * b, 1.0, mean=True),
        lambda a, b: slow.barlow_twins(a, b, 1.0, True),
        _stretched,
        2,
    ),
    "vicreg": Case(
        lambda a, b: regularizers.vicreg(a, b, 25.0, 25.0, 1.0),
        lambda a, b: slow.vicreg(a, b, 25.0, 25.0, 1.0),
        _stretched,
        2,
    ),
    "vicreg_correlation": Case(
        lambda a, b: regularizers.vicreg(a, b, 1.0, 1.0, 1.0, correlation=True),
        lambda a, b: slow.vicreg_correlation(a, b, 1.0, 1.0, 1.0),
        _stretched,
        2,
    ),
    "dino": Case(
        lambda s, t, c: regularizers.dino(s, t, c, 0.1, 0.04),
        lambda s, t, c: slow.dino(s, t, c, 0.1, 0.04),
        _logits,
        1,
    ),
    "agreement": Case(equivariance.agreement, slow.agreement, _distributions, 1),
    "shifted_agreement": Case(
        lambda a, b, steps: equivariance.agreement(*equivariance.aligned(a, b, steps, 3)),
        lambda a, b, steps: slow.shifted_agreement(a, b, steps, 3),
        _transposed,
        1,
    ),
    "pitch_ratio": Case(
        lambda a, b, steps: equivariance.pitch_ratio(a, b, steps, 6, 0.3),
        lambda a, b, steps: slow.pitch_ratio(a, b, steps, 6, 0.3),
        _transposed,
        2,
    ),
    "cross_power_fifths": Case(
        lambda a, b, steps: equivariance.cross_power(a, b, steps, 7),
        lambda a, b, steps: slow.cross_power(a, b, steps, 7),
        _profiles,
        2,
    ),
    "cross_power_semitones": Case(
        lambda a, b, steps: equivariance.cross_power(a, b, steps, 1),
        lambda a, b, steps: slow.cross_power(a, b, steps, 1),
        _profiles,
        2,
    ),
    "mode_cross_entropy": Case(equivariance.mode_cross_entropy, slow.mode_cross_entropy, _modes, 1),
}
