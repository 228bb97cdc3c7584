"""GTZAN's index: the fault-filtered lists, and what a damaged file becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from torchaudio.datasets import gtzan as lists
from trees.files import written

from benchmark.corpora.datasets.tags.gtzan import GENRES, GTZAN
from benchmark.interfaces import Unreadable, UserError
from tasks.gtzan_genre import GTZANGenre


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    (tmp_path / "gtzan").mkdir()
    return tmp_path / "gtzan"


def clips(folder: Path, ending: str) -> None:
    for names in (lists.filtered_train, lists.filtered_valid, lists.filtered_test):
        for name in names:
            written(folder / name.partition(".")[0] / f"{name}.{ending}")


def test_the_fault_filtered_split(home: Path) -> None:
    clips(home / "genres", "wav")
    tracks = GTZAN().tracks()
    assert dict(tracks["split"].value_counts()) == {"train": 443, "test": 290, "val": 197}
    assert set(tracks["genre"]) == set(GENRES)
    assert tracks["path"].str.fullmatch(r"genres/([a-z]+)/\1\.000\d\d\.wav").all()
    assert tracks["group"].is_unique
    targets = GTZANGenre().targets(tracks)
    assert [GENRES[i] for i in targets] == [name.split(".")[0] for name in tracks["id"]]


def test_the_other_copys_folder(home: Path) -> None:
    clips(home / "Data/genres_original", "au")
    tracks = GTZAN().tracks()
    assert tracks["path"].str.fullmatch(r"Data/genres_original/([a-z]+)/\1\.000\d\d\.au").all()
    assert None not in GTZAN().lengths()


def test_a_damaged_clip_is_unreadable_and_the_others_are_heard(home: Path) -> None:
    (home / "genres" / "jazz").mkdir(parents=True)
    (home / "genres" / "jazz" / "jazz.00054.wav").write_bytes(b"\0" * 4000)
    tone = 0.5 * np.sin(2 * np.pi * 441 * np.arange(22_050) / 22_050)
    soundfile.write(home / "genres" / "jazz" / "jazz.00053.wav", tone, 22_050)
    tracks = GTZAN().tracks()
    tracks = tracks[tracks["id"].isin(["jazz.00053", "jazz.00054"])].sort_values("id")
    heard, damaged = GTZAN().render(tracks, home)
    assert isinstance(damaged, Unreadable)
    assert isinstance(heard, dict)
    assert heard["mix"].shape == (16_000,)
    assert np.abs(np.fft.rfft(heard["mix"])).argmax() == 441


def test_chance_of_a_constant_is_the_largest_class(home: Path) -> None:
    clips(home / "genres", "wav")
    task, tracks = GTZANGenre(), GTZAN().tracks()
    truth = task.targets(tracks[tracks["split"] == "test"])
    constant = [max(set(truth), key=truth.count)] * len(truth)
    assert task.score(constant, truth)["accuracy"] == pytest.approx(32 / 290)  # rock
    assert task.score(truth, truth) == {"accuracy": 1.0, "macro_f1": 1.0}


def test_an_empty_folder_is_answered_with_where_to_get_it(home: Path) -> None:
    with pytest.raises(UserError, match=r"gtzan: .*FileNotFoundError.*holds no files.*Marsyas"):
        GTZAN().tracks()
