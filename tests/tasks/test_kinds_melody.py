"""Melody extraction means what mir_eval means: pitch within 50 cents, octaves, voicing, guesses."""

from __future__ import annotations

from typing import Any

import mir_eval
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import median_filter
from scipy.special import logsumexp

from tasks.kinds.melody import MelodyExtraction
from tasks.medleydb_melody import MedleyDBMelody
from tasks.mir_1k_melody import MIR1KMelody

TASK = MIR1KMelody()
TIMES = np.arange(600) * 0.01
#: a glide with vibrato, two rests
SUNG = 220 * 2 ** (TIMES / 12 + 0.6 / 12 * np.sin(2 * np.pi * 5.5 * TIMES))
SUNG[100:160] = SUNG[400:500] = 0.0


def scores(estimate: Any, truth: Any = SUNG) -> dict[str, float]:
    return TASK.score([list(estimate)], [truth])


def logits(task: MelodyExtraction, classes: Any) -> Any:
    return 20 * np.eye(len(task.classes), dtype=np.float32)[np.asarray(classes)]


def test_the_same_is_right_in_all() -> None:
    assert scores(SUNG) == {"rpa": 1.0, "rca": 1.0, "oa": 1.0, "vfa": 0.0}


@pytest.mark.parametrize(("cents", "right"), [(49, 1), (-49, 1), (51, 0), (100, 0), (-100, 0)])
def test_tolerance_is_half_a_semitone(cents: float, right: float) -> None:
    found = scores(SUNG * 2 ** (cents / 1200))
    assert (found["rpa"], found["rca"]) == (right, right)
    assert found["oa"] == pytest.approx(1.0 if right else 160 / 600)


@pytest.mark.parametrize("octaves", [-2, -1, 1, 2])
def test_octaves_count_in_chroma_alone(octaves: int) -> None:
    found = scores(SUNG * 2.0**octaves)
    assert (found["rpa"], found["rca"]) == (0.0, 1.0)


def test_unvoiced_throughout_is_right_where_there_is_no_melody() -> None:
    assert scores(np.zeros(600)) == {"rpa": 0.0, "rca": 0.0, "oa": pytest.approx(160 / 600), "vfa": 0.0}


def test_voiced_throughout_is_a_false_alarm() -> None:
    found = scores(np.where(SUNG > 0, SUNG, 440.0))
    assert (found["rpa"], found["vfa"]) == (1.0, 1.0)
    assert found["oa"] == pytest.approx(440 / 600)


def test_guesses_of_unvoiced_frames_count_in_raw_pitch_alone() -> None:
    found = scores(-np.where(SUNG > 0, SUNG, 440.0))
    assert found == {"rpa": 1.0, "rca": 1.0, "oa": pytest.approx(160 / 600), "vfa": 0.0}


def test_a_short_estimate_is_unvoiced_after_its_end_and_a_long_one_is_cut() -> None:
    assert scores(SUNG[:300])["rpa"] == pytest.approx(240 / 440)
    assert scores([*SUNG, *[440.0] * 50])["oa"] == 1.0


def test_item_scores_are_mir_evals() -> None:
    rng = np.random.default_rng(0)
    truths = [np.where(rng.random(400) < 0.7, 110 * 2 ** rng.uniform(0, 3, 400), 0.0) for _ in range(5)]
    signs = [rng.choice([-1, 0, 1], 400) for _ in truths]
    found = [t * 2 ** rng.normal(0, 0.05, 400) * s for t, s in zip(truths, signs, strict=True)]
    ours = TASK.item_scores(found, truths)
    times = np.arange(400) * 0.01
    theirs = [mir_eval.melody.evaluate(times, t, times, f) for t, f in zip(truths, found, strict=True)]
    names = {"rpa": "Raw Pitch Accuracy", "rca": "Raw Chroma Accuracy", "oa": "Overall Accuracy"}
    for ours_name, name in {**names, "vfa": "Voicing False Alarm"}.items():
        np.testing.assert_allclose(ours[ours_name], [each[name] for each in theirs])
    assert TASK.score(found, truths)["rpa"] == pytest.approx(ours["rpa"].mean())


@pytest.mark.parametrize("rate", [100.0, 50.0, 62.5])
def test_decoded_targets_find_the_melody(rate: float) -> None:
    classes = TASK.frame_targets(SUNG, round(6 * rate), rate)
    (found,) = TASK.decode([logits(TASK, classes)], rate)
    assert len(found) == 600
    result = scores(found)
    assert result["rpa"] > 0.98
    assert result["oa"] > 0.98
    steady = np.where(SUNG > 0, 311.13, 0.0)
    (found,) = TASK.decode([logits(TASK, TASK.frame_targets(steady, round(6 * rate), rate))], rate)
    voiced = np.array(found) > 0
    np.testing.assert_allclose(1200 * np.log2(np.array(found)[voiced] / 311.13), 0, atol=10.01)
    assert (voiced != (steady > 0)).sum() <= 4


def test_frames_at_ten_a_second_learn_from_the_nearest_target() -> None:
    classes = TASK.frame_targets(SUNG, 70, 10.0)
    assert classes[60:].tolist() == [-1] * 10
    assert (classes[:60] == 0).tolist() == [SUNG[10 * i] == 0 for i in range(60)]
    heard = classes[:60] > 0
    hertz = 440 * 2 ** ((TASK.pitches()[classes[:60][heard] - 1] - 69) / 12)
    assert np.abs(1200 * np.log2(hertz / SUNG[::10][heard])).max() <= 10.01


def test_pitches_out_of_range_are_ignored_not_folded() -> None:
    midi = np.array([32.0, 32.95, 33.0, 69.0, 93.0, 93.05, 94.0])
    classes = TASK.frame_targets(440 * 2 ** ((midi - 69) / 12), 7, 100.0)
    assert classes.tolist() == [-1, 1, 1, 181, 301, 301, -1]
    assert TASK.classes[0] == "unvoiced"
    assert TASK.classes[181] == "69.00"
    assert len(TASK.classes) == len(MedleyDBMelody.classes) == 302


def test_classes_follow_from_the_step() -> None:
    class Semitones(MIR1KMelody):
        """Coarse."""

        lowest, highest, step = 60.0, 72.0, 1.0

    assert len(Semitones.classes) == 14
    assert Semitones().frame_targets(np.array([440.0, 0.0]), 2, 100.0).tolist() == [10, 0]


def test_voicing_weighs_all_pitches_together() -> None:
    row = np.full((20, len(TASK.classes)), -20.0, np.float32)
    row[:, 0] = 1.0  # likelier than any one pitch, less likely than the three together
    row[:, 180:183] = [0.5, 0.6, 0.5]
    (found,) = TASK.decode([row], 100.0)
    np.testing.assert_allclose(found, 440.0, atol=0.01)
    row[:, 0] = 3.0
    np.testing.assert_allclose(TASK.decode([row], 100.0)[0], -440.0, atol=0.01)


def test_a_lone_wrong_frame_is_filtered() -> None:
    classes = [181] * 20 + [30] + [181] * 20 + [0] + [181] * 20
    (found,) = TASK.decode([logits(TASK, classes)], 100.0)
    np.testing.assert_allclose(found, 440.0, atol=0.01)


def test_a_track_without_melody_has_no_label() -> None:
    first, second, third = TASK.targets(pd.DataFrame({"f0": [[0.0, 220.0], [0.0, 0.0], None]}))
    np.testing.assert_array_equal(first, [0.0, 220.0])
    assert second is None
    assert third is None


def test_random_pitches_are_right_about_as_often_as_the_tolerance_is_wide() -> None:
    rng = np.random.default_rng(0)
    truth, guess = 440 * 2 ** ((rng.uniform(50, 80, (2, 20_000)) - 69) / 12)
    found = TASK.score([guess.tolist()], [truth])
    assert found["rpa"] == pytest.approx(1 / 30, abs=0.006)
    assert found["rca"] == pytest.approx(1 / 12, abs=0.01)


def test_a_rest_between_notes_stays_a_rest() -> None:
    classes = [181] * 30 + [0] * 10 + [171] * 30
    (found,) = TASK.decode([logits(TASK, classes)], 100.0)
    assert [f > 0 for f in found] == [True] * 30 + [False] * 10 + [True] * 30


def test_frames_after_the_end_are_ignored_even_if_it_ends_in_a_rest() -> None:
    assert TASK.frame_targets(np.array([440.0, 0.0]), 4, 100.0).tolist() == [181, 0, -1, -1]


def test_a_slow_frame_is_read_around_its_own_time() -> None:
    (found,) = TASK.decode([logits(TASK, [181, 0, 0])], 10.0)
    assert len(found) == 30
    assert [f > 0 for f in found[:5]] == [True] * 5
    assert [f > 0 for f in found[6:]] == [False] * 24


def test_decoding_is_the_likeliest_pitch_and_the_mass_of_all() -> None:
    """The definition, clip by clip, with scipy's logarithm of sums; to the bit."""
    rng = np.random.default_rng(0)
    for scale, rate in ((1.0, 25.0), (30.0, 25.0), (3e4, 62.5)):
        outputs = [(scale * rng.normal(size=(n, len(TASK.classes)))).astype(np.float32) for n in (1, 7, 250)]
        for x in outputs:
            x[:, 0] += scale * rng.choice([0, 4], len(x))
        for found, x in zip(TASK.decode(outputs, rate), outputs, strict=True):
            size = 2 * (int(TASK.median_seconds * rate) // 2) + 1
            pitch = median_filter(x[:, 1:].argmax(axis=1), size, mode="nearest")
            is_sung = logsumexp(x[:, 1:].astype(float), axis=1) > x[:, 0]
            sign = np.where(median_filter(is_sung.astype(int), size, mode="nearest"), 1, -1)
            frames = [min(round(i * TASK.hop * rate), len(x) - 1) for i in range(round(len(x) / rate / TASK.hop))]
            midi = TASK.pitches()[pitch]
            expected = [sign[i] * round(float(440 * 2 ** ((midi[i] - 69) / 12)), 3) for i in frames]
            np.testing.assert_array_equal(found, expected)
