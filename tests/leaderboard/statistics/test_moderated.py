"""Variances that lean on each other: what Smyth's model says of them is found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import polygamma

from benchmark.leaderboard.statistics.variance import _trigamma_inverse, moderated


@pytest.mark.parametrize("y", [1e-6, 0.01, 0.5, 1.6449, 30.0, 1e6])
def test_trigamma_is_inverted(y: float) -> None:
    assert polygamma(1, _trigamma_inverse(y)) == pytest.approx(y, rel=1e-6)


@pytest.mark.parametrize("prior", [2.5, 6.0])
def test_degrees_of_freedom_of_a_made_world_are_found(prior: float) -> None:
    """20,000 variances, true ones scattered as prior * 0.3 / chi^2: leaning takes that weight and that centre."""
    rng, d = np.random.default_rng(0), 3.0
    true = prior * 0.3 / rng.chisquare(prior, 20_000)
    seen = true * rng.chisquare(d, true.shape) / d
    leaning, freedom = moderated(seen, np.full(seen.shape, d), np.inf)
    assert freedom == pytest.approx(prior + d, rel=0.05)
    assert leaning == pytest.approx((prior * 0.3 + d * seen) / (prior + d), rel=0.05)


def test_equal_variances_are_pooled() -> None:
    seen = np.array([0.8, 1.0, 1.3])
    leaning, freedom = moderated(seen, np.full(3, 4.0), 8.0)
    assert leaning == pytest.approx(seen.mean())
    assert freedom == pytest.approx(8.0)


def test_an_unknown_one_is_that_of_the_others_and_none_is_nothing() -> None:
    seen = np.array([0.5, 0.9, 1.1, 123.0])
    leaning, _ = moderated(seen, np.array([2.0, 2.0, 2.0, 0.0]), 6.0)
    assert leaning[3] == pytest.approx(seen[:3].mean())
    for nothing in (moderated(seen, np.zeros(4), 1.0), moderated(np.zeros(4), np.full(4, 2.0), 6.0)):
        assert nothing[0] == pytest.approx(0.0)


def test_a_zero_says_nothing_of_how_variances_scatter() -> None:
    """Three seeds with one score, to the last bits: of two such rows and many others the mean is taken, zeros in it."""
    seen = np.array([0.0, 1e-34, 1.0, 1.2, 0.9, 1.1])
    leaning, freedom = moderated(seen, np.full(6, 2.0), 10.0)
    assert leaning == pytest.approx(seen.mean())
    assert freedom == pytest.approx(10.0)
