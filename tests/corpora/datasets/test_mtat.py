"""MagnaTagATune's index and its test sets: folders, tags, source tracks, artists, in the distribution's own format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trees.tags import Clip, write_mtat

from benchmark.corpora.datasets.tags.mtat import MagnaTagATune
from benchmark.interfaces import UserError
from tasks.mtat_tags import MTATTags

BWV = "american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria"
CLIPS: list[Clip] = [
    (2, f"f/{BWV}-30-59.mp3", "American Bach Soloists", ["classical", "strings", "opera", "violin"]),
    (6, f"f/{BWV}-146-175.mp3", "American Bach Soloists", ["duet"]),
    (10, "0/ambient-songs-02-a-dream-0-29.mp3", "Ambient", ["ambient", "no voice", "rare 7"]),
    (11, "b/jacob_heringman-blame-02-x-0-29.mp3", "Jacob Heringman", []),
    (12, "c/cellist-suites-03-y-88-117.mp3", "Cellist", ["cello"]),
    (13, "d/cellist-encores-01-z-0-29.mp3", "Cellist", ["cello", "solo"]),
    (14, "e/jacob_heringman-siena-05-q-59-88.mp3", "Jacob Heringman", ["guitar"]),
    (15, "f/unknown-album-01-w-0-29.mp3", "", ["rock"]),
    (35644, "6/norine_braun-now_and_zen-08-gently-117-146.mp3", "Norine Braun", ["rock"]),
]


@pytest.fixture
def tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    write_mtat(tmp_path / "mtat", CLIPS)
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    return MagnaTagATune().tracks()


def test_every_clip_with_its_folders_split_and_its_tags(tracks: pd.DataFrame) -> None:
    assert list(tracks["id"]) == [str(clip) for clip, *_ in CLIPS if clip != 35644]  # an empty file
    assert list(tracks["split"]) == ["test", "test", "train", "train", "val", "test", "test", "test"]
    for row, (_, path, artist, tags) in zip(tracks.to_dict("records"), CLIPS, strict=False):
        assert (row["path"], row["artist"], set(row["tags"])) == (path, artist, set(tags))


def test_clips_of_a_track_are_a_group_and_no_group_straddles(tracks: pd.DataFrame) -> None:
    assert list(tracks["group"][:2]) == [BWV, BWV]
    assert tracks["group"][2] == "ambient-songs-02-a-dream"
    assert tracks.groupby("group")["split"].nunique().max() == 1


def test_the_three_test_sets(tracks: pd.DataFrame) -> None:
    sets = {suffix: set(tracks["id"][members]) for suffix, members in MTATTags().test_sets(tracks).items()}
    assert sets[""] == {"2", "6", "13", "14", "15"}
    assert sets["_tagged"] == {"2", "13", "14", "15"}  # `duet` is not one of the 50
    assert sets["_artist_disjoint"] == {"2"}  # 13 is by an artist of val, 14 of train, 15 by nobody known


def test_targets_are_the_fifty_tags_and_an_untagged_clip_has_none_of_them(tracks: pd.DataFrame) -> None:
    task = MTATTags()
    assert len(set(task.classes)) == 50
    targets = task.targets(tracks)
    named = [{task.classes[i] for i in np.flatnonzero(target)} for target in targets]
    assert named[0] == {"classical", "strings", "opera", "violin"}
    assert named[1] == set()
    assert named[2] == {"ambient", "no voice"}
    from_parquet = tracks.assign(tags=[np.array(tags, object) for tags in tracks["tags"]])
    np.testing.assert_array_equal(task.targets(from_parquet), targets)
    np.testing.assert_array_equal(task.test_sets(from_parquet)["_tagged"], task.test_sets(tracks)["_tagged"])


@pytest.mark.parametrize("missing", ["annotations_final.csv", "clip_info_final.csv"])
def test_a_missing_file_is_answered_with_where_to_get_it(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mtat(tmp_path / "mtat", CLIPS)
    (tmp_path / "mtat" / missing).unlink()
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"mtat: .*FileNotFoundError.*City, University of London"):
        MagnaTagATune().tracks()
