"""The command line on real input: what a run finds, and what a second one has left to do."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY_GRID, command
from helpers.forked import quick
from helpers.runs import KEYS, SMALL, one, scores_of, train_one

from benchmark.scheduler.executors.machine import processor


def test_the_tiny_run_has_every_cell(tiny_run: Path) -> None:
    scores = scores_of(tiny_run)
    cells = scores.groupby(["strategy", "task", "fraction"]).size()
    assert len(cells) == 5 * 4 * 2
    assert scores["value"].between(0, 1).all()
    assert not scores.duplicated(KEYS).any()
    assert (scores.groupby("fraction")["n_train"].mean().diff().dropna() > 0).all()
    assert (tiny_run / "leaderboard.html").stat().st_size < 2_000_000
    assert (tiny_run / "leaderboard.csv").is_file()
    trained = json.loads((tiny_run / "run.json").read_text())["pretraining"]
    assert {job["machine"] for job in trained} == {processor()}
    predictions = pd.read_parquet(next((tiny_run / "probe").rglob("predictions.parquet")))
    assert predictions["id"].nunique() >= scores["n_test"].min()


@pytest.mark.long
def test_one_forward_of_a_checkpoint_serves_clips_and_frames(data_dir: Path, tiny_grid: Path, tmp_path: Path) -> None:
    """Both tables stand, made by one job, so long as somebody may want them, or they are to be kept."""
    args = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(tmp_path), "--no-mlflow")
    only = ("--only", "probe mfcc * on instrument", "--only", "embed * by mfcc *")

    def embedded() -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in (tmp_path / "embed").rglob("manifest.json")]

    assert command("run", *args, *only).returncode == 0
    found = embedded()
    assert Counter(one["spec"]["reads"] for one in found) == {"clips": 1, "frames": 1}
    assert sum(one["info"]["job_seconds"] > 0 for one in found) == 1
    narrowed = ("--strategies", "mfcc", "--only", "*mfcc*")
    assert command("run", *args, *narrowed, "--keep-embeddings").returncode == 0
    assert embedded() == found
    assert command("run", *args, *narrowed).returncode == 0
    assert not embedded(), "all that reads them is done"


def test_another_results_folder_shares_what_was_made(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    """A part of the grid, into a folder of its own: nothing is trained, embedded or probed again."""
    (tmp_path / "part.yaml").write_text(SMALL.replace("name: tiny", "name: part"))
    args = ("--grid", str(tmp_path / "part.yaml"), "--data-dir", str(data_dir), "--store", str(tiny_run))
    done = quick("run", *args, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "finished" not in done.stdout + done.stderr
    found, whole = (scores_of(folder).drop(columns="key") for folder in (tmp_path / "out", tiny_run))
    expected = whole.merge(found[["strategy", "task"]].drop_duplicates())
    pd.testing.assert_frame_equal(
        found.sort_values(KEYS, ignore_index=True), expected.sort_values(KEYS, ignore_index=True)
    )
    assert (tmp_path / "out" / "leaderboard.html").is_file()
    kinds = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert kinds <= {"tmp", "logs"}, "it holds no artefacts"
    verified = quick("store", "verify", str(tmp_path / "out"))
    assert (verified.returncode, "artefacts are what their manifests say" in verified.stdout) == (0, True)


def test_nothing_in_passing_is_left_behind(tiny_run: Path, data_dir: Path) -> None:
    assert not list((tiny_run / "embed").rglob("manifest.json"))
    assert not list((data_dir / "shard").rglob("manifest.json"))


def test_baselines_order_as_they_must(tiny_run: Path) -> None:
    assert one(tiny_run, "mfcc", "instrument", "accuracy") > one(tiny_run, "constant", "instrument", "accuracy") + 0.05
    assert one(tiny_run, "mfcc", "beat", "f_measure") > 0.15
    assert one(tiny_run, "constant", "beat", "f_measure") == 0.0


def test_a_second_run_has_nothing_to_do(tiny_run: Path, tiny_grid: Path, data_dir: Path) -> None:
    before = (tiny_run / "scores.parquet").stat().st_mtime_ns
    args = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(tiny_run))
    assert "0 of " in quick("run", *args, "--dry-run").stdout
    again = command("run", *args)
    assert again.returncode == 0
    assert again.stdout.strip().splitlines()[-1] == str(tiny_run / "leaderboard.html")
    assert (tiny_run / "scores.parquet").stat().st_mtime_ns == before


def test_a_run_that_scores_nothing_does_not_show_an_earlier_ones_page(
    tiny_run: Path, tiny_grid: Path, data_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(tiny_run, out, ignore=shutil.ignore_patterns("logs"))
    before = {path.name: path.read_bytes() for path in out.glob("*.*") if path.name != "artefacts.json"}
    args = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(out), "--no-mlflow")
    done = quick("run", *args, "--fractions", "0.5", "--only", "pretrain simclr *")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert f"nothing of this run is scored; what {out} shows is an earlier run's" in done.stderr
    assert {path.name: path.read_bytes() for path in out.glob("*.*") if path.name in before} == before


def test_worker_count_does_not_change_a_bit(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    """Two workers of their own made the tiny run; here one process, the driver, does all."""
    out, done = train_one(tmp_path, SMALL, data_dir)
    assert done.returncode == 0, done.stderr
    ours = scores_of(out).set_index(KEYS)["value"]
    both = scores_of(tiny_run).set_index(KEYS)["value"].loc[ours.index]
    pd.testing.assert_series_equal(ours, both, check_exact=True)


def test_shuffled_labels_score_at_chance(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    """With true labels mfcc is far above what it is with shuffled ones, and those are at the constant's level."""
    grid = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[mfcc, random]") + "shuffle_labels: true\n"
    out, done = train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    chance = {"instrument": ("accuracy", 1 / 8), "key": ("weighted_score", 0.09), "metre": ("macro_f1", 0.25)}
    for task, (metric, level) in chance.items():  # noqa: B007 (read by the query)
        for strategy in ("mfcc", "random"):
            rows = scores_of(out).query("strategy == @strategy and task == @task and metric == @metric")
            assert len(rows) == 3
            assert (rows["value"] < level + 4 * rows["test_stderr"].clip(lower=0.03)).all(), (task, strategy)
    assert one(tiny_run, "mfcc", "key", "weighted_score") > one(out, "mfcc", "key", "weighted_score") + 0.1
    # shuffled beats keep their rhythm, not their place: below the true ones
    assert one(tiny_run, "mfcc", "beat", "f_measure") > one(out, "mfcc", "beat", "f_measure") + 0.1


@pytest.mark.long
def test_a_run_is_mirrored_to_mlflow_and_a_second_one_adds_nothing(data_dir: Path, tmp_path: Path) -> None:
    grid = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[constant]")
    (tmp_path / "grid.yaml").write_text(grid.replace("[instrument, key, metre, beat]", "[instrument, key]"))
    out = tmp_path / "out"
    for _ in range(2):
        done = quick(
            *("run", "--grid", str(tmp_path / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(out)),
            env={"MIR_PRETEXT_NO_MLFLOW": "0"},
        )
        assert done.returncode == 0, done.stderr
        with contextlib.closing(sqlite3.connect(out / "mlflow.db")) as mirror:
            keys = {key for (key,) in mirror.execute("select value from tags where key = 'job_key'")}
            children = mirror.execute("select count(*) from tags where key = 'mlflow.parentRunId'").fetchone()[0]
        assert keys == {path.name for kind in ("pretrain", "probe") for path in (out / kind).glob("*/*")}
        assert children == len(keys) == 3
    assert not (ROOT / "mlruns").exists()


@pytest.mark.long
def test_a_training_is_looked_at_on_its_way_and_held_against_shuffled_labels(data_dir: Path, tmp_path: Path) -> None:
    """Scores of an encoder that has heard half of the crops stand beside the final ones, and in no mean."""
    grid = SMALL.replace("[key, beat]", "[key]") + "snapshots: {at: [0.5]}\ncontrol: [simclr]\n"
    out, done = train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    scores = scores_of(out)
    trained = scores[scores["strategy"] == "simclr"]
    heard = trained.groupby("share")["crops"].unique().map(list).to_dict()
    assert heard == {0.5: [heard[1.0][0] / 2], 1.0: heard[1.0]}
    assert set(scores.loc[scores["strategy"] == "random", "share"]) == {1.0}
    half, end = (trained[trained["share"] == share]["value"].to_numpy() for share in (0.5, 1.0))
    assert len(half) == len(end)
    assert (half != end).any()
    page = pd.read_csv(out / "leaderboard.csv")
    means = page[(page["strategy"] == "simclr") & (page["fraction"] == 1) & page["task"].notna()]
    means = means.set_index("metric")["mean"]
    final = trained[(trained["share"] == 1) & (trained["fraction"] == 1)].groupby("metric")["value"].mean()
    pd.testing.assert_series_equal(means.sort_index(), final.sort_index(), check_names=False)
    run = json.loads((out / "run.json").read_text())
    control = run["control"][0]
    assert (control["task"], control["strategy"], control["metric"]) == ("key", "simclr", "weighted_score")
    assert control["value"] - 5 * control["stderr"] < control["chance"] < 0.25
    shuffles = pd.read_parquet(next(out.glob("control/*/*/scores.parquet"))).query("metric == 'weighted_score'")
    assert len(shuffles) == control["shuffles"] == 10
    assert shuffles["value"].nunique() > 1, "every shuffle is another"
    assert control["value"] == pytest.approx(shuffles["value"].mean())
    assert run["environment"]["packages"]["torch"] == version("torch")
    assert yaml.safe_load(run["grid_file"])["control"] == ["simclr"]


@pytest.mark.long
def test_snapshots_asked_for_later_are_those_of_the_training_that_stands(data_dir: Path, tmp_path: Path) -> None:
    """It is not run again; one up to the largest share leaves all, bit for bit as if asked for at the start."""
    plain = SMALL.replace("[key, beat]", "[key]").replace("[simclr, random]", "[simclr]")
    watched = plain + "snapshots: {at: [0.25, 0.5]}\n"
    for name, grid, only in (
        ("later", plain, "pretrain *"),
        ("later", watched, "snapshot *"),
        ("start", watched, "snapshot *"),
    ):
        (tmp_path / name).mkdir(exist_ok=True)
        trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("pretrain/*/*/*")}
        assert train_one(tmp_path / name, grid, data_dir, "--only", only)[1].returncode == 0
        assert all(path.stat().st_mtime_ns == when for path, when in trained.items())
    assert len(list(tmp_path.rglob("pretrain/*/*/manifest.json"))) == 2
    told: dict[str, dict[float, Any]] = {}
    for name in ("later", "start"):
        manifests = [json.loads(path.read_text()) for path in (tmp_path / name).rglob("snapshot/*/*/manifest.json")]
        told[name] = {said["spec"]["share"]: said for said in manifests}
        assert set(told[name]) == {0.25, 0.5}
    for share, first in told["start"].items():
        later = told["later"][share]
        assert (later["key"], later["files"]) == (first["key"], first["files"]), "by their checksums"
        assert later["info"]["crops"] == first["info"]["crops"] == share * 640
    assert [told["later"][share]["info"]["job_seconds"] > 0 for share in (0.25, 0.5)] == [False, True]
    assert [told["start"][share]["info"]["job_seconds"] > 0 for share in (0.25, 0.5)] == [False, False]
