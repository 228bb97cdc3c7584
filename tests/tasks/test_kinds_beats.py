"""Beats are recovered from their own activation, at any frame rate; the score is mir_eval's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mir_eval.beat import f_measure

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class Beats(BeatTracking):
    info = Info("beats", "Beats", "this test")
    level = "time"
    corpus = "none"
    labels = ("beats",)


class Bars(Beats):
    labels = ("bars",)
    min_seconds = 0.7


def logits(task: BeatTracking, times: list[float], seconds: float, rate: float) -> np.ndarray:
    return (20 * task.frame_targets(times, round(seconds * rate) + 1, rate) - 10).astype(np.float32)


@pytest.mark.parametrize("rate", [10.0, 25.0, 43.07, 62.5, 100.0])
@pytest.mark.parametrize("bpm", [61, 97, 133, 178])
def test_beats_are_recovered_to_half_a_frame(rate: float, bpm: int) -> None:
    task = Beats()
    truth = np.arange(0.13, 20, 60 / bpm).tolist()
    (found,) = task.decode([logits(task, truth, truth[-1] + 0.2, rate)], rate)
    np.testing.assert_allclose(found, truth, atol=0.5 / rate + 1e-9)
    assert task.score([found], [truth])["f_measure"] == 1.0


@pytest.mark.parametrize("rate", [10.0, 25.0, 100.0])
def test_downbeats_are_recovered_although_beats_shine_through(rate: float) -> None:
    task = Bars()
    beats = np.arange(0.2, 20, 60 / 150)
    truth = beats[::3].tolist()
    activation = logits(task, truth, 20, rate)
    weak = logits(task, beats.tolist(), 20, rate) - 8  # a third as likely as the downbeats, at most
    (found,) = task.decode([np.maximum(activation, weak)], rate)
    np.testing.assert_allclose(found, truth, atol=0.5 / rate + 1e-9)


def test_peaks_keep_their_distance() -> None:
    rate = 50.0
    even = np.arange(0.5, 10, 0.2).tolist()
    fast, slow = (task.decode([logits(task, even, 10, rate)], rate)[0] for task in (Beats(), Bars()))
    assert np.diff(fast).min() >= Beats.min_seconds
    assert np.diff(slow).min() >= Bars.min_seconds
    assert len(slow) < len(fast) < len(even)


def test_outputs_are_decoded_one_by_one_whatever_their_lengths() -> None:
    task, rate = Beats(), 25.0
    truths = [np.arange(0.3, seconds, 0.5).tolist() for seconds in (4, 9, 30)]
    rows = [logits(task, truth, seconds, rate) for truth, seconds in zip(truths, (4, 9, 30), strict=True)]
    found = task.decode(rows, rate)
    assert [len(times) for times in found] == [len(times) for times in truths]
    assert all(type(t) is float for times in found for t in times)
    assert found == [task.decode([row], rate)[0] for row in rows]


def test_nothing_is_found_in_a_flat_activation() -> None:
    assert Beats().decode([np.zeros(200, np.float32), np.full(50, -9, np.float32)], 25.0) == [[], []]


def test_targets_are_lists_of_the_column_and_none_stays_none() -> None:
    tracks = pd.DataFrame({"beats": [[0.5, 1.0], None, np.array([2.0])], "bars": [None, [0.5], None]})
    assert Beats().targets(tracks) == [[0.5, 1.0], None, [2.0]]
    assert Bars().targets(tracks) == [None, [0.5], None]


def test_frame_targets_are_one_at_the_beat_and_half_beside_it() -> None:
    row = Beats().frame_targets([0.0, 0.5, 0.58, 1.01, 7.0], 11, 10.0)
    np.testing.assert_array_equal(row, np.array([1, 0.5, 0, 0, 0.5, 1, 1, 0.5, 0, 0.5, 1], np.float32))


def test_the_score_is_mir_evals_without_trimming() -> None:
    task, rng = Beats(), np.random.default_rng(0)
    truths = [np.sort(rng.uniform(0, 4, 12)) for _ in range(20)]
    guesses = [np.sort(truth + rng.normal(0, 0.07, 12)) for truth in truths]
    values = task.item_scores([g.tolist() for g in guesses], [t.tolist() for t in truths])["f_measure"]
    np.testing.assert_allclose(values, [f_measure(t, g) for t, g in zip(truths, guesses, strict=True)])
    assert 0.3 < values.mean() < 0.99  # all within the 5 s that mir_eval's `evaluate` would drop
    assert task.score([[]], [[1.0, 2.0]])["f_measure"] == 0.0


def test_the_window_is_seventy_milliseconds() -> None:
    truth = np.arange(1, 20, 0.5)
    early, late = ([(truth + shift).tolist()] for shift in (0.069, 0.071))
    assert Beats().score(early, [truth.tolist()])["f_measure"] == 1.0
    assert Beats().score(late, [truth.tolist()])["f_measure"] == 0.0
