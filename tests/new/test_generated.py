"""Packages begun with `new` do what they promise: their tests pass, grids take them, and the page has their rows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from helpers.forked import quick
from helpers.packages import begun
from helpers.runs import one

from benchmark.new.package import KINDS

#: all four at once; a corpus of tones is rendered in no time
GRID = """
name: mine
corpus: my_corpus
size: tiny
strategies: [constant, mfcc]
encoders: [my_encoder]
tasks: [my_corpus_shape]
fractions: {1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 320, batch_size: 32}
"""


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One package of each kind, and `site`, where they are installed."""
    folder = tmp_path_factory.mktemp("four")
    for kind in KINDS:
        begun(kind, f"my_{kind}", folder / f"my_{kind}", folder / "site")
    return folder


@pytest.fixture(scope="module")
def env(four: Path) -> dict[str, str]:
    """Where Python looks, as after installing them editable; what was there before, behind."""
    found = [*(four / f"my_{kind}/src" for kind in KINDS), four / "site", ROOT]
    return {"PYTHONPATH": os.pathsep.join([*map(str, found), os.environ.get("PYTHONPATH", "")])}


def test_their_own_tests_pass(four: Path, env: dict[str, str]) -> None:
    tests = [str(four / f"my_{kind}") for kind in KINDS]
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(pytest_, cwd=four, env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_takes_them_as_their_readmes_say(kind: str, four: Path, env: dict[str, str], data_dir: Path) -> None:
    name = f"my_{kind}"
    _, _, given = KINDS[kind].command(name).partition(" run ")
    assert f"    python -m benchmark run {given}" in (four / name / "README.md").read_text()
    options = [option.strip("'") for option in given.replace("', ", "',").replace(", ", ",").split(" ")]
    done = quick("plan", *options, "--data-dir", str(data_dir), "--all", env=env)
    assert done.returncode == 0, done.stderr
    assert any(name in line for line in done.stdout.splitlines() if line.startswith("to do"))
    listed = quick("list", KINDS[kind].entries[0][0], env=env).stdout
    assert f"{name.replace('_', ' ').capitalize()}: " in next(
        row for row in listed.splitlines() if row.startswith(name)
    )


def test_their_rows_stand_on_the_page_beside_ours(tmp_path: Path, env: dict[str, str], data_dir: Path) -> None:
    """The shapes of waves are known: MFCCs read them, the constant predictor does not."""
    (tmp_path / "grid.yaml").write_text(GRID)
    out = tmp_path / "out"
    where = ("--grid", str(tmp_path / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(out))
    done = quick("run", *where, "--strategies", "constant,mfcc,random,my_strategy", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    board = pd.read_csv(out / "leaderboard.csv")
    assert {"my_strategy", "random", "mfcc", "constant"} <= set(board["strategy"])
    assert "my_strategy" in (out / "leaderboard.html").read_text()
    scores = pd.read_parquet(out / "scores.parquet")
    mine = scores[scores["strategy"] == "my_strategy"]
    assert set(mine["encoder"]) == {"my_encoder"}
    assert set(mine["pretrain_corpus"]) == {"my_corpus/tiny"}
    assert one(out, "mfcc", "my_corpus_shape", "accuracy") > 0.9
    assert one(out, "constant", "my_corpus_shape", "accuracy") < 0.5
    assert 0.25 < one(out, "my_strategy", "my_corpus_shape", "accuracy") <= 1


def test_mistakes_end_with_2_and_say_what_to_do(tmp_path: Path) -> None:
    said = {
        ("new", "strategy", "simclr", "--to", str(tmp_path / "one")): "strategies 'simclr' is taken, by mir-pretext",
        ("new", "strategy", "my_idea", "--to", str(tmp_path)): "is not an empty folder",
        ("new", "strateegy", "my_idea"): "'strateegy' is not one of 'strategy', 'task', 'encoder', 'corpus'",
        ("plan", "--grid", "smoke", "--strategies", "simclr,my_idea"): "unknown name 'my_idea' among the strategies",
    }
    (tmp_path / "file").write_text("")
    for args, what in said.items():
        done = quick(*args, env={"COLUMNS": "200"})
        assert done.returncode == 2
        assert what in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
