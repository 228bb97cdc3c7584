"""A folder whose sub-folders are classes is a table that nobody wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from clips import write_clip, write_table
from typer.testing import CliRunner

from benchmark.cli.describe.command import table_at
from benchmark.cli.main import app
from benchmark.corpora.tables.table import read_table
from benchmark.interfaces import UserError
from tasks.folder import load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of names of all lengths: their noise follows from those."""
    for i in range(40):
        name = ("jazz", "rock")[i % 2]
        write_clip(tmp_path / "mine" / name / f"{name}{'x' * i}.wav")
    return tmp_path / "mine"


def test_classes_are_sub_folders_and_files_their_own_groups(folder: Path) -> None:
    (folder / "jazz" / "._jazz.wav").write_bytes(b"hidden")
    (folder / "jazz" / "cover.jpg").write_bytes(b"no sound")
    table = read_table(folder)
    (label,) = table.labels
    assert (table.corpus, label.column.task, label.classes) == ("mine", "mine-class", ("jazz", "rock"))
    assert len(table.tracks) == table.tracks["group"].nunique() == 40
    assert not table.warnings + table.errors
    assert table.sound.unreadable == 0
    corpus, task = load(folder)
    assert corpus.home() == folder
    assert sum(task().targets(corpus().tracks())) == 20


def test_every_class_is_in_every_part(folder: Path) -> None:
    table = read_table(folder)
    assert table.drawn
    parts = {"train": 14, "val": 3, "test": 3}
    assert table.counts(table.labels[0]) == {"jazz": parts, "rock": parts}


def test_one_content_is_one_group_under_any_name_and_class(folder: Path) -> None:
    for copy in ("jazz/copy.wav", "rock/other.wav"):
        (folder / copy).write_bytes((folder / "jazz" / "jazz.wav").read_bytes())
    groups = read_table(folder).tracks.set_index("path")["group"]
    assert groups["jazz/copy.wav"] == groups["rock/other.wav"] == groups["jazz/jazz.wav"]
    assert groups.nunique() == 40
    (warning,) = read_table(folder).warnings
    assert warning.what == "1 sound in several classes, with the same content: one in 'jazz' and 'rock'"


def test_folders_within_a_class_are_groups_where_there_are_some(folder: Path) -> None:
    for i, album in enumerate(["a", "a", "b", "c"]):
        write_clip(folder / "jazz" / album / f"{i}.wav", seconds=1 + i)
    for i in range(3):
        write_clip(folder / "rock" / "all" / f"{i}.wav", seconds=1.5 + i)
    groups = read_table(folder).tracks.set_index("path")["group"]
    assert groups["jazz/a/0.wav"] == groups["jazz/a/1.wav"] == "jazz/a"
    assert groups["jazz/b/2.wav"] == "jazz/b"
    assert groups["rock/all/0.wav"] == "rock/all/0.wav"


def test_what_lies_beside_the_classes_is_told(folder: Path) -> None:
    write_clip(folder / "stray.wav")
    (finding,) = read_table(folder).warnings
    assert (finding.what[:40], finding.rows) == ("1 files lie beside the classes, in none ", ())


def test_a_table_in_a_folder_is_meant_if_it_lists_paths(folder: Path) -> None:
    assert table_at(str(folder)) == folder
    (folder / "features.csv").write_text("filename,mfcc\n")
    assert table_at(str(folder)) == folder
    written = write_table(folder, "path,genre", "jazz/jazz.wav,jazz")
    assert table_at(str(folder)) == written
    assert read_table(folder).path == written, "a plugin's path, too"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tracks.csv", b"path;genre\na.wav;x\n", "separated by ';'"),
        ("Tracks.CSV", b"path,genre\n", "not a table: it needs a header"),
        ("tracks.tsv", b"path\tgenre\na.wav\tx\n", "separated by '\\t'"),
        ("tracks.csv", "path,genre\na.wav,x\n".encode("utf-16"), "not a table in UTF-8"),
        ("tracks.csv", b"\n\nsep=;\npath;genre\na.wav;x\n", "separated by ';'"),
    ],
)
def test_a_table_that_cannot_be_read_is_not_passed_over(name: str, content: bytes, says: str, folder: Path) -> None:
    """Albums would be the classes, and nobody would know."""
    (folder / name).write_bytes(content)
    with pytest.raises(UserError) as error:
        read_table(folder)
    assert says in str(error.value)


def test_what_is_passed_over_is_told(folder: Path) -> None:
    for name in ("labels.xlsx", "rock/a.m4a", "rock/b.M4A"):
        (folder / name).write_bytes(b"x")
    said = [warning.what for warning in read_table(folder).warnings]
    assert len(said) == 2
    assert any(what.startswith("labels.xlsx has no column 'path'") for what in said)
    assert any(
        what.startswith("2 sounds skipped, in formats that are not read here: rock/a.m4a, rock/b.M4A; convert")
        for what in said
    )


def test_splits_are_no_classes(tmp_path: Path) -> None:
    for split in ("train", "Validation", "test"):
        write_clip(tmp_path / "mine" / split / "rock" / f"{split}.wav")
    with pytest.raises(UserError, match="called like splits"):
        read_table(tmp_path / "mine")
    write_clip(tmp_path / "mine" / "demo" / "a.wav")
    assert read_table(tmp_path / "mine").labels[0].classes == ("Validation", "demo", "test", "train")


def test_odd_names_and_links_in_circles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "jazz").rename(folder / " jazz")
    (folder / "rock" / "all").symlink_to(folder)
    (folder / "everything").symlink_to(".")
    latin = os.fsencode(folder / "rock") + b"/caf\xe9.wav"
    os.link(folder / "rock" / "rockx.wav", latin)
    monkeypatch.chdir(folder / "rock")
    table = read_table(Path(".."))
    assert (table.corpus, table.labels[0].classes, len(table.tracks)) == ("mine", ("jazz", "rock"), 40)
    (warning,) = table.warnings
    assert warning.what == r"1 of 41 files have names that are not in UTF-8, and are skipped: rock/caf\xe9.wav, ..."
    assert table.sound.unreadable == 0
    assert not table.errors


def test_no_class_or_one_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is none in any"):
        read_table(tmp_path)
    write_clip(tmp_path / "jazz" / "a.wav")
    with pytest.raises(UserError, match="there is sound in 1 of them"):
        read_table(tmp_path)


def test_data_describe_takes_it(folder: Path) -> None:
    said = CliRunner().invoke(app, ["data", "describe", str(folder)])
    assert said.exit_code == 0, said.output
    assert "40 tracks" in said.output
    assert "line" not in said.output
