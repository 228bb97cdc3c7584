"""`data describe tracks.csv`: what was understood, before anything runs; `plan` and `run` print its warnings."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
from clips import split_rows, write_clip, write_table
from helpers.forked import quick

from benchmark.corpora.tables.table import read_table

GRID = """
name: mine
corpus: {corpus}
size: all
strategies: {strategies}
encoders: [cnn_small]
tasks: [{tasks}]
fractions: {{1.0: 1}}
probes: [linear]
seeds: [0]
pretrain: {{crops: 64, batch_size: 4, precision: 32-true}}
"""


def described(what: Path | str, *args: str) -> tuple[int, dict[str, Any]]:
    done = quick("data", "describe", str(what), "--json", *args)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def planned(table: Path, tasks: str, strategies: str = "[constant]", command: str = "plan") -> Any:
    grid = table.parent.parent / "grid.yaml"
    grid.write_text(GRID.format(corpus=table.parent.name, tasks=tasks, strategies=strategies), encoding="utf-8")
    where = ["--data-dir", str(grid.parent / "data"), "--out", str(grid.parent / "out")]
    done = quick(command, "--grid", str(grid), "--plugin", str(table), *where)
    assert "Traceback" not in done.stderr
    return done


def test_a_table_is_told_for_scripts(tmp_path: Path) -> None:
    rows = split_rows(["None,calm|sad,1", "jazz,-,2.5"])
    table = write_table(tmp_path / "mine", "path,split,genre,mood:tags,bpm:number", *rows)
    code, told = described(table)
    assert code == 0
    half = {"train": 3, "val": 2, "test": 2}
    (warning,) = told.pop("warnings")
    assert warning["what"].startswith("column 'genre': 'None' is a class")
    assert told == {
        "tracks": 14,
        "splits": {"train": 6, "val": 4, "test": 4},
        "groups": 14,
        "seconds": 7.0,
        "labels": {
            "genre": {"task": "mine-genre", "kind": "class", "classes": {"None": half, "jazz": half}},
            "mood:tags": {"task": "mine-mood", "kind": "tags", "classes": {"calm": half, "sad": half}},
            "bpm:number": {"task": "mine-bpm", "kind": "number", "classes": {}},
        },
        "errors": [],
    }
    assert described(table.parent) == (0, {**told, "warnings": [warning]}), "its folder means it, too"


def test_a_folder_that_is_called_like_a_corpus_of_ours_is_told(tmp_path: Path) -> None:
    code, told = described(write_table(tmp_path / "gtzan", "path,split,genre", *split_rows(["rock", "pop"])))
    assert code == 1
    assert ["rename the folder" in one["what"] for one in told["errors"]] == [True]


def test_a_table_is_told_for_people(tmp_path: Path) -> None:
    rows = [f"{row},g{i % 2}" for i, row in enumerate(split_rows(["Rock", "rock", "pop"]))]
    table = write_table(tmp_path / "mine", "path,split,genre,group", *rows)
    done = quick("data", "describe", str(table))
    assert done.returncode == 0, done.stderr
    assert "14 tracks (train 6, val 4, test 4) of 2 groups, 0 min 7 s" in done.stdout
    assert "column 'genre' is the task mine-genre, of kind class, 3 classes" in done.stdout
    assert "  pop   train    2  val    1  test    1" in done.stdout.splitlines()
    assert "warning, line" in done.stdout
    assert "'Rock' and 'rock' differ only in case" in done.stdout


def test_every_fault_is_told_with_its_lines(tmp_path: Path) -> None:
    """One that a run would fail on, or several: 1; a table that cannot be read: 2."""
    rows = [*split_rows(["x,100", "y,120"]), "a.wav,train,x,fast", "b.wav,fold 3,x,90", "c.wav,train,x,1,2"]
    table = write_table(tmp_path / "mine", "path,split,genre,bpm:number", *rows)
    code, told = described(table)
    assert code == 1
    assert told["tracks"] == 15, "those that were understood"
    assert {tuple(error["rows"]): error["what"] for error in told["errors"]} == {
        (16,): "bpm:number 'fast' is not a number",
        (17,): "split 'fold 3' is none of train, val, test",
        (18,): "the row has 5 cells, and the header 4: quote a cell that holds a comma",
    }
    done = planned(table, "mine-genre")
    assert done.returncode == 2
    assert all(f"line {line}: " in done.stderr for line in (16, 17, 18))
    (tmp_path / "mine" / "tracks.csv").write_bytes(b"path,genre\n\xff.wav,x\n")
    code, told = described(table)
    assert code == 2
    assert "not a table in UTF-8" in told["stderr"]
    assert described(tmp_path / "nowhere.csv")[0] == 2
    assert described("nowhere")[0] == 2
    assert described(tmp_path)[0] == 2, "a folder without a table"


def test_files_that_cannot_be_heard_are_told_by_their_headers(tmp_path: Path) -> None:
    rows = split_rows(["x", "y"], {"train": 60, "val": 4, "test": 4})
    table = write_table(tmp_path / "mine", "path,split,genre", *rows, seconds=0.1)
    (tmp_path / "mine/train3.wav").unlink()
    code, told = described(table)
    assert code == 0, "a run goes on without one of 68"
    assert told["warnings"] == [{"what": "1 of 68 files are not there: train3.wav", "rows": [5]}]
    assert told["seconds"] == pytest.approx(6.7)
    (tmp_path / "mine/train4.wav").write_bytes(b"not music")
    code, told = described(table)
    assert code == 1
    assert told["warnings"][1] == {"what": "1 of 68 files cannot be read: train4.wav", "rows": [6]}
    assert told["errors"][0]["what"].startswith("2 of 68 tracks have no audio that can be read")


def test_a_path_that_is_the_folder_itself_is_no_sound(tmp_path: Path) -> None:
    table = write_table(tmp_path / "mine", "path,split,genre", *split_rows(["x", "y"]))
    with table.open("a") as file:
        file.write(".,train,x\n")
    code, told = described(table)
    assert code == 1, "one of 15 is too many"
    assert told["warnings"] == [{"what": "1 of 15 files are not there: .", "rows": [16]}]


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "a\0b.wav"])
def test_a_path_that_no_file_can_have_is_an_error_by_line(tmp_path: Path, name: str) -> None:
    table = write_table(tmp_path / "mine", "path,split,genre", *split_rows(["x", "y"]))
    with table.open("a") as file:
        file.write(f"{name},train,x\n")
    code, told = described(table)
    assert code == 1
    (error,) = told["errors"]
    assert error["rows"] == [16]
    assert "is no name that a disk could hold" in error["what"]


def test_files_that_this_user_may_not_read_are_not_called_broken() -> None:
    root = os.geteuid() == 0  # root may read anything, and others nothing below a TMPDIR of root's own
    with tempfile.TemporaryDirectory(dir="/tmp" if root else None) as open_to_all:
        table = write_table(Path(open_to_all) / "mine", "path,split,genre", *split_rows(["x", "y"]))
        for folder in (table.parent, table.parent.parent):
            folder.chmod(0o755)
        assert not read_table(table).sound.warnings
        table.with_name("train3.wav").chmod(0)
        if root:
            os.seteuid(65534)
        try:
            (warning,) = read_table(table).sound.warnings
        finally:
            if root:
                os.seteuid(0)
    assert (warning.what, warning.rows) == ("1 of 14 files may not be read by this user: train3.wav", (5,))


def test_a_plan_prints_the_warnings(tmp_path: Path) -> None:
    table = write_table(tmp_path / "mine", "Path,SPLIT,genre,mood", *split_rows(["Rock,calm", "rock,sad"]))
    done = planned(table, "mine-genre,mine-mood")
    assert done.returncode == 0, done.stdout + done.stderr
    warned = [line for line in done.stderr.splitlines() if line.startswith("warning: mine")]
    assert warned == [
        "warning: mine, lines 3, 5, 7, 9, 11, 13, 15: column 'genre': 'Rock' and 'rock' differ only in case: "
        "they are 2 classes"
    ]


def test_labels_called_like_columns_of_ours_run_to_the_page(tmp_path: Path) -> None:
    """And names in other scripts, excerpts, blanks, labels that say None, an index that pandas wrote."""
    folder = tmp_path / "музыка"
    header = ",Path,split,start,seconds,length,offset,track:tags,настроение,राग:number"
    rows = []
    for split, count in (("train", 8), ("valid", 4), ("test", 6)):
        for i in range(count):
            write_clip(folder / f"{split} {i}.wav", 1.0)
            c = ("None", "b")[i % 2]
            rows.append(f"{i},{split} {i}.wav,{split},{0.1 if i else ''},,{c},{c},{c} |x,NA{c} ,{i}")
    (folder / "tracks.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    names = ("length", "offset", "track", "настроение", "राग")
    tasks = ",".join(f"музыка-{name}" for name in names)
    done = planned(folder / "tracks.csv", tasks, "[constant]", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: музыка, line 1: column 1 has no name: it is skipped" in done.stderr
    scores = pd.read_parquet(tmp_path / "out/scores.parquet").set_index(["task", "metric"])
    assert {task for task, _ in scores.index} == set(tasks.split(","))
    assert set(scores["n_test"]) == {6}
    assert [scores["value"][f"музыка-{name}", "accuracy"] for name in ("length", "offset", "настроение")] == [0.5] * 3
    page = (tmp_path / "out/leaderboard.html").read_text(encoding="utf-8").replace("<wbr>", "")
    assert all(f"музыка-{name}" in page for name in names)
    assert "музыка-राग" in (tmp_path / "out/leaderboard.csv").read_text(encoding="utf-8")
    exported = quick("report", str(tmp_path / "out"), "--export")
    assert exported.returncode == 0, exported.stderr


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (split_rows(["x", "y"], {"train": 8, "test": 4}), "no validation track has a label"),
        (split_rows(["x", "y"], {"train": 8, "val": 1, "test": 4}), "only one validation track has a label"),
        (split_rows(["x", "y"], {"train": 8, "val": 4}), "no test track has a label"),
        ([*split_rows(["x", "y"], {"train": 8, "val": 4}), "t.wav,test,"], "no test track has a label"),
        (split_rows(["x", "y"], {"val": 4, "test": 4}), "no training track has a label"),
    ],
)
def test_a_label_that_a_split_lacks_is_found_while_planning(rows: list[str], says: str, tmp_path: Path) -> None:
    table = write_table(tmp_path / "mine", "path,split,genre,other", *[f"{row},{i % 2}" for i, row in enumerate(rows)])
    done = planned(table, "mine-genre")
    assert done.returncode == 2, done.stdout
    assert f"column 'genre': {says}" in done.stderr
    code, told = described(table)
    assert code == 1
    assert f"column 'genre': {says}" in " ".join(error["what"] for error in told["errors"])


def test_a_label_that_lacks_nothing_runs_beside_one_that_does(tmp_path: Path) -> None:
    rows = [f"{row},{'x' if row.startswith('train') else ''}" for row in split_rows(["x", "y"])]
    table = write_table(tmp_path / "mine", "path,split,genre,rare", *rows)
    assert planned(table, "mine-genre").returncode == 0
    assert planned(table, "mine-rare").returncode == 2


def test_three_artists_are_too_few_to_draw_splits_from(tmp_path: Path) -> None:
    rows = [f"{i}.wav,artist {i % 3},{'xy'[i % 2]}" for i in range(12)]
    table = write_table(tmp_path / "mine", "path,group,genre", *rows)
    says = "there is no column 'split', and 3 groups are too few to draw train, val and test from"
    done = planned(table, "mine-genre")
    assert done.returncode == 2
    assert says in done.stderr
    code, told = described(table)
    assert code == 1
    assert [says in error["what"] for error in told["errors"]] == [True]


def test_clips_shorter_than_the_crops_are_found_while_planning(tmp_path: Path) -> None:
    """simclr hears crops of 3 s."""
    rows = split_rows(["x", "y"])
    table = write_table(tmp_path / "mine", "path,split,genre", *rows, seconds=1.0)
    done = planned(table, "mine-genre", "[constant, simclr]")
    assert done.returncode == 2
    assert "strategies.simclr: 1 x 3.0 s do not fit into the tracks of mine, which last 1.0 s at most" in done.stderr
    for i in range(2):
        write_clip(tmp_path / f"mine/train{i}.wav", 3.0)
    assert planned(table, "mine-genre", "[constant, simclr]").returncode == 0


@pytest.mark.parametrize(("size", "near"), [("smal", True), ("enormous", False)])
def test_a_misspelled_size_answers_with_the_sizes(size: str, near: bool) -> None:
    for args in (
        ["plan", "--grid", "smoke", "--set", f"size={size}"],
        ["data", "prepare", "rendered_scores", "--size", size],
    ):
        done = quick(*args)
        assert done.returncode == 2
        assert f"unknown name {size!r} among the sizes of rendered_scores" in done.stderr
        assert all(known in done.stderr for known in ("tiny", "small", "standard"))
        assert ("did you mean 'small'?" in done.stderr) is near
        assert "benchmark list" not in done.stderr, "there is no such list"


SPLITS = {"train": 6, "val": 4, "test": 4}


@pytest.mark.parametrize(
    ("header", "labels", "says"),
    [
        ("genre", ["x"], "1 of 1 classes are both in train and in test"),
        ("x:number", ["5"], "all numbers in train and in test are the same"),
        ("mood:tags", ["-"], "0 of 0 classes are both in train and in test"),
    ],
)
def test_a_label_that_teaches_nothing_is_refused_before_a_run_scores_it(
    header: str, labels: list[str], says: str, tmp_path: Path
) -> None:
    """A constant predictor would be perfect, and so would all others."""
    table = write_table(tmp_path / "mine", f"path,split,{header}", *split_rows(labels, SPLITS))
    code, told = described(table)
    assert (code, [says in one["what"] for one in told["errors"]]) == (1, [True])
    done = planned(table, f"mine-{header.partition(':')[0]}")
    assert done.returncode == 2
    assert says in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("header", ["year", "year:class"])
def test_years_as_classes_are_taken_for_what_they_may_be(header: str, tmp_path: Path) -> None:
    rows = [f"{row}{i}" for i, row in enumerate(split_rows(["19"], SPLITS))]
    code, told = described(write_table(tmp_path / "mine", f"path,split,{header}", *rows))
    assert code == 1
    assert "0 of 14 classes are both in train and in test" in told["errors"][0]["what"]
    assert "call the column 'year:number'" in told["errors"][0]["what"]


def test_classes_that_nobody_can_have_learned_are_told(tmp_path: Path) -> None:
    rows = [*split_rows(["x", "y"], SPLITS), "new.wav,test,z"]
    code, told = described(write_table(tmp_path / "mine", "path,split,genre", *rows))
    assert code == 0
    assert [one["what"] for one in told["warnings"]] == [
        "column 'genre': in test, but not in train, where nobody learns them: 'z'"
    ]


def test_a_file_without_a_sample_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    """Nobody has written a `start` that could lie beyond its end."""
    table = write_table(tmp_path / "mine", "path,split,genre", *split_rows(["x", "y"], SPLITS))
    first = pd.read_csv(table)["path"][0]
    soundfile.write(table.parent / first, [], 16_000)
    code, told = described(table, "--headers")
    assert code == 1
    assert [one["what"] for one in told["warnings"]] == [f"1 of 14 files hold no sound: {first}"]
    assert [one["what"] for one in told["errors"]] == [
        "1 of 14 tracks have no audio that can be read, more than a run takes without --allow-missing"
    ]
    assert planned(table, "mine-genre").returncode == 2


@pytest.mark.parametrize(("sign", "named"), [(";", "';'"), ("\t", "'\\t'")])
def test_a_table_with_other_signs_than_commas_is_told_so(sign: str, named: str, tmp_path: Path) -> None:
    table = write_table(tmp_path / "mine", "path,split,genre", *split_rows(["x", "y"], SPLITS))
    table.write_text(table.read_text().replace(",", sign))
    _, told = described(table)
    assert f"cells seem to be separated by {named}: save the table with commas" in told["stderr"]


def test_a_folder_called_like_a_corpus_of_ours_is_to_be_renamed(tmp_path: Path) -> None:
    table = write_table(tmp_path / "gtzan", "path,split,genre", *split_rows(["x", "y"], SPLITS))
    done = planned(table, "gtzan-genre")
    assert done.returncode == 2
    assert "its corpus is called like its folder, 'gtzan'" in done.stderr.replace("\n", " ")


def test_a_plugin_that_a_grid_does_not_ask_for_is_told(tmp_path: Path) -> None:
    table = write_table(tmp_path / "mine", "path,split,genre", *split_rows(["x", "y"], SPLITS))
    done = planned(table, "mine-genre")
    assert "--plugin brings" not in done.stderr
    done = quick("plan", "--grid", "smoke", "--plugin", str(table), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 0
    assert "--plugin brings tasks that this grid does not have: --tasks mine-genre asks for it" in done.stderr
