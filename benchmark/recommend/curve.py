"""A learning curve drawn on: how many labels for a score, by an inverse power law, if the curve follows one.

The score after n labels is taken as a - b n^-c (Cortes et al. 1994; Hestness et al. 2017). Whether it is, its last
point says: it is left out, and has to be what the law of the others foretells. An interval is of the same fit to every
bootstrap draw of test groups, with label draws drawn again as well, and of what the law may be off by: without that it
held the truth for 55 % of 78 curves of `results/reference`, drawn on by a factor of 3.3, with it for 85 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.statistics.student import Floats

#: numbers of labels that a curve needs: three make a law, one more tests it, and one less would be luck
FEWEST_POINTS = 5
#: how far the last point may lie from what the others foretell, however sure all of them are
SLACK = 0.02
#: by how much a curve may be drawn on
FARTHEST = 10.0
#: decay exponents that are tried; of published learning curves most lie within .07 and 1
EXPONENTS = np.geomspace(0.03, 3.0, 500)
CEILING = 1.0
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Laws:
    """`a - b n^-c`, one for each curve."""

    a: Floats
    b: Floats
    c: Floats

    def at(self, n: float) -> Floats:
        """The scores after `n` labels."""
        found: Floats = self.a - self.b * n**-self.c
        return found

    def labels(self, score: float | Floats) -> Floats:
        """How many labels a score takes, or each law's own; infinite where the law never gets there."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            n = np.power((self.a - score) / self.b, -1 / self.c)
        return np.where((self.a > score) & (self.b > 0), n, np.where(self.a - self.b >= score, 1.0, np.inf))


@dataclass(frozen=True)
class Forecast:
    """Labels for a score, as a law foretells: infinite where that is beyond ten times those that there are."""

    score: float
    labels: float
    low: float
    high: float


@dataclass(frozen=True)
class Points:
    """A learning curve: mean score by number of labels, and the same on bootstrap draws, (draws, points)."""

    labels: Floats
    scores: Floats
    draws: Floats


def fit(n: Floats, scores: Floats) -> Laws:
    """Fit by least squares, with b at least 0 and a at most 1.

    Args:
        n: (points,) labels.
        scores: (curves, points); up is better.
    """
    x = n[None, :] ** -EXPONENTS[:, None]  # (exponents, points)
    mean_x, mean_s = x.mean(axis=1), scores.mean(axis=1)
    dx = x - mean_x[:, None]
    b = np.maximum(-(scores - mean_s[:, None]) @ dx.T / np.square(dx).sum(axis=1), 0.0)  # (curves, exponents)
    a = mean_s[:, None] + b * mean_x
    over = a > CEILING
    b = np.where(over, np.maximum((CEILING - scores) @ x.T / np.square(x).sum(axis=1), 0.0), b)
    a = np.minimum(a, CEILING)
    error = np.square(scores[:, None, :] - a[..., None] + b[..., None] * x).sum(axis=2)
    best = error.argmin(axis=1)
    row = np.arange(len(scores))
    return Laws(a[row, best], b[row, best], EXPONENTS[best])


def follows(curve: Points) -> bool:
    """Whether a curve's last point is what the law of the others foretells, within what chance explains."""
    if len(curve.labels) < FEWEST_POINTS:
        return False
    missed = _missed(curve)
    return bool(abs(missed[0]) <= max(SLACK, 1.96 * float(missed[1:].std())))


def _missed(curve: Points) -> Floats:
    """By how much the law of the others misses the last point: the scores', then each draw's."""
    every = np.vstack([curve.scores, curve.draws])
    return fit(curve.labels[:-1], every[:, :-1]).at(float(curve.labels[-1])) - every[:, -1]


def forecast(curve: Points, score: float) -> Forecast | None:
    """How many labels a score takes; None where the curve follows no law."""
    if not follows(curve):
        return None
    laws, missed = fit(curve.labels, np.vstack([curve.scores, curve.draws])), _missed(curve)
    # a law that holds within so much where it was tried, and misses by so much more than chance, does so further on
    off = np.hypot(SLACK / 2, np.sqrt(max(0.0, missed[0] ** 2 - missed[1:].var())))
    n = laws.labels(score + np.r_[0.0, off * np.random.default_rng(0).normal(size=len(curve.draws))])
    most = float(curve.labels[-1])
    n = np.where(n > FARTHEST * most, np.inf, np.maximum(n, most))  # it is known not to take fewer
    low, high = np.percentile(n[1:], _LEVEL, method="inverted_cdf")  # between a number and infinity lies nothing
    return Forecast(score, float(n[0]), float(min(low, n[0])), float(max(high, n[0])))


def points(runs: pd.DataFrame, seed: int = 0) -> Points | None:
    """The learning curve of one row on one task.

    Args:
        runs: of all fractions, up is better: `fraction`, `resample`, `seed`, `n_train`, `value`, and `draws`.
        seed: of the draws of label draws.

    Returns:
        The curve, or None where a run has no draws.
    """
    if runs.empty or runs["draws"].isna().any() or not np.isfinite(runs["value"]).all():
        return None
    rng = np.random.default_rng(seed)
    columns, labels, scores = [], [], []
    for _, part in runs.groupby(runs.groupby("fraction")["n_train"].transform("mean")):
        drawn = np.stack([np.mean(np.stack(one.to_list()), axis=0) for _, one in part.groupby("resample")["draws"]])
        labels.append(float(part["n_train"].mean()))
        scores.append(float(part["value"].mean()))
        count, width = drawn.shape
        chosen = rng.integers(count, size=(count, width))
        columns.append(drawn[chosen, np.arange(width)].mean(axis=0))
    return Points(np.array(labels), np.array(scores), np.stack(columns, axis=1))
