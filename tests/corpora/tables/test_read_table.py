"""What a table's cells, columns and rows mean, and what is said of those that can hardly be meant."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from clips import write_clip, write_table

from benchmark import registry
from benchmark.corpora.tables.table import Table, read_table
from benchmark.interfaces import UserError
from tasks.folder import load


def _read(folder: Path, header: str, *rows: str) -> Table:
    return read_table(write_table(folder / "mine", header, *rows))


def _said(findings: list) -> dict[str, tuple[int, ...]]:
    return {one.what: one.rows for one in findings}


@pytest.mark.parametrize("cell", ["None", "NA", "N/A", "null", "nan", "NaN", "", "-", "0", "#N/A"])
def test_a_cell_is_what_it_says(cell: str, tmp_path: Path) -> None:
    """pandas takes eleven words for an empty cell."""
    table = _read(tmp_path, "path,group,genre,mood:tags", f"a.wav,{cell},{cell},{cell}", "b.wav,g,rock,calm")
    genre, mood = table.labels
    assert genre.values == [cell or None, "rock"]
    assert mood.values[0] == (None if not cell else [] if cell == "-" else [cell])
    assert table.tracks["group"].tolist() == [cell or "a.wav", "g"]
    assert not table.errors
    word = cell not in ("", "0")  # what others write where nothing is known
    said = {f"group: {cell!r} is a group", f"column 'genre': {cell!r} is a class"}
    said |= {f"column 'mood:tags': {cell!r} is a tag"} if cell != "-" else set()
    assert {one.what.partition(";")[0] for one in table.warnings} == (said if word else set())
    assert all(one.rows == (2,) for one in table.warnings)


def test_a_class_called_none_is_learned_and_tested(tmp_path: Path) -> None:
    rows = [
        f"{split}{i}.wav,{split},{c}" for split in ("train", "val", "test") for i, c in enumerate(["None", "x"] * 2)
    ]
    corpus, genre = load(write_table(tmp_path / "mine", "path,split,genre", *rows))
    assert genre.classes == ("None", "x")
    assert genre().targets(corpus().tracks()) == [0, 1] * 6


def test_cells_and_tags_are_stripped_and_no_tag_is_empty(tmp_path: Path) -> None:
    rows = ("a.wav , train , x ,rock | pop", "b.wav,train,x,rock|", "c.wav,train,x,|rock||rock|", "d.wav,train,x, | ")
    table = _read(tmp_path, " path, split ,genre , mood : tags ", *rows)
    assert table.tracks["path"].tolist() == ["a.wav", "b.wav", "c.wav", "d.wav"]
    assert [label.column.name for label in table.labels] == ["genre", "mood"]
    assert table.labels[1].values == [["rock", "pop"], ["rock"], ["rock"], []]
    assert set(table.labels[0].values) == {"x"}


def test_names_are_compared_composed(tmp_path: Path) -> None:
    other = unicodedata.normalize("NFD", "Béla")
    assert other != "Béla"
    table = _read(tmp_path, "path,group,genre,mood:tags", "a.wav,Béla,Béla,Béla", f"b.wav,{other},{other},{other}|x")
    assert table.tracks["group"].nunique() == 1
    assert table.labels[0].classes == ("Béla",)
    assert table.labels[1].classes == ("Béla", "x")
    assert not table.warnings


@pytest.mark.parametrize("disk", ["NFC", "NFD"])
@pytest.mark.parametrize("said", ["NFC", "NFD"])
def test_a_path_is_found_in_the_form_that_the_disk_holds(disk: str, said: str, tmp_path: Path) -> None:
    folder, path = tmp_path / "mine", "Künstler/Ágætis byrjun.wav"
    write_clip(folder / unicodedata.normalize(disk, path))
    (folder / "tracks.csv").write_text(f"path,genre\n{unicodedata.normalize(said, path)},x\n", encoding="utf-8")
    table = read_table(folder / "tracks.csv")
    assert table.sound.total == 0.5
    corpus, _ = load(folder / "tracks.csv")
    assert corpus().tracks()["id"].tolist() == [path]
    assert corpus().lengths() == [2 * 4000 + 44]
    (sound,) = corpus().render(corpus().tracks(), tmp_path)
    assert len(sound["mix"]) == 8000


def test_labels_that_differ_in_case_or_blanks_alone_are_named(tmp_path: Path) -> None:
    rows = ["a.wav,g,Rock,calm", "b.wav,G,rock,Calm|x", "c.wav,g,rock,calm | x", 'd.wav,g,"rock ",x']
    table = _read(tmp_path, "path,group,genre,mood:tags", *rows)
    said = _said(table.warnings)
    assert said["column 'genre': 'Rock' and 'rock' differ only in case: they are 2 classes"] == (2,)
    assert said["column 'genre': 'rock' is also written with blanks around it: they are taken as one"] == (5,)
    assert said["column 'mood:tags': 'Calm' and 'calm' differ only in case: they are 2 tags"] == (3,)
    assert said["group: 'G' and 'g' differ only in case: they are 2 groups"] == (3,)
    assert len(said) == 4
    assert table.labels[0].classes == ("Rock", "rock")


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("2", "02"), ("hip hop", "hip  hop"), ("hip hop", "hip\N{NO-BREAK SPACE}hop"),
     ("hip-hop", "hip\N{HYPHEN}hop"), ("low", "low\N{ZERO WIDTH SPACE}"), ("x\N{SUPERSCRIPT TWO}", "x2")],
)  # fmt: skip
def test_names_that_look_alike_are_named(one: str, other: str, tmp_path: Path) -> None:
    table = _read(tmp_path, "path,genre", f"a.wav,{one}", f"b.wav,{one}", f"c.wav,{other}", "d.wav,else")
    both = " and ".join(map(repr, sorted([one, other])))
    assert _said(table.warnings) == {f"column 'genre': {both} look alike: they are 2 classes": (4,)}
    apart = _read(tmp_path / "apart", "path,genre", "a.wav,1", "b.wav,10", "c.wav,1e", "d.wav,hiphop", "e.wav,hip hop")
    assert not apart.warnings


def test_cells_that_hold_several_names_by_another_separator_are_named(tmp_path: Path) -> None:
    rows = [
        "a.wav,rock|pop,happy; sad",
        'b.wav,rock,"happy, calm"',
        "c.wav,pop,happy",
        "d.wav,pop,sad|calm",
        "e.wav,x,",
    ]
    said = _said(_read(tmp_path, "path,style,mood:tags", *rows).warnings)
    assert [said[what] for what in sorted(said)] == [(2, 3), (2,)]
    assert any("call the column 'style:tags'" in what for what in said)
    assert any("tags are parted by '|'" in what for what in said)
    meant = _read(tmp_path / "meant", "path,mood:tags", 'a.wav,"earth, wind|calm"', "b.wav,calm|x", "c.wav,x|y")
    assert not meant.warnings


def test_a_decimal_comma_is_said_once(tmp_path: Path) -> None:
    (error,) = _read(tmp_path, "path,bpm:number", 'a.wav,"100,5"', 'b.wav,"90,0"', "c.wav,80").errors
    assert (error.what, error.rows) == (
        "bpm:number: numbers are written with a decimal comma: 100.5, and not 100,5",
        (2, 3),
    )


def test_blanks_behind_every_comma_are_a_matter_of_style(tmp_path: Path) -> None:
    table = _read(tmp_path, "path, genre", 'a.wav, "rock, hard"', "b.wav, rock", "c.wav, rock")
    assert table.labels[0].values == ["rock, hard", "rock", "rock"]
    assert not table.warnings + table.errors


def test_own_columns_are_found_in_any_case_and_splits_by_other_names(tmp_path: Path) -> None:
    splits = ["Training", "VALID", "validation", "dev", "Test", "val"]
    rows = [f"{i}.wav,{split},g{i},0.1,0.2,x" for i, split in enumerate(splits)]
    table = _read(tmp_path, "Path,SPLIT,Group,Start,sEconds,genre", *rows)
    assert table.tracks["split"].tolist() == ["train", "val", "val", "val", "test", "val"]
    assert table.tracks["group"].tolist() == [f"g{i}" for i in range(6)]
    assert table.tracks[["start", "seconds"]].to_numpy().tolist() == [[0.1, 0.2]] * 6
    assert [label.column.name for label in table.labels] == ["genre"]
    twice = _read(tmp_path / "twice", "path,Path,genre", "a.wav,a.wav,x")
    assert _said(twice.errors) == {"columns 'path' and 'Path' both mean path": (1,)}


@pytest.mark.parametrize("header", ["", "Unnamed: 0"])
def test_an_index_that_pandas_wrote_is_skipped_with_a_word(header: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_clip(folder / "a.wav")
    (folder / "tracks.csv").write_text(f"{header},path,genre\n0,a.wav,x\n")
    table = read_table(folder / "tracks.csv")
    assert [label.column.header for label in table.labels] == ["genre"]
    (warning,) = table.warnings
    assert warning.what.startswith("column 1 has no name")
    assert not table.errors


def test_rows_wider_than_the_header_are_errors_with_their_line(tmp_path: Path) -> None:
    """Every line too wide: pandas would take the first cells for an index, and shift the others."""
    rows = ('"a.wav",rock,"loud\nand long"', "b.wav,pop,sweet,sour", "c.wav,pop,x", "d.wav,pop")
    table = _read(tmp_path, "path,genre,mood", *rows)
    (error,) = table.errors
    assert error.rows == (4,)
    assert "4 cells, and the header 3" in error.what
    assert table.tracks["path"].tolist() == ["a.wav", "c.wav", "d.wav"]
    assert [w.rows for w in table.warnings] == [(6,)]
    assert table.labels[1].values == ["loud\nand long", "x", None]
    wide = write_table(tmp_path / "wide", "path,genre", "a.wav,rock,hard", "b.wav,pop,sweet")
    with pytest.raises(UserError, match=r"tracks\.csv, lines 2, 3: the row has 3 cells"):
        load(wide)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("genre", "genre:tags"),
        ("Mood", "mood"),
        ("genre", "genre"),
        ("what the annotators of 1998 felt", "what the annotators of 1998 felt again"),
        ("mood!", "mood?:number"),
        ("жанр", "Жанр:tags"),
    ],
)
def test_two_columns_never_share_a_task(first: str, second: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "mine", f"path,{first},{second}", "a.wav,1,2")
    with pytest.raises(UserError) as error:
        load(path)
    assert f"columns {first!r} and {second!r} would both be the task mine-" in str(error.value)


def test_names_keep_the_letters_of_every_script(tmp_path: Path) -> None:
    headers = ["Künstler", "жанр", "настроение", "ジャンル", "राग", "ताल", "类型 (主)", "مقام"]
    decomposed = unicodedata.normalize("NFD", headers[0])
    path = write_table(tmp_path / "müzik", ",".join(["path", decomposed, *headers[1:]]), "a.wav" + ",x" * 8)
    corpus, *tasks = load(path)
    assert corpus.info.name == "müzik"
    names = [task.info.name for task in tasks]
    assert names == [f"müzik-{name}" for name in (*headers[:6], "类型_主", "مقام")]
    assert len({task.__name__ for task in tasks}) == len(tasks)
    assert all(registry.is_name(name) for name in names)


def test_what_can_be_a_name() -> None:
    names = ["a", "simclr_2-x", "жанр", "राग", "ジャンル", "x" * 64]
    assert [registry.is_name(name) for name in names] == [True] * 6
    others = [
        "",
        "x" * 65,
        "_a",
        "-a",
        "a b",
        "a/b",
        "a.b",
        "a,b",
        "a<b",
        "a\n",
        unicodedata.normalize("NFD", "é"),
        "𒀀" * 60,
    ]
    assert [registry.is_name(name) for name in others] == [False] * 12


INTERNAL = ["length", "offset", "id", "track", "active_mix", "index", "level_0", "label", "name", "value"]


def test_a_label_may_be_called_like_a_column_of_ours(tmp_path: Path) -> None:
    cells = [f"w{i}" for i in range(len(INTERNAL))]
    corpus, *tasks = load(write_table(tmp_path / "mine", ",".join(["path", *INTERNAL]), ",".join(["a.wav", *cells])))
    tracks = corpus().tracks()
    assert tracks["id"].tolist() == ["a.wav"]
    for task, name, cell in zip(tasks, INTERNAL, cells, strict=True):
        assert task.info.name == f"mine-{name}"
        assert task.classes == (cell,)
        # as the waveform store does
        stored = tracks.assign(offset=[0], length=[100], track=[3], active_mix=[True])
        assert task().targets(stored) == [0]


def test_excerpts_are_tracks_of_one_group(tmp_path: Path) -> None:
    rows = ["a.wav,,,x", "a.wav,0.1,,x", "a.wav,,0.2,x", "a.wav,0.25,0.25,x", "b.wav,0,0.5,y"]
    table = _read(tmp_path, "path,start,seconds,genre", *rows)
    assert not table.warnings + table.errors + table.sound.errors
    assert table.tracks["id"].is_unique
    assert table.tracks["group"].tolist() == ["a.wav"] * 4 + ["b.wav"]
    assert table.sound.seconds == pytest.approx([0.5, 0.4, 0.2, 0.25, 0.5])
    corpus, _ = load(table.path)
    heard = [len(sound["mix"]) for sound in corpus().render(corpus().tracks(), tmp_path)]
    assert heard == [8000, 6400, 3200, 4000, 8000]
    said = _read(tmp_path / "groups", "path,group,start,genre", "a.wav,g,,x", "a.wav,h,0.1,x", "a.wav,,0.2,x")
    assert said.tracks["group"].tolist() == ["g", "h", "a.wav"]


def test_where_excerpts_end_is_not_a_label(tmp_path: Path) -> None:
    rows = ["a.wav,0,0.2,x", "a.wav,0.2,0.4,y", "b.wav,0,0.2,x"]
    (error,) = _read(tmp_path, "path,start,end,genre", *rows).errors
    assert error.what.startswith("column 'end': an excerpt lasts as long as the column 'seconds' says")
    assert not _read(tmp_path / "meant", "path,start,end:number,genre", *rows).errors
    assert not _read(tmp_path / "whole", "path,start,seconds,length,genre", "a.wav,0,0.2,short,x").errors


def test_a_file_on_both_sides_under_two_groups_is_named(tmp_path: Path) -> None:
    rows = [
        "a.wav,train,take1,0,0.2,x",
        "a.wav,test,take2,0.1,0.2,x",
        "b.wav,train,b,0,0.2,y",
        "b.wav,train,c,0.2,0.2,y",
    ]
    (warning,) = _read(tmp_path, "path,split,group,start,seconds,genre", *rows).warnings
    assert warning.rows == (2, 3)
    assert warning.what.startswith("excerpts of 1 file are on both sides of the split")
    same = [row.replace("take2", "take1") for row in rows]
    (warning,) = _read(tmp_path / "same", "path,split,group,start,seconds,genre", *same).warnings
    assert warning.what.startswith("1 group on both sides")


def test_excerpts_that_cannot_be_are_errors_with_their_line(tmp_path: Path) -> None:
    rows = ["a.wav,-1,,x", "b.wav,inf,,x", "c.wav,0,-2,x", "d.wav,0,0,x", "e.wav,nan,1e999,x", "f.wav,soon,,x"]
    table = _read(tmp_path, "path,start,seconds,genre", *rows)
    assert sorted(row for error in table.errors for row in error.rows) == [2, 3, 4, 5, 6, 6, 7]
    assert table.tracks.empty
    beyond = ["a.wav,0.5,,x", "b.wav,7,,x", "c.wav,0.2,0.4,x", "d.wav,0.2,0.32,x"]
    path = write_table(tmp_path / "beyond", "path,start,seconds,genre", *beyond)
    said = _said(read_table(path).sound.errors)
    assert sorted(said.values()) == [(2,), (3,), (4,)]
    assert "start 7 lies beyond the end of b.wav, which lasts 0.5 s" in said
    corpus, _ = load(path)
    with pytest.raises(UserError, match=r"tracks\.csv, line 3: start 7 lies beyond"):
        corpus().inspect()


def test_a_path_is_written_as_seen_from_the_table(tmp_path: Path) -> None:
    rows = [f"{tmp_path}/mine/a.wav,x", "../b.wav,x", "c\\d.wav,y", "e.wav,y"]
    table = _read(tmp_path, "path,genre", *rows)
    assert [(error.rows, error.what.partition(":")[2]) for error in table.errors] == [
        ((2, 3), " write it as seen from there")
    ]
    (tmp_path / "mine" / "c\\d.wav").unlink()
    (gone,) = table.sound.warnings
    assert gone.what.endswith("separated by '/', not '\\'")


def test_what_a_spreadsheet_writes_first_is_no_header(tmp_path: Path) -> None:
    path = write_table(tmp_path / "mine", "path,genre", "a.wav,x")
    path.write_text(f"sep=,\n{path.read_text()}")
    assert read_table(path).labels[0].values == ["x"]


def test_a_track_is_listed_once(tmp_path: Path) -> None:
    rows = ["a.wav,0,x", "./a.wav,,y", "b.wav,0,x", "b.wav,0.1,x"]
    assert _said(_read(tmp_path, "path,start,genre", *rows).errors) == {"a.wav is listed 2 times": (2, 3)}


def test_a_number_is_a_finite_one(tmp_path: Path) -> None:
    cells = ["1", "", "nan", "inf", "1_000", "1e3", "2,5"]
    rows = [f'{i}.wav,"{cell}"' for i, cell in enumerate(cells)]
    table = _read(tmp_path, "path,bpm:number", *rows)
    assert table.labels[0].values == [1, None, None, None, None, 1000, None]
    assert [error.rows for error in table.errors] == [(4,), (5,), (6,), (8,)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a table"),
        (b"path,genre\n", "not a table"),
        ("path,genre\nM\xfcnchen.wav,x\n".encode("latin-1"), "not a table in UTF-8"),
        (b'path,genre\na.wav,"x\nb.wav,y\n', "the row that starts in line 2"),
        (b"file;genre\na.wav;x\n", "column 'path', and a row per file; there is 'file;genre'"),
        (b"path;bpm, measured;genre\na.wav;x;y\n", "cells seem to be separated by ';'"),
        (b"sep=;\npath;genre\na.wav;x\n", "cells seem to be separated by ';'"),
    ],
)
def test_what_is_no_table_cannot_be_read(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_table(tmp_path / "tracks.csv")
    assert says in str(error.value)
    with pytest.raises(UserError, match="No such file"):
        read_table(tmp_path / "other.csv")
