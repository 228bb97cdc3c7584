"""Files are found wherever the archives put them, and tables read without guessing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile
from trees.files import written

from benchmark.corpora.datasets.layout import SOUND, Files, naming, read_table


@pytest.mark.parametrize("above", ["", "a/", "a/b/"])
def test_what_precedes_the_end_of_a_path_is_free(tmp_path: Path, above: str) -> None:
    written(tmp_path / above / "genres/blues/x.1.wav")
    written(tmp_path / above / "genres/x.1.txt")
    assert Files(tmp_path).find("blues/x.1.wav") == f"{above}genres/blues/x.1.wav"
    assert Files(tmp_path).one("genres/x.1.txt") == tmp_path / above / "genres/x.1.txt"
    assert Files(tmp_path).find("lues/x.1.wav") is None
    assert Files(tmp_path).find("rock/x.1.wav", "x.1.txt") == f"{above}genres/x.1.txt"


@pytest.mark.parametrize("ending", ["au", "FLAC", "mp3", "ogg", "Wav"])
def test_a_sound_has_any_ending_and_a_text_only_its_own(tmp_path: Path, ending: str) -> None:
    written(tmp_path / f"jazz/jazz.00054.{ending}")
    written(tmp_path / "jazz/jazz.00054.lab")
    assert Files(tmp_path).sound("jazz/jazz.00054.wav") == f"jazz/jazz.00054.{ending}"
    assert Files(tmp_path).all("jazz/*.wav") == [f"jazz/jazz.00054.{ending}"]
    assert Files(tmp_path).find("jazz.00054.txt") is None
    assert Files(tmp_path).sound("jazz/jazz.1.wav") == "jazz/jazz.1.wav"


def test_the_endings_are_of_formats_that_are_decoded() -> None:
    aliases = {"wave": "wav", "oga": "ogg", "opus": "ogg", "snd": "au", "aif": "aiff", "aifc": "aiff"}
    formats = {name.lower() for name in soundfile.available_formats()}
    assert {aliases.get(ending[1:], ending[1:]) for ending in SOUND} <= formats


@pytest.mark.parametrize("suffix", ["", "-master", "-main", "-" + "0b7d47ba" * 5])
def test_archives_of_a_repository_add_to_its_name(tmp_path: Path, suffix: str) -> None:
    place = f"deep/beats-of-it{suffix}/annotations/x.beats"
    written(tmp_path / place)
    written(tmp_path / "beats-of-it-mastered/annotations/x.beats")
    assert Files(tmp_path).find("beats-of-it/annotations/x.beats") == place


def test_hidden_files_do_not_exist_and_of_copies_the_least_deep_counts(tmp_path: Path) -> None:
    for path in ("z/x.csv", "a/b/x.csv", "a/x.csv", "b/y.csv", "._x.csv", "a/._y.csv", ".git/x.csv", "__MACOSX/x.csv"):
        written(tmp_path / path)
    assert Files(tmp_path).find("x.csv") == "a/x.csv"
    assert Files(tmp_path).all("*.csv") == ["a/x.csv", "b/y.csv"]
    assert Files(tmp_path).all("b/*.csv") == ["a/b/x.csv", "b/y.csv"][:2]
    assert Files(tmp_path).all("c/*.csv", "z/*.csv") == ["z/x.csv"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no files"):
        Files(tmp_path)
    written(tmp_path / "a/x[1].csv")
    for look in (Files(tmp_path).one, Files(tmp_path).all):
        with pytest.raises(FileNotFoundError, match=r"no b/x\.csv or y\.csv in "):
            look("b/x.csv", "y.csv")
    assert Files(tmp_path).one("a/x[1].csv").name == "x[1].csv"


def test_links_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    written(tmp_path / "elsewhere/a/x.wav")
    (tmp_path / "home").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "home/linked")
    os.symlink(tmp_path / "home", tmp_path / "elsewhere/round")
    assert Files(tmp_path / "home").find("a/x.wav") == "linked/a/x.wav"


def test_cells_stay_text(tmp_path: Path) -> None:
    text = '\ufeffid ,artist,year\r\n007,"None\t",\r\n\r\n008,"Smith, ""Al""\nand Bo", 1999\r\n'
    table = read_table(written(tmp_path / "x.csv", text))
    assert table.to_dict("list") == {
        "id": ["007", "008"],
        "artist": ["None", 'Smith, "Al"\nand Bo'],
        "year": ["", "1999"],
    }


@pytest.mark.parametrize("text", ["a,b\n1,2\n3\n", "a,b\n1,2,3\n"])
def test_a_row_that_does_not_fit_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.csv: row \d has [13] cells"):
        read_table(written(tmp_path / "x.csv", text))


def test_a_missing_column_is_an_error_that_names_table_and_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.csv has no column 'song_id', but a, b"):
        read_table(written(tmp_path / "x.csv", "a,b\n1,2\n"), "a", "song_id")


def test_an_empty_table(tmp_path: Path) -> None:
    assert read_table(written(tmp_path / "x.csv", "a,b\n")).columns.tolist() == ["a", "b"]
    assert read_table(written(tmp_path / "y.csv", "")).empty


@pytest.mark.parametrize("fault", [KeyError("pitch"), ValueError("no number"), IndexError("0"), TypeError("None")])
def test_what_is_wrong_in_a_file_names_it(tmp_path: Path, fault: Exception) -> None:
    with pytest.raises(ValueError, match=r"notes\.json"), naming(tmp_path / "notes.json"):
        raise fault
