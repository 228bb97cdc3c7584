"""Satterthwaite's sum of variances against SciPy's own Welch test, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.leaderboard.statistics.student import satterthwaite, student


def test_two_samples_of_unequal_variance_are_welchs_test() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.0, 1.0, 7), rng.normal(1.0, 5.0, 4)
    parts = [(sample.var(ddof=1) / len(sample), len(sample) - 1) for sample in (first, second)]
    judged = student(first.mean() - second.mean(), parts)
    oracle = stats.ttest_ind(first, second, equal_var=False)
    interval = oracle.confidence_interval(0.95)
    assert judged.freedom == pytest.approx(oracle.df)
    assert judged.p == pytest.approx(oracle.pvalue)
    assert judged.half_width == pytest.approx((interval.high - interval.low) / 2)


def test_one_part_is_students_test_on_arrays() -> None:
    samples = np.random.default_rng(1).normal(0.3, 1.0, (5, 6))
    judged = student(samples.mean(axis=1), [(samples.var(axis=1, ddof=1) / 6, 5)])
    oracle = stats.ttest_1samp(samples, 0.0, axis=1)
    np.testing.assert_allclose(judged.p, oracle.pvalue)
    np.testing.assert_allclose(judged.stderr, samples.std(axis=1, ddof=1) / np.sqrt(6))


def test_a_variance_that_is_known_is_read_on_the_normal_distribution() -> None:
    judged = student(1.0, [(0.25, np.inf)])
    assert judged.half_width == pytest.approx(stats.norm.ppf(0.975) * 0.5)
    assert judged.p == pytest.approx(2 * stats.norm.sf(2.0))


def test_where_nothing_varies_an_effect_is_certain_and_none_is_none() -> None:
    judged = student([0.0, 0.1], [(np.zeros(2), 2), (np.zeros(2), 1)])
    assert judged.p.tolist() == [1.0, 0.0]
    assert judged.half_width.tolist() == [0.0, 0.0]


def test_what_is_not_known_stays_so() -> None:
    total, _ = satterthwaite([(np.array([0.1, np.nan]), 2)])
    judged = student(np.array([0.1, 0.1]), [(np.array([0.1, np.nan]), 2)])
    assert np.isnan(total).tolist() == np.isnan(judged.p).tolist() == [False, True]


def test_parts_that_nearly_cancel_are_read_with_one_degree_of_freedom() -> None:
    """Otherwise the half-width is beyond 10^15: a table of 24,000 crops showed one."""
    judged = student(0.0, [(1.0, 2), (-0.9, 2)])
    assert judged.freedom == 1
    assert judged.half_width == pytest.approx(stats.t.ppf(0.975, 1) * np.sqrt(0.1))
