"""Learning curves of known law are drawn on to the true number of labels; what follows no law is not drawn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.leaderboard.record import load_run
from benchmark.leaderboard.statistics import stats, tables
from benchmark.recommend import curve as curves
from benchmark.recommend.curve import Points, fit, follows, forecast, points

LABELS = np.array([10.0, 20, 40, 80, 160, 320])


def curve(scores: np.ndarray, noise: float = 0.0, draws: int = 100, seed: int = 0) -> Points:
    """One that was measured once, with `noise`, and its bootstrap draws around what was measured."""
    rng = np.random.default_rng(seed)
    measured = scores + noise * rng.normal(size=scores.shape)
    return Points(LABELS[: len(scores)], measured, measured + noise * rng.normal(size=(draws, len(scores))))


@pytest.mark.parametrize(("a", "b", "c"), [(0.9, 1.2, 0.5), (0.7, 0.8, 0.3), (1.0, 2.0, 0.8), (0.95, 0.5, 0.15)])
def test_a_law_is_found_again(a: float, b: float, c: float) -> None:
    """By its numbers of labels: a, b and c trade with one another."""
    law = fit(LABELS, (a - b * LABELS**-c)[None])
    for n in (5.0, 100.0, 2000.0):
        assert law.at(n)[0] == pytest.approx(a - b * n**-c, abs=0.004)


def test_labels_for_a_score_are_the_law_s() -> None:
    found = forecast(curve(0.9 - 1.2 * LABELS**-0.5), 0.85)  # 1.2 / sqrt(n) = .05
    assert found is not None
    assert found.labels == pytest.approx(576, rel=0.02)
    assert 1.2 / (0.05 + 0.02) < np.sqrt(found.low) < 24 < np.sqrt(found.high) < 1.2 / (0.05 - 0.03)  # within .02


def test_intervals_hold_the_truth() -> None:
    """576 labels, measured 100 times: 95 % of the intervals should; a true law is hardly ever taken for none."""
    measured = [curve(0.9 - 1.2 * LABELS**-0.5, noise=0.008, seed=seed) for seed in range(100)]
    told = [found for found in (forecast(one, 0.85) for one in measured) if found]
    assert len(told) >= 85
    assert sum(found.low <= 576 <= found.high for found in told) >= 0.85 * len(told)
    assert np.median([found.labels for found in told]) == pytest.approx(576, rel=0.15)
    surer = [forecast(curve(0.9 - 1.2 * LABELS**-0.5, noise=0.004, seed=seed), 0.85) for seed in range(100)]
    assert sum(found is not None and found.high < 2000 for found in surer) >= 100 / 3  # it says something


def test_real_curves_are_drawn_on_to_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 1 to 30 % of the reference's labels to the score that all of them have."""
    monkeypatch.setattr(curves, "FEWEST_POINTS", 4)
    folder = Path(__file__).resolve().parents[2] / "results" / "reference"
    run = load_run(folder)
    told, inside = 0, 0
    for (task, row), runs in tables.main_runs(stats.load_scores(folder), run).groupby(["task", "strategy"]):
        few, whole = runs[runs["fraction"] < 1], runs[runs["fraction"] == 1]
        known = points(few) if row not in ("constant", "supervised") and task != "mode" else None
        goal, labels = whole["value"].mean(), whole["n_train"].mean()
        found = forecast(known, goal) if known and goal > known.scores[-1] + 0.02 else None
        if found:
            told += 1
            inside += found.low <= labels <= found.high
    assert told >= 60
    assert inside >= 0.8 * told


def test_what_levels_off_below_a_score_never_gets_there() -> None:
    found = forecast(curve(0.75 - 1.2 * LABELS**-0.8), 0.85)
    assert found is not None
    assert (found.labels, found.low, found.high) == (np.inf, np.inf, np.inf)


def test_nothing_is_foretold_beyond_ten_times_the_labels() -> None:
    slow = curve(0.9 - 0.9 * LABELS**-0.12)
    found = forecast(slow, 0.65)  # 40,000 labels
    assert found is not None
    assert found.labels == np.inf


@pytest.mark.parametrize(
    "scores",
    [
        [0.30, 0.30, 0.30, 0.30, 0.30, 0.80],  # falls into place at the end
        [0.20, 0.40, 0.55, 0.65, 0.72, 0.40],  # breaks down
        [0.20, 0.21, 0.24, 0.33, 0.50, 0.80],  # grows ever faster
    ],
)
def test_a_curve_of_no_law_is_not_drawn_on(scores: list[float]) -> None:
    found = curve(np.array(scores), noise=0.004)
    assert not follows(found)
    assert forecast(found, 0.9) is None


def test_few_points_are_not_drawn_on() -> None:
    whole = 0.9 - 1.2 * LABELS**-0.5
    assert forecast(curve(whole[:5]), 0.85) is not None
    assert forecast(curve(whole[:4]), 0.85) is None


def test_points_are_means_over_label_draws_and_their_spread_counts() -> None:
    """Two label draws far apart at 10 labels: bootstrap draws hold either, both, or none of them."""
    rows = [(0.1, 0, 10, 0.2), (0.1, 1, 10, 0.4), (1.0, 0, 100, 0.7)]
    runs = pd.DataFrame(rows, columns=["fraction", "resample", "n_train", "value"]).assign(seed=0)
    runs["draws"] = [np.full(50, value) for value in runs["value"]]
    found = points(runs)
    assert found is not None
    assert found.labels.tolist() == [10, 100]
    assert found.scores == pytest.approx([0.3, 0.7])
    assert set(found.draws[:, 0].round(6)) == {0.2, 0.3, 0.4}
    assert set(found.draws[:, 1]) == {0.7}
    assert points(runs.assign(draws=None)) is None
