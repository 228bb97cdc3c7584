"""`data describe` counts what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from helpers.forked import quick
from typer.testing import CliRunner

from benchmark.cli.describe.corpus import effective_groups, told_of_corpus
from benchmark.cli.describe.table import lines_of
from benchmark.cli.main import app
from benchmark.corpora.rendered.notes import PITCHES, ROUNDS, RenderedNotes


def test_effective_groups() -> None:
    assert effective_groups(np.array([5, 5, 5, 5])) == 4
    assert effective_groups(np.array([9, 1])) == pytest.approx(100 / 82)
    assert effective_groups(np.array([], int)) == 0


def test_notes_are_described() -> None:
    found = told_of_corpus(RenderedNotes, "tiny")
    rounds = ROUNDS["tiny"]
    assert found["tracks"] == len(PITCHES) * sum(rounds.values())
    assert found["splits"] == {split: len(PITCHES) * n for split, n in rounds.items()}
    assert found["seconds"] == 3 * found["tracks"]
    pitch = found["labels"]["pitch"]
    assert (pitch["task"], pitch["kind"]) == ("pitch", "multiclass")
    assert pitch["classes"]["60"] == rounds
    assert pitch["splits"] == found["splits"]
    for split, groups in found["split_groups"].items():
        assert found["effective_groups"][split] <= groups <= found["splits"][split]
    assert found["groups"] == sum(found["split_groups"].values())
    assert found["errors"] == []
    json.dumps(found)


def test_the_command_prints_a_table_or_json() -> None:
    done = quick("data", "describe", "rendered_notes", "--size", "tiny")
    assert done.returncode == 0, done.stderr
    assert "pitch" in done.stdout
    assert "effective groups" in done.stdout
    assert json.loads(quick("data", "describe", "rendered_notes", "--size", "tiny", "--json").stdout)["tracks"] == 610


@pytest.mark.parametrize("arguments", [["rendered_note"], ["rendered_notes", "--size", "huge"]])
def test_a_name_that_is_none_is_an_error_of_the_user(arguments: list[str]) -> None:
    done = quick("data", "describe", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "rendered_notes" in done.stderr


TOLD = {
    "tracks": 1,
    "splits": {"train": 1, "val": 0, "test": 0},
    "groups": 1,
    "seconds": 1.0,
    "labels": {"genre": {"task": "x-genre", "kind": "class", "classes": {"a": {"train": 1}}}},
    "warnings": [],
    "errors": [],
}


def test_one_of_a_kind_is_singular() -> None:
    said = "\n".join(lines_of(Path("x.csv"), TOLD))
    assert "x.csv: 1 track (train 1, val 0, test 0) of 1 group, 0 min 1 s" in said
    assert "of kind class, 1 class\n" in said


def test_nobodys_text_steers_the_terminal(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 48_000), 16_000)
    (tmp_path / "mine.csv").write_text("path,genre\na.wav,a\x1bc\x9b31mb\n\x1bc.wav,c\n")
    for more in ([], ["--json"]):
        done = quick("data", "describe", str(tmp_path / "mine.csv"), *more)
        assert not {"\x1b", "\x9b"} & set(done.stdout + done.stderr)
        assert more or "  a\ufffdc\ufffd31mb  train    1" in done.stdout


def test_nobodys_text_in_a_corpus_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told_of_corpus(RenderedNotes, "tiny")
    found["labels"]["pitch"]["class_groups"] = {"\x1bc": {"test": 1}}
    monkeypatch.setattr("benchmark.cli.describe.corpus.told_of_corpus", lambda *_: found)
    said = CliRunner().invoke(app, ["data", "describe", "rendered_notes"]).output
    assert "\ufffdc" in said
    assert "\x1b" not in said
