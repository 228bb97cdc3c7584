"""Pitch contours of several data sets on one grid of times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: seconds between two values
HOP = 0.01


def contour(times: NDArray[np.floating[Any]], hertz: NDArray[np.floating[Any]]) -> list[float]:
    """A pitch contour every 10 ms from 0 to its last time, 0 where unvoiced, the way `mir_eval.melody` resamples.

    A moment is voiced if the last annotated one before it is; between two voiced ones the pitch is interpolated, since
    a voice moves by more than the tolerance of the metrics in 20 ms. What precedes the first annotation is like it.

    Args:
        times: (T,) increasing, in seconds.
        hertz: (T,) f0, 0 where unvoiced.

    Raises:
        ValueError: there is nothing, times do not increase or begin before 0, or something is infinite or no number.
    """
    if not (np.isfinite(times).all() and np.isfinite(hertz).all()):
        raise ValueError("a pitch contour needs finite times and pitches")
    if not len(times) or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError("a pitch contour needs times from 0 on, and they must increase")
    grid = np.arange(int(times[-1] / HOP + 1e-6) + 1) * HOP
    left = np.maximum(np.searchsorted(times, grid + 1e-9, side="right") - 1, 0)
    right = np.minimum(left + 1, len(times) - 1)
    gap = np.where(right > left, times[right] - times[left], 1.0)
    share = np.clip((grid - times[left]) / gap, 0, 1)
    between = hertz[left] ** (1 - share) * hertz[right] ** share
    both = (hertz[left] > 0) & (hertz[right] > 0)
    return [round(f0, 3) for f0 in np.where(both, between, hertz[left]).tolist()]
