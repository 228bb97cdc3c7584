"""EmoMusic: tab-padded tables, MediaEval's evaluation set, and jukemir's validation by artist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_trees import apart, refused
from trees.clips import EMOMUSIC_RATINGS, EMOMUSIC_SONGS
from trees.files import written

from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.tags.emomusic import EmoMusic
from benchmark.interfaces import UserError
from tasks.emomusic_emotion import EmoMusicEmotion

SONGS = (
    EMOMUSIC_SONGS + '2,2.mp3\t,The Kokoon\t,"Order, of the ""Universe""\t",2.5,3.35,Blues\t,development\t\n'
    "3,3.mp3\t,Kevin MacLeod\t,Tonight\t,0.2,1.05,Blues\t,development\t\n"
    '4,4.mp3\t,"The Kokoon!!\t",Hey\t,1.29,2.14,Blues\t,"development"\n'
    "5,5.mp3\t,Ärs  Sonor\t,None\t,3.17,4.02,Rock\t,evaluation\t\n"
    "7,7.mp3\t,123\t,unrated\t,3.17,4.02,Rock\t,development\t\n"
    "10,10.mp3\t,456\t,numbers\t,3.17,4.02,Rock\t,development\t\n"
)
RATINGS = (
    EMOMUSIC_RATINGS
    + "2,3.1,0.99443,3,0.66667\n3,3.5,1.8409,3.3,1.7029\n4,5.7,1.5,5.5,1.7\n5,4.4,2.1,5.3,1.9\n10,5.8,1.4,6.4,1.8\n"
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    written(tmp_path / "emomusic/annotations/songs_info.csv", SONGS)
    written(tmp_path / "emomusic/annotations/static_annotations.csv", RATINGS)
    for song in (2, 3, 4, 5, 7, 10):
        written(tmp_path / f"emomusic/clips_45seconds/{song}.mp3")
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


def test_rated_songs_are_read(root: Path) -> None:
    tracks = EmoMusic().tracks()
    assert tracks["id"].tolist() == ["2", "3", "4", "5", "10"]
    assert tracks["path"][4] == "clips_45seconds/10.mp3"
    assert tracks["group"].tolist() == ["the kokoon", "kevin macleod", "the kokoon", "rs sonor", "song 10"]
    assert tracks[["arousal", "valence"]].to_numpy()[0].tolist() == [3.1, 3.0]
    assert apart(tracks)


def test_the_split_is_jukemirs(root: Path) -> None:
    # SHA-1 by coreutils' sha1sum, modulo ten: "the kokoon" 6, "kevin macleod" 9, "" (no letters) 5
    assert EmoMusic().tracks()["split"].tolist() == ["train", "val", "train", "test", "train"]


def test_targets_are_the_two_means(root: Path) -> None:
    targets = EmoMusicEmotion().targets(EmoMusic().tracks())
    np.testing.assert_array_equal(targets[3], np.array([4.4, 5.3], np.float32))
    scores = EmoMusicEmotion().score([row.tolist() for row in targets], targets)
    assert scores == pytest.approx({"r2": 1.0, "r2_arousal": 1.0, "r2_valence": 1.0})


def test_a_set_that_nobody_knows(root: Path) -> None:
    written(root / "emomusic/annotations/songs_info.csv", SONGS.replace("evaluation", "test"))
    with pytest.raises(UserError, match="unknown sets"):
        EmoMusic().tracks()


@pytest.mark.parametrize("name", ["songs_info.csv", "static_annotations.csv"])
def test_without_an_annotation_file(root: Path, name: str) -> None:
    refused(EmoMusic, root, f"annotations/{name}", "cvml.unige.ch")
