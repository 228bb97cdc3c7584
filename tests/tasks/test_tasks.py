"""Tasks score as the field defines it: known answers, and random or constant predictions at chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import catalog_of
from mir_eval.key import weighted_score

from tasks.beat import Beat
from tasks.instrument import Instrument
from tasks.key import Key
from tasks.metre import Metre


def test_key_table_is_mir_evals() -> None:
    task = Key()
    every = list(range(24))
    for reference in every:
        ours = task.item_scores(every, [reference] * 24)["weighted_score"]
        theirs = [weighted_score(task.classes[reference], task.classes[estimate]) for estimate in every]
        np.testing.assert_array_equal(ours, theirs)
        assert sorted(ours)[-4:] == [0.2, 0.3, 0.5, 1.0]


def test_key_fifth_above_counts_below_does_not() -> None:
    task, index = Key(), Key.classes.index
    score = lambda t, e: task.score([index(e)], [index(t)])["weighted_score"]  # noqa: E731
    assert score("C major", "G major") == 0.5
    assert score("C major", "F major") == 0.0
    assert score("C major", "A minor") == 0.3
    assert score("C major", "C minor") == 0.2


def test_giantsteps_constant_prediction_is_the_published_floor() -> None:
    counts = (
        "F minor 73, G minor 62, A minor 54, C minor 53, E minor 48, D minor 40, Eb minor 36, B minor 32, Gb minor 31, "
        "Ab minor 29, Bb minor 28, Db minor 25, C major 15, A major 11, E major 10, D major 10, F major 9, Eb major 9, "
        "G major 8, Gb major 5, Bb major 5, B major 5, Ab major 5, Db major 1"
    )
    index = Key.classes.index
    truth = [index(k.rsplit(" ", 1)[0]) for k in counts.split(", ") for _ in range(int(k.rsplit(" ", 1)[1]))]
    assert len(truth) == 604
    scores = Key().score([index("C minor")] * 604, truth)
    assert scores["weighted_score"] == pytest.approx(0.1576, abs=5e-5)
    assert scores["accuracy"] == pytest.approx(0.0877, abs=5e-5)


def test_macro_f1_of_a_constant() -> None:
    truth = [0] * 60 + [1] * 20 + [2] * 15 + [3] * 5
    assert Metre().score([0] * 100, truth)["macro_f1"] == pytest.approx(0.75 / 4)
    assert Metre().score(truth, truth) == {"macro_f1": 1.0, "accuracy": 1.0}


def test_beats_are_found_from_their_own_activation() -> None:
    task, rate = Beat(), 25.0
    truth = [list(np.arange(0.13, 8, 60 / bpm)) for bpm in (62, 97, 133, 178)]
    found = task.decode([20 * task.frame_targets(beats, 201, rate) - 10 for beats in truth], rate)
    assert task.score(found, truth)["f_measure"] == pytest.approx(1.0)
    shifted = [[t + 0.1 for t in beats] for beats in truth[:2]]
    assert task.score(shifted, truth[:2])["f_measure"] == 0.0
    assert task.score([[]], [truth[0]])["f_measure"] == 0.0


def test_a_flat_activation_scores_nothing() -> None:
    assert Beat().decode(list(np.zeros((2, 200), np.float32)), 25.0) == [[], []]


def test_targets_come_from_the_catalog(tiny_run: Path, data_dir: Path) -> None:
    tracks = pd.read_parquet(catalog_of("rendered_scores", data_dir) / "tracks.parquet")
    for task in (Instrument(), Key(), Metre()):
        known = {target for target in task.targets(tracks) if target is not None}
        assert known <= set(range(len(task.classes)))
        assert len(known) == len(task.classes)
    beats = Beat().targets(tracks)
    periods = [np.median(np.diff(b)) for b in beats]
    np.testing.assert_allclose(60 / np.array(periods), tracks["tempo"], rtol=0.12)
