"""TinySOL: the list of notes, its folds, and retuned copies that follow their recording."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import apart, heard, refused
from trees.files import tone, written
from trees.notes import TINYSOL_HEADER

from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.instruments.tinysol import TinySOL
from benchmark.interfaces import UserError
from tasks.tinysol_instrument import TinySOLInstrument

ROWS = (
    # made of the C4 below, which is in another fold of the list
    "Winds/Flute/ordinario/Fl-ord-C#4-mf-N-T14d_R100u.wav,3,Winds,Fl,Flute,ord,ordinario,C#4,61,mf,2,0,,TRUE\n"
    "Brass/Bass_Tuba/ordinario/BTb-ord-F#1-pp-N-N.wav,2,Brass,BTb,Bass Tuba,ord,ordinario,F#1,30,pp,0,0,,FALSE\n"
    "Winds/Flute/ordinario/Fl-ord-C4-mf-N-T14d.wav,0,Winds,Fl,Flute,ord,ordinario,C4,60,mf,2,0,,TRUE\n"
    "Winds/Flute/ordinario/Fl-ord-B3-mf-N-R100d.wav,1,Winds,Fl,Flute,ord,ordinario,B3,59,mf,2,0,,TRUE\n"
    "Strings/Violin/ordinario/Vn-ord-F#5-ff-3c-N.wav,1,Strings,Vn,Violin,ord,ordinario,F#5,78,ff,4,2,3.0,FALSE\n"
    "Strings/Violin/ordinario/Vn-ord-F#5-ff-4c-N.wav,4,Strings,Vn,Violin,ord,ordinario,F#5,78,ff,4,3,4.0,FALSE\n"
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    written(tmp_path / "tinysol/TinySOL_metadata.csv", TINYSOL_HEADER + ROWS)
    for row in ROWS.splitlines():
        written(tmp_path / "tinysol/TinySOL2020" / row.split(",")[0])
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


def test_notes_are_read(root: Path) -> None:
    tracks = TinySOL().tracks()
    assert tracks["id"].tolist() == [row.split(",")[0].split("/")[-1][:-4] for row in ROWS.splitlines()]
    assert tracks["path"][4] == "TinySOL2020/Strings/Violin/ordinario/Vn-ord-F#5-ff-3c-N.wav"
    assert all((root / "tinysol" / path).is_file() for path in tracks["path"])
    names = [TinySOLInstrument.classes[i] for i in TinySOLInstrument().targets(tracks)]
    assert names == [row.split(",")[4] for row in ROWS.splitlines()]
    assert len(TinySOLInstrument.classes) == 14


def test_folds_and_retuned_notes(root: Path) -> None:
    tracks = TinySOL().tracks()
    assert tracks["split"].tolist() == ["test", "train", "test", "test", "val", "train"]
    assert tracks["group"][0] == tracks["group"][2] == tracks["group"][3]
    # the same note on two strings is two recordings
    assert tracks["group"].nunique() == 4
    assert apart(tracks)


def test_other_ways_to_unpack(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "tinysol"
    home.rename(tmp_path / "old")
    written(home / "annotation/TinySOL_metadata.csv", TINYSOL_HEADER + ROWS)
    (tmp_path / "old/TinySOL2020").rename(home / "audio")
    written(home / "__MACOSX/Winds/._x.wav")
    tracks = TinySOL().tracks()
    assert tracks["path"][1] == "audio/Brass/Bass_Tuba/ordinario/BTb-ord-F#1-pp-N-N.wav"


def test_a_sharp_in_a_file_name(root: Path) -> None:
    tone(root / "tinysol/TinySOL2020/Strings/Violin/ordinario/Vn-ord-F#5-ff-3c-N.wav", 740.0, 1.0, 44_100)
    assert heard(TinySOL(), 4) == 740.0


def test_an_instrument_that_is_not_of_it(root: Path) -> None:
    written(root / "tinysol/TinySOL_metadata.csv", TINYSOL_HEADER + ROWS.replace(",Vn,", ",Hp,"))
    with pytest.raises(UserError, match="Hp"):
        TinySOL().tracks()


def test_without_its_list(root: Path) -> None:
    refused(TinySOL, root, "TinySOL_metadata.csv", "3685367")
