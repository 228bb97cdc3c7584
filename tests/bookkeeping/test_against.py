"""Rows of another run stand beside those of this one, the same to the last digit, and only where they may."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import TINY_GRID
from helpers.budgeted import LEVEL_OF, planted, world
from helpers.forked import quick
from helpers.runs import scores_of

from benchmark.bookkeeping.against import Against
from benchmark.bookkeeping.tables import NAMES
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.plan import plan

KEYS = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "metric"]


def test_its_rows_stand_beside_ours_and_are_compared(
    tiny_run: Path, tiny_grid: Path, data_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    where = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(out))
    args = ("run", *where, "--strategies", "random_unsettled,constant", "--tasks", "instrument,key")
    done = quick(*args, "--against", str(tiny_run))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in done.stderr.splitlines() if "simclr" in line and "finished" in line]
    found, theirs = scores_of(out), scores_of(tiny_run)
    assert set(found["strategy"]) == {"random_unsettled", "random", "constant", "mfcc", "simclr", "byol"}
    assert set(found["task"]) == {"instrument", "key"}
    assert not found.duplicated(KEYS).any()
    both = found.merge(theirs, on=KEYS, suffixes=("", "_theirs"))
    taken = both[~both["strategy"].isin(["constant", "random_unsettled"])]
    assert len(taken) == (theirs["task"].isin(["instrument", "key"]) & (theirs["strategy"] != "constant")).sum()
    np.testing.assert_array_equal(taken["value"], taken["value_theirs"])
    pairs = pd.read_csv(out / "pairs.csv")
    both_ends = set(pairs["first_strategy"]) | set(pairs["second_strategy"])
    assert {"simclr", "random_unsettled"} <= both_ends, "on the same bootstrap draws"
    record, page = json.loads((out / "run.json").read_text()), (out / "leaderboard.html").read_text()
    assert {name for name, note in record["strategies"].items() if note.get("origin")} == set(taken["strategy"])
    assert {job["strategy"] for job in record["pretraining"]} == {"simclr", "byol"}
    assert page.count("of tiny") >= len(set(taken["strategy"]))
    assert "computed by another run, tiny" in done.stdout + done.stderr
    again = quick(*args)
    assert again.returncode == 0, again.stderr
    assert set(scores_of(out)["strategy"]) == {"random_unsettled", "constant"}, "only where it is asked for"


@pytest.fixture
def asked(tiny_run: Path, data_dir: Path) -> Callable[..., None]:
    """Check the tiny run against a grid, and perhaps another record of it."""

    def check(grid: dict[str, Any], **told: Any) -> None:
        against = Against.read(tiny_run)
        wanted = Grid.model_validate({**yaml.safe_load(TINY_GRID), **grid})
        Against(tiny_run, {**against.record, **told}).check(wanted, plan(wanted))

    return check


def test_what_would_be_made_otherwise_is_refused(asked: Callable[..., None], tiny_run: Path) -> None:
    record = json.loads((tiny_run / "run.json").read_text())
    asked({})
    asked({"strategies": ["vicreg"], "tasks": ["key"], "seeds": [0, 1], "fractions": {0.1: 1}})
    one, old = next(iter(record["corpora"])), record["corpora"]
    asked({}, components={"strategies": {"somebodys_own": 7}})  # what is not here cannot be compared
    asked({}, corpora={**old, one: {**old[one], "numpy": "0.1"}})  # rounds otherwise, at most
    for grid, told, why in (
        ({}, {"engine": {**record["engine"], "probe": 1}}, "of its jobs, probe is of version 1, here it is"),
        (
            {},
            {"components": {"encoders": {"mfcc_chroma": 1}}},
            "of its encoders, mfcc_chroma is of version 1",
        ),
        ({}, {"engine": {}}, "of version unknown"),
        ({"pretrain": {"crops": 1280}}, {}, "its rows heard 640 crops; ask for as many"),
        ({"corpus": "rendered_chorales"}, {}, "its rows heard rendered_scores/tiny, not rendered_chorales/tiny"),
        ({"tasks": ["tempo"]}, {}, "it has none of the tasks tempo"),
        ({"size": "small"}, {}, "its rows heard rendered_scores/tiny, not rendered_scores/small"),
        ({}, {"corpora": {"else, 3 tracks": {}}}, "it was not scored on rendered_scores, .*, but on else, 3 tracks"),
        ({}, {"corpora": {**old, one: {**old[one], "music21": "9.1"}}}, r"was made with music21 9\.1 \(here "),
    ):
        with pytest.raises(UserError, match=why):
            asked(grid, **told)


def test_no_results_folder_ends_with_2(tmp_path: Path, tiny_run: Path, tiny_grid: Path, data_dir: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name in (*NAMES, "run.json"):
        shutil.copy(tiny_run / name, damaged)
    (damaged / NAMES[0]).write_bytes(b"PAR1")
    for folder, why in ((tmp_path / "nowhere", "no results folder"), (damaged, "has changed since it was written")):
        where = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(tmp_path / "out"))
        done = quick("run", *where, "--against", str(folder))
        assert done.returncode == 2
        assert why in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


def test_what_was_read_on_the_way_is_no_training_of_that_length(tmp_path: Path) -> None:
    """Snapshots at half of another run's only budget are not what a grid with that budget asks for."""
    scores = world({0.5: planted()[0.5], 1.0: planted()[1.0]}).drop(columns=["draws", "groups"])
    for name in NAMES:
        scores.to_parquet(tmp_path / name)
    asked: dict[str, Any] = {"corpus": "rendered_scores", "size": "tiny", "strategies": ["simclr"], "seeds": [0]}
    asked |= {"encoders": ["cnn_small"], "name": "b", "tasks": list(LEVEL_OF)}
    asked |= {"fractions": {0.1: 1}, "probes": ["linear"]}
    grid = Grid.model_validate({**asked, "pretrain": {"crops": [250_000, 500_000], "schedule": "wsd"}})
    for lengths, shares in [({"500000": 1.0}, {500_000}), ({"250000": 0.5, "500000": 1.0}, {250_000, 500_000})]:
        other = Against(tmp_path, {"pretraining": [{"strategy": "s00", "lengths": lengths}]})
        assert set(other.tables(grid, set())[NAMES[0]]["crops"].dropna()) == shares


def test_what_another_run_planned_of_a_budget_comes_along(tmp_path: Path) -> None:
    """There one seed of three heard 500,000 crops: here, where that is the only budget, nothing of it is missing."""
    theirs = {"budget_seeds": {"250000": 3, "500000": 1}, "strategies": {"simclr": {"seeds": 3}}}
    ours = {
        "strategies": {"byol": {"seeds": 3}},
        "fractions": [1.0],
        "resamples": [1],
        "pretraining": [],
        "warnings": [],
    }
    told = Run.model_validate(Against(tmp_path, theirs).told(ours, {"simclr"}))
    assert [told.planned_runs(row, 1.0, 499_968) for row in ("simclr", "byol")] == [1, 3]
