"""`data describe` counts what is there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.forked import quick

from benchmark.cli.describe.corpus import effective_groups, told_of_corpus
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
