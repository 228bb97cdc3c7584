"""Corrupted test audio: scored by probes that never heard it, beside the clean scores, which stay what they are."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TINY_GRID
from helpers.forked import quick

from benchmark.interfaces import Info, UserError
from benchmark.probing import evaluate as evaluation
from benchmark.probing.evaluate import Condition, Heard, Trial, evaluate
from benchmark.probing.features import Features
from benchmark.probing.probe import ProbeResult
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.plan import plan
from tasks.kinds.classification import Classification


class Sign(Classification):
    """Is the first number positive?"""

    info = Info("sign", "Sign", "planted")
    level = "timbre"
    corpus = "planted"
    labels = ("sign",)
    classes = ("minus", "plus")


def test_probes_read_corrupted_tracks_and_learn_from_clean_ones() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    split = np.resize(["train", "val", "test", "train", "transfer"], 300)
    tracks = pd.DataFrame(
        {
            "id": [f"t{i}" for i in range(300)],
            "group": np.arange(300),
            "split": split,
            "sign": np.where(x[:, 0] > 0, "plus", "minus"),
        }
    )
    trial = Trial.of(Sign(), tracks, {1.0: 1}, shuffle_labels=False)
    rows = np.flatnonzero(~np.isin(split, ["train", "val"]))
    held_out, backwards = x[rows], rows[::-1]
    some = np.array([i for i in backwards if split[i] == "test"][:40])
    conditions = {
        Condition("none", 1): Heard(Features.of(held_out), rows),
        Condition("flipped", 1): Heard(Features.of(-x[backwards]), backwards),
        Condition("noise", 4): Heard(Features.of(rng.normal(size=held_out.shape).astype(np.float32)), rows),
        Condition("some", 1): Heard(Features.of(x[some]), some),
    }
    scores, predictions = evaluate(trial, Features.of(x), 1.0, ["linear"], 0, "cpu", conditions)
    alone, _ = evaluate(trial, Features.of(x), 1.0, ["linear"], 0, "cpu")
    accuracy = scores[scores["metric"] == "accuracy"].set_index("corruption")["value"]
    assert accuracy[""] == accuracy["none"] == alone.query("metric == 'accuracy'")["value"].item() > 0.9
    assert accuracy["flipped"] == pytest.approx(1 - accuracy[""])
    assert 0.3 < accuracy["noise"] < 0.7
    counts = scores.query("metric == 'accuracy'").set_index("corruption")["n_test"]
    assert (counts["some"], counts[""]) == (40, (split == "test").sum())
    assert accuracy["some"] > 0.9
    assert len(predictions) == len(trial.test), "predictions are of clean audio"


def test_no_more_than_two_results_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs of all draws of a task of frames are gigabytes: each is scored and let go of."""
    made: list[weakref.ref[ProbeResult]] = []
    held: list[int] = []
    each = evaluation.run_probe

    def watched(*args: Any) -> Iterator[ProbeResult]:
        for result in each(*args):
            made.append(weakref.ref(result))
            held.append(sum(ref() is not None for ref in made))
            yield result

    monkeypatch.setattr(evaluation, "run_probe", watched)
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    tracks = pd.DataFrame({"id": [f"t{i}" for i in range(200)], "group": np.arange(200)})
    tracks = tracks.assign(split=np.resize(["train", "val", "test"], 200), sign=np.where(x[:, 0] > 0, "plus", "minus"))
    trial = Trial.of(Sign(), tracks, {0.1: 6, 1.0: 1}, shuffle_labels=False)
    evaluate(trial, Features.of(x), 1.0, ["linear"], 0, "cpu")
    assert len(held) == 7
    assert max(held) <= 2


def test_only_tasks_whose_labels_still_hold_are_scored() -> None:
    grid = Grid.model_validate(
        {
            "name": "g",
            "corpus": "rendered_scores",
            "size": "tiny",
            "strategies": ["mfcc"],
            "encoders": ["cnn_small"],
            "tasks": ["instrument", "key", "tempo", "beat"],
            "fractions": {1.0: 1},
            "probes": ["linear"],
            "seeds": [0],
            "pretrain": {"crops": 640},
            "corruptions": {"noise": [1, 4], "time_stretch": [2], "pitch_shift": [3]},
        }
    )
    probes = {job.spec["task"]: job.spec.get("conditions") for job in plan(grid).values() if job.kind == "probe"}
    assert probes == {
        "instrument": [["noise", 1], ["noise", 4], ["pitch_shift", 3], ["time_stretch", 2]],
        "key": [["noise", 1], ["noise", 4], ["time_stretch", 2]],
        "tempo": [["noise", 1], ["noise", 4], ["pitch_shift", 3]],
        "beat": [["noise", 1], ["noise", 4], ["pitch_shift", 3]],
    }
    with pytest.raises(UserError, match="did you mean 'noise'"):
        plan(grid.model_copy(update={"corruptions": {"nois": [1]}}))
    with pytest.raises(UserError, match="5 is no severity"):
        plan(grid.model_copy(update={"corruptions": {"noise": [5]}}))


def test_a_run_scores_them_beside_the_clean_ones(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    text = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[mfcc]").replace(
        "[instrument, key, metre, beat]", "[key, beat]"
    )
    text = text.replace("{0.1: 2, 1.0: 1}", "{1.0: 1}")
    (tmp_path / "grid.yaml").write_text(text + "corruptions: {noise: [4], quantize: [4], reverse: [4]}\n")
    args = ("--grid", str(tmp_path / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(tmp_path / "out"))
    done = quick("run", *args)
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    by = scores.set_index(["task", "metric", "corruption", "severity"])["value"]
    clean = pd.read_parquet(tiny_run / "scores.parquet").query("strategy == 'mfcc' and fraction == 1.0")
    for task, metric in (("key", "weighted_score"), ("beat", "f_measure")):
        before = clean.query("task == @task and metric == @metric")["value"].item()
        assert by[task, metric, "", 0] == before
        # chroma is a hardy witness of the key, onsets drown
        assert by[task, metric, "noise", 4] < before - {"key": 0.0, "beat": 0.05}[task]
        assert (task, metric, "quantize", 4) in by.index
    assert ("key", "weighted_score", "reverse", 4) in by.index
    assert ("beat", "f_measure", "reverse", 4) not in by.index, "a reversed clip has its beats elsewhere"
    table = pd.read_csv(tmp_path / "out" / "leaderboard.csv").query("main and fraction == 1.0 and strategy == 'mfcc'")
    assert table.set_index("task")["mean"]["key"] == pytest.approx(by["key", "weighted_score", "", 0])
