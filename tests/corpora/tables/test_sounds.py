"""A folder of sound to pre-train on: found, grouped by artist or folder, some held out; `run --corpus folder:PATH`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from clips import write_clip
from helpers.forked import quick

from benchmark.corpora.tables.table import sound_below
from benchmark.interfaces import UserError


def write_by(path: Path, artist: str, seconds: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", 8000, 1, format="OGG", subtype="VORBIS") as file:
        file.artist = artist
        file.write(0.1 * np.random.default_rng(len(path.name)).normal(size=round(8000 * seconds)))


def test_what_is_held_out_is_of_other_artists(tmp_path: Path) -> None:
    for i in range(30):
        write_by(tmp_path / f"y{'x' * i}.ogg", f"Artist {i % 10}")
    tracks = sound_below(tmp_path).tracks
    assert tracks["group"].nunique() == 10
    assert (tracks.groupby("group")["split"].nunique() == 1).all()
    assert tracks["split"].value_counts().to_dict() == {"train": 27, "val": 3}


def test_without_tags_folders_are_groups_and_files_in_none_their_own(tmp_path: Path) -> None:
    for path in ("a/1.wav", "a/22.wav", "b/333.wav", "4444.wav"):
        write_clip(tmp_path / path)
    (tmp_path / "a" / "broken.mp3").write_bytes(b"no sound")
    groups = sound_below(tmp_path).tracks.set_index("path")["group"]
    assert groups.to_dict() == {
        "4444.wav": "4444.wav",
        "a/1.wav": "a",
        "a/22.wav": "a",
        "a/broken.mp3": "a",
        "b/333.wav": "b",
    }


def test_of_two_large_groups_the_smaller_one_is_held_out(tmp_path: Path) -> None:
    for path in ("a/1.wav", "a/22.wav", "a/333.wav", "b/4444.wav", "b/55555.wav"):
        write_clip(tmp_path / path)
    tracks = sound_below(tmp_path).tracks
    assert set(tracks["path"][tracks["split"] == "val"]) == {"b/4444.wav", "b/55555.wav"}


def test_two_tracks_are_held_out_at_least(tmp_path: Path) -> None:
    """How alike embeddings are takes two of them: with one, trainings failed."""
    for i in range(8):
        write_clip(tmp_path / f"y{'x' * i}.wav")
    assert sound_below(tmp_path).tracks["split"].value_counts().to_dict() == {"train": 6, "val": 2}


def test_one_artist_is_too_few(tmp_path: Path) -> None:
    write_clip(tmp_path / "a" / "1.wav")
    with pytest.raises(UserError, match="1 sounds of 1 artists or folders"):
        sound_below(tmp_path)


def test_a_plan_hears_the_folder_and_is_read_from_what_it_was(tmp_path: Path, data_dir: Path) -> None:
    for i in range(20):
        write_by(tmp_path / "mine" / f"y{'x' * i}.ogg", f"Artist {i}", seconds=3.5 + i / 10)
    args = ("--grid", "smoke", "--strategies", "simclr", "--tasks", "key", "--data-dir", str(data_dir), "--all")
    told = quick("plan", *args, "--corpus", f"folder:{tmp_path / 'mine'}", "--out", str(tmp_path / "out"))
    assert told.returncode == 0, told.stderr
    assert "catalog folder-mine all" in told.stdout
    assert "catalog rendered_scores small" in told.stdout
    for corpus, says in ((f"folder:{tmp_path / 'gone'}", "no such folder"), ("gtzn", "did you mean 'gtzan'")):
        told = quick("plan", *args, "--corpus", corpus, "--out", str(tmp_path / "out"))
        assert told.returncode == 2
        assert says in told.stderr
