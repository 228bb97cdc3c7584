"""Whether a loss was still moving when training ended: planted slopes in planted noise, against SciPy's regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import linregress, t
from tiny_training import budget, build, noise

from benchmark.bookkeeping.record import _pretraining
from benchmark.leaderboard.record import Pretraining
from benchmark.pretraining.monitor import PARTS, trend
from benchmark.pretraining.train import pretrain


def curve(slope: float, steps: int = 640, seed: int = 0) -> torch.Tensor:
    """Steep at first, then a line of `slope` per step, in noise of deviation 1."""
    at = np.arange(steps)
    return torch.from_numpy(50 * np.exp(-at / 20) + slope * at + np.random.default_rng(seed).normal(size=steps))


@pytest.mark.parametrize("slope", [-0.02, 0.0, 0.02])
def test_it_is_the_t_of_a_line_through_the_last_quarter(slope: float) -> None:
    y = curve(slope)
    parts = y[-160:].numpy().reshape(PARTS, 10).mean(axis=1)
    line = linregress(np.arange(PARTS), parts)
    assert trend(y) == pytest.approx(line.slope / line.stderr)


def test_a_known_slope_in_known_noise_has_a_known_ratio() -> None:
    """160 steps of noise 1: the slope's standard error is sqrt(12 / 160^3), so -.005 per step is 2.9 of them away."""
    ratios = [trend(curve(-0.005, seed=seed)) or 0.0 for seed in range(200)]
    expected = -0.005 / np.sqrt(12 / 160**3)
    print(f"mean ratio {np.mean(ratios):.2f}, expected {expected:.2f}")
    # t is skewed: its mean is 1 / .945 of the ratio of the truths at 14 degrees of freedom
    assert np.mean(ratios) == pytest.approx(expected / 0.945, abs=0.3)


def test_a_level_curve_is_seldom_called_moving() -> None:
    ratios = np.array([trend(curve(0.0, seed=seed)) for seed in range(400)], float)
    moving = np.mean(np.abs(ratios) > 3)
    print(f"called moving: {moving:.4f}, expected {2 * t.sf(3, PARTS - 2):.4f}")
    assert moving < 0.03


def test_what_is_too_short_or_without_noise_has_none() -> None:
    assert trend(torch.arange(11.0)) is None
    assert trend(torch.zeros(0)) is None
    assert trend(torch.ones(400)) is None
    assert trend(curve(0.0, steps=16)) is not None


def test_what_a_training_heard_reaches_the_record() -> None:
    """6 steps of 8 of 16 tracks are 3 epochs; two crops of 3 s of each are 96 crops."""
    strategy = build("simclr")
    info = pretrain(strategy, noise(), budget(strategy, learning_rate=0.01), 0, "cpu")
    kept = Pretraining.model_validate(_pretraining(("simclr", "tiny", 0), info))
    assert (kept.steps, kept.batch, kept.epochs, kept.crops) == (6, 8, 3.0, 96)
    assert kept.learning_rate == 0.01
    assert kept.trend is None, "6 steps have no last quarter"
    old = Pretraining.model_validate(_pretraining(("simclr", "tiny", 0), {"collapsed": 0.0, "crops": 96}))
    assert (old.steps, old.epochs, old.trend) == (None, None, None)
