"""Student's t where several variances add up, each known to its own degrees of freedom (Satterthwaite 1946)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]

#: a variance, and how many degrees of freedom it was estimated with (infinite: it is known)
Part = tuple[ArrayLike, ArrayLike]


class Judgment(NamedTuple):
    """Effects on Student's distribution: arrays of one shape. `half_width` is of the 95 % interval, `p` two-sided."""

    stderr: Floats
    freedom: Floats
    half_width: Floats
    p: Floats


def satterthwaite(parts: Sequence[Part]) -> tuple[Floats, Floats]:
    """Add up independent variances.

    Args:
        parts: arrays of one shape each; fewer than one degree of freedom counts as one. A part that is taken off again
            is negative.

    Returns:
        Their sum, and its effective degrees of freedom, (sum v)^2 / sum(v^2 / f): infinite where nothing varies, at
        least one where parts nearly cancel.
    """
    variances = [np.asarray(variance, dtype=np.float64) for variance, _ in parts]
    total = np.asarray(sum(variances), dtype=np.float64)
    weight = sum(np.square(v) / np.maximum(freedom, 1) for v, (_, freedom) in zip(variances, parts, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):  # all are known: x / 0; nothing varies: 0 / 0
        return total, np.where(total == 0, np.inf, np.maximum(np.square(total) / weight, 1))


def student(effect: ArrayLike, parts: Sequence[Part]) -> Judgment:
    """Test effects whose variance is the sum of `parts` against zero. Where nothing varies, any effect is certain."""
    effects = np.asarray(effect, dtype=np.float64)
    total, freedom = satterthwaite(parts)
    stderr = np.sqrt(total)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where((effects == 0) & (total == 0), 1.0, 2 * stdtr(freedom, -np.abs(effects) / stderr))
    return Judgment(stderr, freedom, stdtrit(freedom, 0.975) * stderr, p)
