"""`tune` from the command line: the planted settings win, what fails is out, and nothing is trained twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from helpers.forked import quick

#: SimCLR whose encoder is wiped out in some settings, and whose loss is no number in another
PLANTED = """
import torch
from benchmark.interfaces import Info
from strategies.simclr import SimCLR, SimCLRConfig

class PlantedConfig(SimCLRConfig):
    what: str = "wipe"

class Planted(SimCLR):
    info = Info("planted", "SimCLR, or what is left of it", "test")
    Config = PlantedConfig

    def loss(self, embeddings):
        found = super().loss(embeddings)
        return {"loss": found["loss"] * torch.nan} if self.config.what == "fail" else found

    def after_step(self, step, total):
        if self.config.what == "wipe":
            for parameter in self.encoder.parameters():
                parameter.data.zero_()
"""
GRID = """
name: planted
corpus: rendered_scores
size: tiny
strategies: {planted: {}}
encoders: [cnn_small]
tasks: [key]
fractions: {1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 640, batch_size: 32, precision: 32-true}
search:
  rungs: {640: 5, 960: 2}
  spaces: {planted: {what: [wipe, keep, fail, learn], temperature: [0.1, 0.2]}}
"""


@pytest.mark.long
def test_the_planted_settings_win(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    (tmp_path / "grid.yaml").write_text(GRID)
    out = tmp_path / "out"
    args = ("tune", "--grid", str(tmp_path / "grid.yaml"), "--plugin", str(tmp_path / "planted.py"))
    store = tmp_path / "store"
    args += ("--data-dir", str(data_dir), "--store", str(store), "--out", str(out))
    done = quick(*args)
    trials = pd.read_csv(out / "trials.csv", keep_default_na=False, na_values={"key": [""], "mean": [""]})
    first, then = trials[trials.crops == 640], trials[trials.crops == 960]
    what = {row.setting: json.loads(row.options)["what"] for row in first.itertuples()}
    assert what[0] == "wipe", "the first is the row as it stands"
    assert set(what.values()) == {"wipe", "keep", "fail", "learn"}
    assert {what[n] for n in first[first.goes_on].setting} <= {"keep", "learn"}
    assert set(then.setting) == set(first[first.goes_on].setting)
    assert len(then) == 2
    assert then.chosen.sum() == 1
    assert then.loc[then.chosen, "mean"].item() == then["mean"].max()
    failed = first[first.error != ""]
    assert {what[n] for n in failed.setting} == {"fail"}
    assert done.returncode == 1, "a job has failed"
    assert "planted-1 on cnn_small: ValueError: the loss of the first step is nan" in done.stderr
    assert "| **" in (out / "README.md").read_text()
    table = (out / "trials.csv").read_text()
    trained = {path: path.stat().st_mtime_ns for path in (store / "pretrain").rglob("*.safetensors")}
    assert len({path.parent for path in trained}) >= 5, "four settings on few crops, or more, and two on all"
    used = json.loads((out / "artefacts.json").read_text())["keys"]
    assert {path.parent.name for path in trained} <= set(used), "gc leaves what was dropped on the way"
    again = quick(*args)
    assert again.returncode == 1
    assert {path: path.stat().st_mtime_ns for path in (store / "pretrain").rglob("*.safetensors")} == trained
    assert (out / "trials.csv").read_text() == table


def test_what_cannot_be_searched_is_said_before_anything_runs(tmp_path: Path) -> None:
    done = quick("tune", "--strategies", "mfcc", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "--strategies mfcc: tune has no search.spaces for it" in done.stderr
    none = quick("tune", "--grid", "smoke", "--out", str(tmp_path / "out"))
    assert none.returncode == 2
    assert "nothing says what to try of" in none.stderr
    wrong = quick(
        "tune",
        "--set",
        "search.spaces.simclr={pretrain.batch_size: [x, 8, 16, 32, 64, 128]}",
        "--out",
        str(tmp_path / "out"),
    )
    assert wrong.returncode == 2
    assert "batch_size" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert not (tmp_path / "out").exists()
