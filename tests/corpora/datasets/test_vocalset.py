"""VocalSet: folders say who sings how; whole exercises, or whole singers, go to one side."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import apart, refused
from trees.clips import SINGERS, TEST_SINGERS, singer_lists, vocalset_files
from trees.files import tone, written

from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.instruments.vocalset import VocalSet, VocalSetUnseenSingers
from benchmark.interfaces import UserError
from tasks.vocalset_singer import VocalSetSinger
from tasks.vocalset_technique import VocalSetTechnique

TECHNIQUES = ("belt", "breathy", "fast_forte", "lip_trill", "straight", "vibrato", "vocal_fry", "slow_piano")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "vocalset"
    for path in vocalset_files(home, SINGERS, TECHNIQUES, "ae"):
        written(path)
    # misnamed, doubtful and foreign files
    written(home / "data_by_singer/female4/arpeggios/straight/arpeggios_straight_a.wav")
    written(home / "data_by_singer/female2/scales/vibrato/f2_scales_vibrato_a(1).wav")
    written(home / "data_by_singer/female2/scales/straight/f2_scales_straight_u(1).wav")
    written(home / "data_by_singer/female2/arpeggios/vibrado/f2_arpeggios_vibrato_i.wav")
    written(home / "data_by_singer/male8/excerpts/vibrato/row_vibrato.wav")
    written(home / "data_by_singer/male8/excerpts/vibrato/._m8_row_vibrato.wav")
    written(home / "data_by_singer/male8/.DS_Store")
    singer_lists(home)
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("corpus", [VocalSet, VocalSetUnseenSingers])
def test_recordings_are_read_from_their_folders(root: Path, corpus: type[VocalSet]) -> None:
    tracks = corpus().tracks().set_index("id")
    assert len(tracks) == 20 * 3 * 8 * 2 + 2
    assert tracks.loc["female2/arpeggios/vibrado/f2_arpeggios_vibrato_i", "technique"] == "vibrato"
    misnamed = tracks.loc["female4/arpeggios/straight/arpeggios_straight_a"]
    assert (misnamed["singer"], misnamed["technique"]) == ("female4", "straight")
    assert misnamed["path"] == "data_by_singer/female4/arpeggios/straight/arpeggios_straight_a.wav"
    assert apart(tracks)


def test_exercises_are_not_cut_and_every_singer_is_everywhere(root: Path) -> None:
    tracks = VocalSet().tracks()
    vowels = tracks.groupby(["singer", "context", "technique"])["split"].nunique()
    assert (vowels == 1).all()
    # each has 24 exercises here, about twice as many in truth
    assert (tracks.groupby("singer")["split"].nunique() == 3).mean() >= 0.9
    shares = tracks["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.005)
    assert shares["val"] == pytest.approx(0.16, abs=0.005)


def test_singers_of_the_official_lists(root: Path) -> None:
    split = VocalSetUnseenSingers().tracks().groupby("singer")["split"].first()
    assert set(split[split == "test"].index) == set(TEST_SINGERS)
    assert set(split[split == "val"].index) == {"female3", "female4", "male11"}
    assert (split == "train").sum() == 12


def test_targets(root: Path) -> None:
    tracks = VocalSetUnseenSingers().tracks()
    singers, techniques = VocalSetSinger().targets(tracks), VocalSetTechnique().targets(tracks)
    assert [VocalSetSinger.classes[i] for i in singers] == tracks["singer"].tolist()
    assert len(set(singers)) == len(VocalSetSinger.classes) == 20
    named = [None if i is None else VocalSetTechnique.classes[i] for i in techniques]
    others = {"fast_forte", "slow_piano"}
    assert named == [None if name in others else name for name in tracks["technique"]]
    assert len(VocalSetTechnique.classes) == 10


def test_a_recording_is_decoded(root: Path) -> None:
    tone(root / "vocalset/data_by_singer/female1/arpeggios/belt/f1_arpeggios_belt_a.wav", 250.0, 1.0, 44_100)
    sounds = VocalSet().render(VocalSet().tracks().iloc[:1], Path())
    assert len(next(iter(sounds))["mix"]) == 16_000


def test_a_singer_of_neither_list(root: Path) -> None:
    written(root / "vocalset/test_singers_technique.txt", "female2\n")
    with pytest.raises(UserError, match="male10"):
        VocalSetUnseenSingers().tracks()


def test_without_a_list(root: Path) -> None:
    refused(VocalSetUnseenSingers, root, "train_singers_technique.txt", "Zenodo")
