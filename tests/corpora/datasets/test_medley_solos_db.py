"""Medley-solos-DB: its list of clips, songs and subsets."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import apart, heard, refused
from trees.files import tone, written
from trees.notes import MEDLEY_HEADER

from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.instruments.medley_solos_db import MedleySolosDB
from benchmark.interfaces import UserError
from tasks.medley_solos_instrument import MedleySolosInstrument

LIST = (
    MEDLEY_HEADER
    + """\
test,clarinet,0,0,0e4371ac-1c6a-51ab-fdb7-f8abd5fbf1a3
validation,flute,3,210,d07b1fc0-567d-52c2-fef4-239f31c9d40e
training,violin,7,101,1e12111e-b736-517f-f0e6-8ec6d1e6b272
training,violin,7,101,15a17c2d-6c65-5d88-f6f2-e85359a4e115
test,distorted electric guitar,1,12,04be2e68-9a7e-5ec4-f58e-ea81edd237f2
"""
)
FLUTE = "Medley-solos-DB_validation-3_d07b1fc0-567d-52c2-fef4-239f31c9d40e.wav"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    written(tmp_path / "medley_solos_db/Medley-solos-DB_metadata.csv", LIST)
    written(tmp_path / "medley_solos_db/Medley-solos-DB" / FLUTE)
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


def test_clips_are_read(root: Path) -> None:
    tracks = MedleySolosDB().tracks()
    assert tracks["split"].tolist() == ["test", "val", "train", "train", "test"]
    assert tracks["group"].tolist() == ["song 0", "song 210", "song 101", "song 101", "song 12"]
    assert tracks["path"][1] == f"Medley-solos-DB/{FLUTE}"
    assert tracks["id"].is_unique
    assert apart(tracks)


def test_classes_are_the_numbers_of_the_list(root: Path) -> None:
    assert MedleySolosInstrument().targets(MedleySolosDB().tracks()) == [0, 3, 7, 7, 1]
    assert len(MedleySolosInstrument.classes) == 8


def test_a_clip_is_decoded(root: Path) -> None:
    tone(root / "medley_solos_db/Medley-solos-DB" / FLUTE, 880.0, 1.0, 44_100)
    assert heard(MedleySolosDB(), 1) == 880.0


@pytest.mark.parametrize(("old", "new"), [("validation,", "valid,"), (",7,101", ",8,101"), (",0,0,0e43", ",0,0e43")])
def test_a_damaged_list(root: Path, old: str, new: str) -> None:
    written(root / "medley_solos_db/Medley-solos-DB_metadata.csv", LIST.replace(old, new))
    with pytest.raises(UserError, match="not what the reader expects"):
        MedleySolosDB().tracks()


def test_without_its_list(root: Path) -> None:
    refused(MedleySolosDB, root, "Medley-solos-DB_metadata.csv", "3464194")
