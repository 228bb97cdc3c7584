"""NSynth: its JSON files become notes with pitch, family, instrument and the official split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dataset_trees import apart, heard, refused
from trees.files import tone, written
from trees.notes import nsynth_note

from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.instruments.nsynth import NSynth
from tasks.nsynth_instrument import NSynthInstrument
from tasks.nsynth_pitch import NSynthPitch

NOTES = {
    "train": [("guitar_acoustic_014", "guitar", 3, 69), ("synth_lead_synthetic_001", "synth_lead", 9, 120)],
    "valid": [("bass_synthetic_033", "bass", 0, 22)],
    "test": [("bass_synthetic_033", "bass", 0, 100), ("vocal_acoustic_000", "vocal", 10, 9)],
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part, notes in NOTES.items():
        examples = {f"{note[0]}-{note[3]:03}-025": nsynth_note(*note) for note in notes}
        written(tmp_path / "nsynth" / f"nsynth-{part}" / "examples.json", json.dumps(examples))
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


def test_notes_are_read(root: Path) -> None:
    tracks = NSynth().tracks()
    assert tracks["id"].tolist()[:2] == ["guitar_acoustic_014-069-025", "synth_lead_synthetic_001-120-025"]
    assert tracks["path"][3] == "nsynth-test/audio/bass_synthetic_033-100-025.wav"
    assert tracks["split"].tolist() == ["train", "train", "val", "test", "test"]
    assert tracks["group"].tolist() == [note[0] for notes in NOTES.values() for note in notes]


def test_training_instruments_are_apart_though_validation_and_test_share_theirs(root: Path) -> None:
    tracks = NSynth().tracks()
    assert apart(tracks, "train", "val")
    assert apart(tracks, "train", "test")
    assert not apart(tracks, "val", "test")


def test_targets(root: Path) -> None:
    tracks = NSynth().tracks()
    assert NSynthPitch().targets(tracks) == [69, 120, 22, 100, 9]
    assert [NSynthPitch.classes[i] for i in NSynthPitch().targets(tracks)] == tracks["pitch"].astype(str).tolist()
    # the position of a family is the number that the data set gives it
    assert NSynthInstrument().targets(tracks) == [n[2] for notes in NOTES.values() for n in notes]
    assert len(NSynthPitch.classes) == 128
    assert len(NSynthInstrument.classes) == 11


def test_midi_69_is_heard_at_440_hz(root: Path) -> None:
    tone(root / "nsynth/nsynth-train/audio/guitar_acoustic_014-069-025.wav", 440.0, 1.0, 16_000)
    assert heard(NSynth(), 0) == 440.0


def test_without_its_examples(root: Path) -> None:
    refused(NSynth, root, "nsynth-valid/examples.json", "Magenta")
