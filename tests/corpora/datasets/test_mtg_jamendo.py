"""MTG-Jamendo's index: one split column for all subsets, tags per subset, both encodings of the audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trees.files import written
from trees.tags import write_jamendo

from benchmark.corpora.datasets.tags.mtg_jamendo import MTGJamendo, MTGJamendoMood
from benchmark.interfaces import UserError
from tasks.jamendo_genre import JamendoGenre
from tasks.jamendo_instrument import JamendoInstrument
from tasks.jamendo_mood import JamendoMood
from tasks.jamendo_top50 import JamendoTop50

#: lines as they are in the authors' split 0 (test and top50tags-validation), or in their format
LINES = {
    "genre-test": [
        "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punkrock",
        "track_0003524\tartist_000530\talbum_000552\t24/3524.mp3\t266.1\tgenre---electronic\tgenre---minimal\tgenre---techno",
        "track_0004884\tartist_000696\talbum_000751\t84/4884.mp3\t220.7\tgenre---fusion\tgenre---jazz\tgenre---world",
    ],
    "instrument-test": [
        "track_0015159\tartist_002208\talbum_002161\t59/15159.mp3\t277.1\tinstrument---drummachine"
        "\tinstrument---electricguitar\tinstrument---piano\tinstrument---violin",
    ],
    "moodtheme-test": [
        "track_0003524\tartist_000530\talbum_000552\t24/3524.mp3\t266.1\tmood/theme---melodic",
        "track_0133518\tartist_007063\talbum_018982\t18/133518.mp3\t126.3\tmood/theme---emotional\tmood/theme---drama",
    ],
    "top50tags-test": [
        "track_0003524\tartist_000530\talbum_000552\t24/3524.mp3\t266.1\tgenre---electronic\tgenre---techno",
        "track_0004884\tartist_000696\talbum_000751\t84/4884.mp3\t220.7\tgenre---jazz\tgenre---world",
    ],
    "top50tags-validation": [
        "track_0917538\tartist_378901\talbum_108650\t38/917538.mp3\t126.5\tgenre---easylistening\tgenre---soundtrack"
        "\tinstrument---piano",
    ],
    "instrument-validation": [
        "track_0917538\tartist_378901\talbum_108650\t38/917538.mp3\t126.5\tinstrument---piano",
    ],
    "genre-train": ["track_0000241\tartist_000005\talbum_000032\t41/241.mp3\t340.1\tgenre---rock"],
    "moodtheme-train": ["track_0000948\tartist_000087\talbum_000149\t48/948.mp3\t212.7\tmood/theme---background"],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    return tmp_path / "mtg_jamendo"


def test_a_track_is_listed_once_with_the_tags_of_each_subset(home: Path) -> None:
    write_jamendo(home, LINES)
    tracks = MTGJamendo().tracks().set_index("id")
    assert list(tracks.index) == sorted({line.split("\t")[0] for lines in LINES.values() for line in lines})
    row = tracks.loc["track_0003524"]
    assert (row["group"], row["split"]) == ("artist_000530", "test")
    assert row["genre"] == ["genre---electronic", "genre---minimal", "genre---techno"]
    assert row["top50"] == ["genre---electronic", "genre---techno"]
    assert row["mood"] == ["mood/theme---melodic"]
    assert row["instrument"] is None
    assert len(tracks.loc["track_0015159", "instrument"]) == 4
    assert dict(tracks["split"].value_counts()) == {"test": 5, "train": 2, "val": 1}
    assert tracks.groupby("group")["split"].nunique().max() == 1


def test_either_encoding_of_the_audio(home: Path) -> None:
    write_jamendo(home, LINES)
    first = lambda: MTGJamendo().index(home)["path"].iloc[0]  # noqa: E731
    for place in ("14/214.low.mp3", "audio-low/14/214.low.mp3", "audios/14/214.mp3", "audio/14/214.mp3"):
        written(home / place)
        assert first() == place
        (home / place).unlink()
    assert first() == "audio/14/214.mp3"
    written(home / "audio-low/14/214.low.mp3")
    written(home / "audio/14/214.mp3")
    assert first() == "audio/14/214.mp3"


def test_mood_is_a_corpus_of_its_own(home: Path) -> None:
    write_jamendo(home, LINES)
    tracks = MTGJamendoMood().tracks()
    assert list(tracks["id"]) == ["track_0000948", "track_0003524", "track_0133518"]
    assert list(tracks["split"]) == ["train", "test", "test"]
    assert "genre" not in tracks


def test_another_of_the_five_splits_is_a_subclass(home: Path) -> None:
    write_jamendo(home, LINES, fold=3)

    class Third(MTGJamendo):
        fold = 3

    assert len(Third().tracks()) == 8
    with pytest.raises(UserError, match="FileNotFoundError"):
        MTGJamendo().tracks()


def test_targets_are_those_of_the_subset_and_none_elsewhere(home: Path) -> None:
    write_jamendo(home, LINES)
    everything, mood = MTGJamendo().tracks(), MTGJamendoMood().tracks()
    for task, tracks in (
        (JamendoTop50(), everything),
        (JamendoGenre(), everything),
        (JamendoInstrument(), everything),
        (JamendoMood(), mood),
    ):
        for target, tags in zip(task.targets(tracks), tracks[task.labels[0]], strict=True):
            assert (target is None) == (tags is None)
            if target is not None:
                assert [task.classes[i] for i in np.flatnonzero(target)] == sorted(tags)


def test_the_tag_lists_are_as_long_as_the_data_sets() -> None:
    sizes = [len(set(t.classes)) for t in (JamendoTop50, JamendoGenre, JamendoInstrument, JamendoMood)]
    assert sizes == [50, 87, 40, 56]
    union = {*JamendoGenre.classes, *JamendoInstrument.classes, *JamendoMood.classes}
    assert set(JamendoTop50.classes) < union


def test_a_track_in_two_splits_is_refused(home: Path) -> None:
    write_jamendo(home, {**LINES, "moodtheme-validation": [LINES["moodtheme-test"][0]]})
    with pytest.raises(UserError, match="track_0003524 is in test and, in moodtheme, in val"):
        MTGJamendo().tracks()


def test_a_missing_or_foreign_file_is_answered_with_where_to_get_it(home: Path) -> None:
    write_jamendo(home, LINES)
    file = home / "data/splits/split-0/autotagging_genre-train.tsv"
    file.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match=r"genre-train.tsv: begins with 'version.*MTG/mtg-jamendo-dataset"):
        MTGJamendo().tracks()
    file.unlink()
    with pytest.raises(UserError, match=r"mtg_jamendo: .*FileNotFoundError.*MTG/mtg-jamendo-dataset"):
        MTGJamendo().tracks()


def test_labels_survive_a_parquet_file(home: Path, tmp_path: Path) -> None:
    write_jamendo(home, LINES)
    tracks = MTGJamendo().tracks()
    tracks.to_parquet(tmp_path / "tracks.parquet")
    task, again = JamendoTop50(), pd.read_parquet(tmp_path / "tracks.parquet")
    for before, after in zip(task.targets(tracks), task.targets(again), strict=True):
        assert (before is None and after is None) or np.array_equal(before, after)
