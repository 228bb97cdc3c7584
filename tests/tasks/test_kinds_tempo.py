"""Tempo estimation scores as Gouyon et al. (2006) define it, although the probe chooses among bins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mir_eval.tempo import detection

from benchmark.interfaces import Info
from tasks.kinds.tempo import LEVELS, RATIO, TempoEstimation, tempo_bins, tempo_hits


class Dance(TempoEstimation):
    info = Info("dance", "Dance", "this test")
    level = "time"
    corpus = "none"
    bpm_range = (60.0, 180.0)


class Music(TempoEstimation):
    info = Info("any", "Any", "this test")
    level = "time"
    corpus = "none"


def test_four_percent_of_the_reference_and_not_of_the_estimate() -> None:
    assert tempo_hits([100] * 4, [104, 96, 104.01, 95.99]).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("level", LEVELS)
def test_metrical_levels_count_for_accuracy2_alone(level: float) -> None:
    edge = 120 * level * np.array([0.959, 0.961, 1.039, 1.041])
    assert tempo_hits([120] * 4, edge, LEVELS).tolist() == [0, 1, 1, 0]
    assert tempo_hits([120] * 4, edge).any() == (level == 1)


@pytest.mark.parametrize("level", [3 / 2, 2 / 3, 4.0, 1 / 4, 4 / 3])
def test_other_levels_are_wrong(level: float) -> None:
    assert tempo_hits([120], [120 * level], LEVELS) == [0]


def test_hits_agree_with_mir_eval_at_our_tolerance() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(40, 220, 300)
    guess = truth * rng.uniform(0.9, 1.1, 300)
    # One tempo twice: both its estimates, then, are right or wrong together.
    theirs = [
        detection(np.array([t, t]), 0.5, np.array([g, g]), tol=0.04)[2] for t, g in zip(truth, guess, strict=True)
    ]
    np.testing.assert_array_equal(tempo_hits(truth, guess), theirs)


def test_the_bins_are_logarithmic_and_cover_the_range() -> None:
    bins = tempo_bins(60, 180)
    np.testing.assert_allclose(bins[1:] / bins[:-1], RATIO)
    assert bins[0] == 60
    assert bins[-2] < 180 <= bins[-1]
    assert RATIO < 1.02
    assert len(Dance.classes) == len(set(Dance.classes)) == len(bins)
    assert len(Music.classes) == len(set(Music.classes)) == len(tempo_bins(30, 300))


def test_scoring_against_bins_is_scoring_against_the_tempo() -> None:
    task = Music()
    truth = np.exp(np.random.default_rng(1).uniform(np.log(31), np.log(290), 4000))
    targets = task.targets(pd.DataFrame({"tempo": truth}))
    outputs = np.eye(len(task.classes), dtype=np.float32)
    near = [min(len(outputs) - 1, max(0, t + shift)) for t, shift in zip(targets, np.arange(4000) % 9 - 4, strict=True)]
    predictions = task.decode(list(outputs[near]), 10.0)
    ratio = np.array(predictions) / truth
    clear = (ratio < 0.96) | (ratio > 1 / 1.04)  # the definition is not symmetric, bins are
    assert clear.mean() > 0.95
    ours = task.item_scores(predictions, targets)["accuracy1"]
    np.testing.assert_array_equal(ours[clear], tempo_hits(truth, predictions)[clear])
    assert 0.4 < ours.mean() < 0.7  # both outcomes are tried


def test_what_has_no_bin_has_no_label() -> None:
    tempi = [np.nan, None, 0.0, -1.0, 59.0, 60.0, 59.6, 120.0, 180.0, 185.0]
    targets = Dance().targets(pd.DataFrame({"tempo": tempi}))
    assert [t is None for t in targets] == [True] * 5 + [False] * 4 + [True]
    assert targets[5] == targets[6] == 0
    assert float(Dance.classes[targets[7]]) == pytest.approx(120, rel=0.008)


def test_perfect_octave_constant_and_random_predictions() -> None:
    task = Dance()
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 20, 2000).tolist()
    bins = tempo_bins(60, 180)
    assert task.score(bins[targets].tolist(), targets) == {"accuracy1": 1.0, "accuracy2": 1.0}
    assert task.score((2 * bins[targets]).tolist(), targets) == {"accuracy1": 0.0, "accuracy2": 1.0}
    # A constant reaches five of the twenty bins: its own, and two to each side.
    assert task.score([float(bins[10])] * 2000, targets)["accuracy1"] == pytest.approx(0.25, abs=0.03)


def test_decoding_gives_plain_numbers() -> None:
    logits = np.zeros((2, len(Dance.classes)), np.float32)
    logits[0, 3] = logits[1, 0] = 1
    found = Dance().decode(list(logits), 1.0)
    assert [type(bpm) for bpm in found] == [float, float]
    np.testing.assert_allclose(found, [60 * RATIO**3, 60])
