"""Single notes sound at their pitch, whoever plays them, and nothing but the sound tells it."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest

from benchmark.corpora.rendered.notes import NOTE_SECONDS, PITCHES, PROGRAMS, RenderedNotes
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, play
from tasks.pitch import Pitch

EVERY_PROGRAM = sorted(program for parts in PROGRAMS.values() for part in parts for program in part)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder: Path = tmp_path_factory.mktemp("notes")
    RenderedNotes().catalog(folder, RenderedNotes.sizes["small"]).to_parquet(folder / "tracks.parquet")
    return pd.read_parquet(folder / "tracks.parquet")


@pytest.mark.parametrize("program", EVERY_PROGRAM)
def test_a_note_sounds_at_its_pitch(program: int) -> None:
    """In a range of four octaves about it, so that a sample that is an octave off would show.

    Two stems, each with time to die away; above 84, YIN at this rate hears the octave below of whatever sounds.
    """
    pitches = np.array([[36, 55, 74], [45, 64, 84]])
    parts = [([(2.5 * i, 2.5 * i + 0.7, int(p), 90) for i, p in enumerate(row)], program, False) for row in pitches]
    for row, stem in zip(pitches, play(parts), strict=True):
        for i, pitch in enumerate(row):
            note = stem[int((2.5 * i + 0.05) * SAMPLE_RATE) : int((2.5 * i + 0.55) * SAMPLE_RATE)]
            low, high = librosa.midi_to_hz([pitch - 20, min(pitch + 24, 115)])
            f0 = librosa.yin(note, fmin=low, fmax=high, sr=SAMPLE_RATE, trough_threshold=0.15)
            heard = librosa.hz_to_midi(np.median(f0))
            assert abs(heard - pitch) < 0.5, f"program {program}: {pitch} sounds at {heard:.2f}"


def test_test_hears_fifty_programs_that_training_does_not(tracks: pd.DataFrame) -> None:
    programs = tracks.groupby("split")["program"].nunique()
    assert programs["test"] >= 50
    counts = tracks.loc[tracks["split"] == "test", "group"].value_counts()
    assert counts.sum() ** 2 / np.square(counts).sum() > 45  # groups of equal size


def test_pitches_are_the_same_in_every_split_and_size(tracks: pd.DataFrame) -> None:
    for size in (RenderedNotes.sizes["tiny"], RenderedNotes.sizes["small"]):
        counts = pd.crosstab(tracks["pitch"][:size], tracks["split"][:size])
        assert list(counts.index) == list(PITCHES)
        assert (counts == counts.iloc[0]).all(axis=None)
        assert (counts.iloc[0] >= 1).all()
    again = RenderedNotes().catalog(Path(), 610)
    pd.testing.assert_frame_equal(again, tracks[:610], check_dtype=False)


def test_programs_and_velocities_of_the_test_are_unheard(tracks: pd.DataFrame) -> None:
    programs = tracks.groupby("split")["program"].agg(set)
    assert not programs["train"] & programs["test"]
    assert not programs["train"] & programs["val"]
    assert not programs["val"] & programs["test"]
    velocities = tracks.groupby("split")["velocity"].agg(set)
    assert not velocities["test"] & velocities["train"]
    assert min(velocities["train"]) < min(velocities["test"]) <= max(velocities["test"]) < max(velocities["train"])
    assert tracks.groupby("group")["split"].nunique().max() == 1
    assert tracks["id"].is_unique
    assert len(EVERY_PROGRAM) == len(set(EVERY_PROGRAM))


def test_rendered_notes_hold_their_pitch_in_their_room(tracks: pd.DataFrame) -> None:
    """Reverberation, filters and int16 leave it; YIN looks within a fifth only, since rooms color octaves."""
    some, right = tracks[:60], []
    for track, sound in zip(some.itertuples(), RenderedNotes().render(some, Path()), strict=True):
        mix = sound["mix"]
        assert mix.dtype == np.int16
        assert len(mix) == NOTE_SECONDS * SAMPLE_RATE
        assert 300 < np.abs(mix.astype(int)).max() <= 32767
        assert np.array_equal(mix, sum(sound[stem].astype(int) for stem in RenderedNotes.stems))
        audio = sound["note"][int(0.35 * SAMPLE_RATE) : int(0.95 * SAMPLE_RATE)] / 32768
        low, high = librosa.midi_to_hz([track.pitch - 7, track.pitch + 7])
        f0 = librosa.yin(audio.astype(np.float32), fmin=low, fmax=high, sr=SAMPLE_RATE)
        right.append(abs(np.median(librosa.hz_to_midi(f0)) - track.pitch) < 0.5)
    assert np.mean(right) > 0.9


def test_the_other_note_is_softer(tracks: pd.DataFrame) -> None:
    some = tracks[tracks["pitch"] >= 55][:20]  # of lower notes some rooms take the fundamental
    for sound in RenderedNotes().render(some, Path()):
        power = [np.square(sound[stem].astype(float)).mean() for stem in RenderedNotes.stems]
        assert 3 < 10 * np.log10(power[0] / power[1]) < 19  # 6 to 16, and what a room does to either


def test_a_note_is_the_same_each_time(tracks: pd.DataFrame) -> None:
    row = tracks[7:8]
    once, twice = (next(iter(RenderedNotes().render(row, Path())))["mix"] for _ in range(2))
    np.testing.assert_array_equal(once, twice)


def test_pitch_is_not_told_by_program_velocity_or_level(tracks: pd.DataFrame) -> None:
    """Ridge regression, cross-validated, is no better than with the pitches permuted."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, permutation_test_score

    known = tracks[(tracks["split"] == "train").to_numpy()][:300]
    sounds = [sound["mix"] / 32768 for sound in RenderedNotes().render(known[:150], Path())]
    levels = np.array([10 * np.log10(np.square(sound).mean()) for sound in sounds])
    named = pd.get_dummies(known[["family", "velocity"]].astype(str)).to_numpy(float)
    folds = KFold(3, shuffle=True, random_state=0)
    for features, pitch in ((named, known["pitch"]), (levels[:, None], known["pitch"][:150])):
        score, permuted, p = permutation_test_score(
            Ridge(), features, pitch, cv=folds, n_permutations=60, scoring="r2", random_state=0
        )
        # pitches are spread more evenly than chance would, so that the order as it is may overfit less
        assert p > 0.02 or score < 0.01, f"{score:.3f}, by chance {permuted.mean():.3f}"


def test_targets_are_midi_numbers(tracks: pd.DataFrame) -> None:
    task = Pitch()
    targets = task.targets(tracks)
    assert [int(task.classes[t]) for t in targets] == tracks["pitch"].tolist()
    assert task.score(targets, targets)["accuracy"] == 1
    octave = [t + 12 if t + 12 < 61 else t - 12 for t in targets]
    assert task.score(octave, targets)["accuracy"] == 0
    assert task.score([30] * len(targets), targets)["accuracy"] == pytest.approx(1 / 61)
