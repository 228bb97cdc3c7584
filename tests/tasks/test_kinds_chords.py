"""Chord recognition means what mir_eval means: reduction, ignored chords, weighting by duration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mir_eval import chord

from tasks.beatles_chord import BeatlesChord
from tasks.guitarset_chord import GuitarSetChord
from tasks.kinds.chords import CHORDS, chord_class

TASK = GuitarSetChord()
RATE = 10.0


def chords(*rows: tuple[float, float, str]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end, label in rows]


def target(*rows: tuple[float, float, str]) -> Any:
    return TASK.targets(pd.DataFrame({"chords": [chords(*rows)]}))[0]


def score(estimate: list[dict[str, Any]], *rows: tuple[float, float, str]) -> dict[str, float]:
    return TASK.score([estimate], [target(*rows)])


def logits(classes: list[int]) -> Any:
    return 10 * np.eye(25, dtype=np.float32)[classes]


SONG = ((0.0, 2.0, "N"), (2.0, 4.0, "C:maj7/3"), (4.0, 5.5, "F#:min"), (5.5, 6.0, "G:sus4"), (6.0, 8.0, "Bb"))


def test_the_same_scores_one() -> None:
    assert score(chords(*SONG), *SONG) == {"majmin": 1.0, "root": 1.0}


def test_decoded_targets_score_one_and_are_the_song() -> None:
    truth = target(*SONG)
    classes = TASK.frame_targets(truth, 80, RATE)
    names = [CHORDS[i] if i >= 0 else "-" for i in classes]
    assert names == ["N"] * 20 + ["C:maj"] * 20 + ["Gb:min"] * 15 + ["-"] * 5 + ["Bb:maj"] * 20
    (found,) = TASK.decode([logits(np.where(classes < 0, 0, classes).tolist())], RATE)
    assert [each["label"] for each in found] == ["N", "C:maj", "Gb:min", "C:maj", "Bb:maj"]
    np.testing.assert_allclose([each["start"] for each in found], [0, 1.95, 3.95, 5.45, 5.95])
    assert found[-1]["end"] == 8.0
    # three changes come half a frame early; what is wrong between 5.5 and 6 s is ignored
    assert score(found, *SONG)["majmin"] == pytest.approx(1 - 3 * 0.05 / 7.5)


def test_accuracy_is_weighted_by_duration_and_ignored_chords_do_not_count() -> None:
    right = chords((0.0, 3.0, "C:maj"), (3.0, 4.0, "C:min"))
    assert score(right, (0.0, 4.0, "C:maj"))["majmin"] == pytest.approx(0.75)
    for ignored in ("C:sus4", "C:dim", "C:aug", "C:5", "X", "C:maj/2", "C:9(*5)"):
        for wrong in ("N", "C:maj", "A:min"):
            estimate = chords((0.0, 3.0, "C:maj"), (3.0, 30.0, wrong))
            assert score(estimate, (0.0, 3.0, "C:maj"), (3.0, 30.0, ignored))["majmin"] == 1.0


def test_none_is_a_class_and_silence_in_the_estimate_is_none() -> None:
    assert score(chords((0.0, 4.0, "C:maj")), (0.0, 4.0, "N")) == {"majmin": 0.0, "root": 0.0}
    assert score(chords((0.0, 4.0, "N")), (0.0, 4.0, "C:maj")) == {"majmin": 0.0, "root": 0.0}
    assert score([], (0.0, 3.0, "N"), (3.0, 4.0, "C:maj"))["majmin"] == pytest.approx(0.75)


def test_a_wrong_third_has_the_right_root() -> None:
    assert score(chords((0.0, 4.0, "C:min")), (0.0, 4.0, "C:7")) == {"majmin": 0.0, "root": 1.0}


@pytest.mark.parametrize(
    "root", ["C", "C#", "Db", "D", "Eb", "E", "Fb", "E#", "F", "F#", "G", "Ab", "A", "Bb", "B", "Cb"]
)
def test_classes_are_mir_evals_reduction(root: str) -> None:
    pitch = chord.pitch_class_to_semitone(root)
    for quality in ("", ":maj", ":7", ":maj7", ":maj6", ":9", "/3", "/5", ":7/b7", ":7(#9)"):
        assert chord_class(root + quality) == pitch
    for quality in (":min", ":min7", ":min6", ":minmaj7", ":min/b3"):
        assert chord_class(root + quality) == 12 + pitch
    for quality in (":dim", ":hdim7", ":aug", ":sus2", ":sus4", ":5", ":1", ":maj(*3)", "/2"):
        assert chord_class(root + quality) == -1


def test_every_class_is_its_own() -> None:
    assert [chord_class(label) for label in CHORDS] == list(range(25))
    assert chord_class("X") == -1


def test_gaps_overlaps_and_unreadable_labels_are_ignored_alike_in_training_and_score() -> None:
    rows = (
        (4.0, 6.0, "G"),
        (0.0, 1.0, "C"),
        (2.0, 5.0, "D:min"),
        (6.0, 6.0, "B"),
        (6.0, 7.0, "E:4"),
        (7.0, 8.0, "A:maj11"),
    )
    truth = target(*rows)
    classes = TASK.frame_targets(truth, 100, RATE)
    names = [CHORDS[i] if i >= 0 else "-" for i in classes]
    assert names == ["C:maj"] * 10 + ["-"] * 10 + ["D:min"] * 20 + ["G:maj"] * 20 + ["-"] * 40
    estimate = chords((0.0, 1.0, "C:maj"), (1.0, 2.0, "B:maj"), (2.0, 4.0, "D:min"), (4.0, 9.0, "G:maj"))
    assert TASK.score([estimate], [truth]) == {"majmin": 1.0, "root": 1.0}


def test_what_begins_late_is_ignored_before() -> None:
    classes = TASK.frame_targets(target((1.0, 2.0, "C")), 30, RATE)
    assert classes.tolist() == [-1] * 10 + [0] * 10 + [-1] * 10
    assert score(chords((0.0, 1.0, "B:maj"), (1.0, 3.0, "C:maj")), (1.0, 2.0, "C"))["majmin"] == 1.0


def test_tracks_without_comparable_chords_have_no_label() -> None:
    table = pd.DataFrame(
        {"chords": [None, chords((0.0, 1.0, "X")), chords((0.0, 1.0, "C:sus4")), [], chords((0.0, 1.0, "N"))]}
    )
    assert [each is None for each in TASK.targets(table)] == [True, True, True, True, False]


def test_a_lone_wrong_frame_is_smoothed_away_and_changes_stay_in_place() -> None:
    (found,) = TASK.decode([logits([3] * 20 + [7] + [3] * 20 + [9] * 20)], RATE)
    assert found == chords((0.0, 4.05, "Eb:maj"), (4.05, 6.1, "A:maj"))


def test_scores_are_mir_evals_of_each_track_and_their_mean() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [
        "N",
        "X",
        "C",
        "C:min7",
        "D:sus4",
        "E:7/3",
        "F#:dim",
        "G:maj6",
        "A:min",
        "Bb:aug",
        "B:hdim7",
        "Eb:min9",
    ]
    songs, estimates = [], []
    for _ in range(12):
        bounds = np.cumsum(rng.uniform(0.3, 3, 30))
        songs.append(
            chords(
                (0.0, bounds[0], "C"), *zip(bounds[:-1], bounds[1:], rng.choice(vocabulary, 29).tolist(), strict=True)
            )
        )
        other = np.cumsum(rng.uniform(0.3, 3, 25))
        estimates.append(chords(*zip([0.0, *other[:-1]], other, rng.choice(CHORDS, 25).tolist(), strict=True)))
    task = BeatlesChord()
    ours = task.item_scores(estimates, task.targets(pd.DataFrame({"chords": songs})))
    arrays = lambda song: (np.array([(c["start"], c["end"]) for c in song]), [c["label"] for c in song])  # noqa: E731
    theirs = [chord.evaluate(*arrays(s), *arrays(e)) for s, e in zip(songs, estimates, strict=True)]
    for metric in ("majmin", "root"):
        np.testing.assert_allclose(ours[metric], [each[metric] for each in theirs])
    truth = task.targets(pd.DataFrame({"chords": songs}))
    assert task.score(estimates, truth)["majmin"] == pytest.approx(ours["majmin"].mean())


def test_random_frames_score_one_in_twenty_five() -> None:
    rng = np.random.default_rng(1)
    truth = target(*((float(t), t + 1.0, str(label)) for t, label in enumerate(rng.choice(CHORDS, 2000))))
    guess = chords(*((float(t), t + 1.0, str(label)) for t, label in enumerate(rng.choice(CHORDS, 2000))))
    assert TASK.score([guess], [truth])["majmin"] == pytest.approx(1 / 25, abs=0.015)


def test_targets_and_predictions_survive_storage(tmp_path: Any) -> None:
    (found,) = TASK.decode([logits([0] * 20 + [24] * 20)], RATE)
    pd.DataFrame({"chords": [chords(*SONG), None], "prediction": [found, found]}).to_parquet(tmp_path / "t.parquet")
    stored = pd.read_parquet(tmp_path / "t.parquet")
    first, second = TASK.targets(stored)
    assert first == target(*SONG)
    assert second is None
    assert TASK.score([stored["prediction"][0]], [first]) == TASK.score([found], [first])
