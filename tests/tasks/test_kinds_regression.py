"""Regression: R² against its definition and scikit-learn, and the predictors whose scores are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from benchmark.interfaces import Info
from tasks.kinds.regression import Regression


class Weather(Regression):
    info = Info("weather", "Weather", "this test", version=1)
    level = "affect"
    corpus = "none"
    labels = ("warmth", "rain")
    classes = ("warmth", "rain")


def sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal([5.0, -2.0], [1.0, 30.0], size=(200, 2)).astype(np.float32)
    return truth, truth + rng.normal(0, [0.5, 40.0], size=(200, 2))


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_scikit_learns(seed: int) -> None:
    truth, guess = sample(seed)
    scores = Weather().score(guess.tolist(), list(truth))
    assert scores["r2_warmth"] == pytest.approx(r2_score(truth[:, 0], guess[:, 0]))
    assert scores["r2_rain"] == pytest.approx(r2_score(truth[:, 1], guess[:, 1]))
    # the plain mean: the number with the larger variance does not weigh more
    assert scores["r2"] == pytest.approx((scores["r2_warmth"] + scores["r2_rain"]) / 2)


def test_one_clip_has_no_variance_to_explain() -> None:
    scores = Weather().score([[5.0, 1.0]], [np.array([5.0, 2.0])])
    assert set(scores) == {"r2", "r2_warmth", "r2_rain"}
    assert np.isnan(list(scores.values())).all()


def test_scores_are_the_definition() -> None:
    truth, guess = sample(0)
    truth = truth.astype(float)
    residual, total = ((truth - guess) ** 2).sum(0), ((truth - truth.mean(0)) ** 2).sum(0)
    assert Weather().score(guess.tolist(), list(truth))["r2"] == pytest.approx(np.mean(1 - residual / total))


def test_perfect_constant_and_shuffled_predictions() -> None:
    truth, _ = sample(1)
    truth = truth.astype(float)
    assert Weather().score(truth.tolist(), list(truth)) == {"r2": 1.0, "r2_warmth": 1.0, "r2_rain": 1.0}
    mean = np.tile(truth.mean(0), (200, 1)).tolist()
    assert Weather().score(mean, list(truth))["r2"] == pytest.approx(0.0, abs=1e-9)
    # independent of the truth and as varied: 1 - (1 + 1)
    shuffled = np.random.default_rng(0).permutation(truth).tolist()
    assert Weather().score(shuffled, list(truth))["r2"] == pytest.approx(-1.0, abs=0.3)


def test_neither_scale_nor_offset_matters() -> None:
    truth, guess = sample(2)
    moved = Weather().score((guess * [9, 0.1] - 3).tolist(), list(truth.astype(float) * [9, 0.1] - 3))
    assert moved == pytest.approx(Weather().score(guess.tolist(), list(truth.astype(float))))


def test_targets_lack_nothing_or_are_none() -> None:
    tracks = pd.DataFrame({"rain": [1.0, np.nan, 3.0], "warmth": [0.5, 2.0, np.inf]})
    first, *others = Weather().targets(tracks)
    np.testing.assert_array_equal(first, np.array([0.5, 1.0], np.float32))
    assert others == [None, None]


def test_decoding_keeps_the_numbers() -> None:
    outputs = [np.array([1.5, -2.25], np.float32), np.array([0.0, 1e6], np.float32)]
    assert Weather().decode(outputs, 25.0) == [[1.5, -2.25], [0.0, 1e6]]
