"""The command line on real input: what a user does, and what goes wrong for them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY_GRID, command
from helpers.forked import quick

KEYS = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "metric"]


def _scores(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "scores.parquet")


def _one(folder: Path, strategy: str, task: str, metric: str, fraction: float = 1.0) -> float:
    s = _scores(folder)
    at = (s.strategy == strategy) & (s.task == task) & (s.metric == metric) & (s.fraction == fraction)
    return float(s[at]["value"].mean())


def _train_one(
    tmp_path: Path, grid: str, data_dir: Path, *extra: str, run: Callable[..., Any] = quick
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    path = tmp_path / "grid.yaml"
    path.write_text(grid)
    out = tmp_path / "out"
    return out, run("run", "--grid", str(path), "--data-dir", str(data_dir), "--out", str(out), *extra)


def test_the_tiny_run_has_every_cell(tiny_run: Path) -> None:
    scores = _scores(tiny_run)
    cells = scores.groupby(["strategy", "task", "fraction"]).size()
    assert len(cells) == 5 * 4 * 2
    assert scores["value"].between(0, 1).all()
    assert not scores.duplicated(KEYS).any()
    assert (scores.groupby("fraction")["n_train"].mean().diff().dropna() > 0).all()
    assert (tiny_run / "leaderboard.html").stat().st_size < 2_000_000
    assert (tiny_run / "leaderboard.csv").is_file()
    predictions = pd.read_parquet(next((tiny_run / "probe").rglob("predictions.parquet")))
    assert predictions["id"].nunique() >= scores["n_test"].min()


def test_baselines_order_as_they_must(tiny_run: Path) -> None:
    assert _one(tiny_run, "mfcc", "instrument", "accuracy") > _one(tiny_run, "constant", "instrument", "accuracy") + 0.1
    assert _one(tiny_run, "mfcc", "beat", "f_measure") > 0.15
    assert _one(tiny_run, "constant", "beat", "f_measure") == 0.0


def test_a_second_run_has_nothing_to_do(tiny_run: Path, tiny_grid: Path, data_dir: Path) -> None:
    before = (tiny_run / "scores.parquet").stat().st_mtime_ns
    args = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(tiny_run))
    assert "0 of " in quick("run", *args, "--dry-run").stdout
    again = command("run", *args)
    assert again.returncode == 0
    assert again.stdout.strip().splitlines()[-1] == str(tiny_run / "leaderboard.html")
    assert (tiny_run / "scores.parquet").stat().st_mtime_ns == before


SMALL = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[simclr, random]").replace(
    "[instrument, key, metre, beat]", "[key, beat]"
)


def test_worker_count_does_not_change_a_bit(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    out, done = _train_one(tmp_path, SMALL, data_dir, "--workers", "1", run=command)
    assert done.returncode == 0, done.stderr
    ours = _scores(out).set_index(KEYS)["value"]
    both = _scores(tiny_run).set_index(KEYS)["value"].loc[ours.index]
    pd.testing.assert_series_equal(ours, both, check_exact=True)


def test_kill_9_and_run_again_gives_the_same_scores(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "grid.yaml", tmp_path / "out"
    path.write_text(SMALL)
    args = [
        sys.executable,
        "-m",
        "benchmark",
        "run",
        "--grid",
        str(path),
        "--data-dir",
        str(data_dir),
        "--out",
        str(out),
    ]
    for reached in ("pretrain/*/*/manifest.json", "probe/*/*/manifest.json"):
        driver = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not list(out.glob(reached)):
            assert driver.poll() is None, "it was to be killed in the midst of its work"
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    assert command(*args[3:]).returncode == 0
    ours = _scores(out).set_index(KEYS)["value"]
    undisturbed = _scores(tiny_run).set_index(KEYS)["value"].loc[ours.index]
    pd.testing.assert_series_equal(ours, undisturbed, check_exact=True)
    assert not list((out / "tmp").iterdir())


def test_shuffled_labels_score_at_chance(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    """With true labels mfcc is far above what it is with shuffled ones, and those are at the constant's level."""
    grid = (
        TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[constant, mfcc, random]")
        + "shuffle_labels: true\n"
    )
    out, done = _train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    chance = {"instrument": ("accuracy", 1 / 8), "key": ("weighted_score", 0.09), "metre": ("macro_f1", 0.25)}
    for task, (metric, level) in chance.items():  # noqa: B007 (read by the query)
        for strategy in ("mfcc", "random"):
            rows = _scores(out).query("strategy == @strategy and task == @task and metric == @metric")
            assert (rows["value"] < level + 4 * rows["test_stderr"].clip(lower=0.03)).all(), (task, strategy)
    assert _one(tiny_run, "mfcc", "key", "weighted_score") > _one(out, "mfcc", "key", "weighted_score") + 0.1
    # shuffled beats keep their rhythm, not their place: below the true ones
    assert _one(tiny_run, "mfcc", "beat", "f_measure") > _one(out, "mfcc", "beat", "f_measure") + 0.1


def test_a_diverged_job_fails_by_name_and_the_others_go_on(data_dir: Path, tiny_run: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "nan_loss.py"
    plugin.write_text(
        "from benchmark.interfaces import Info\nfrom strategies.simclr import SimCLR\n"
        "class NaN(SimCLR):\n    info = Info('nan', 'NaN', 'test')\n    later = 1.0\n"
        "    def loss(self, embeddings):\n        return {'loss': super().loss(embeddings)['loss'] * self.later}\n"
        "    def after_step(self, step, total):\n        self.later = float('nan')\n"
    )
    grid = SMALL.replace("[simclr, random]", "[random, nan]")
    out, done = _train_one(tmp_path, grid, data_dir, "--plugin", str(plugin), run=command)
    assert done.returncode == 1
    assert "pretrain nan" in done.stderr
    assert "the loss is nan" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert set(_scores(out)["strategy"]) == {"random"}
    page = (out / "leaderboard.html").read_text()
    assert "missing" in page
    assert "pretrain nan" in page


def test_what_cannot_take_a_step_is_found_before_anything_is_trained(data_dir: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "shape.py"
    plugin.write_text(
        "from benchmark.interfaces import Info\nfrom strategies.simclr import SimCLR\n"
        "class Shape(SimCLR):\n    info = Info('shape', 'Shape', 'test')\n"
        "    def embed(self, views):\n        return {'a': self.encoder.body(views['a'][:, :, :1, None])}\n"
    )
    out, done = _train_one(
        tmp_path, SMALL.replace("[simclr, random]", "[random, shape]"), data_dir, "--plugin", str(plugin)
    )
    assert done.returncode == 1
    assert "failed: preflight shape on cnn_small" in done.stderr
    assert "cnn_small cannot take the views of shape" in done.stderr.replace("\n", " ")
    again = next(line for line in done.stderr.splitlines() if "run again" in line)
    assert again.endswith("--only 'preflight shape on cnn_small'")
    assert "Traceback (most" not in done.stdout
    assert set(_scores(out)["strategy"]) == {"random"}


def test_a_corrupted_artefact_is_found_and_rebuilt(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(tiny_run, out)
    path = tmp_path / "grid.yaml"
    path.write_text(TINY_GRID)
    truth = _scores(out).set_index(KEYS)["value"]
    for victim in sorted((out / "probe").rglob("scores.parquet"))[:2]:
        os.truncate(victim, 100)
    (out / "scores.parquet").unlink()
    done = quick("run", "--grid", str(path), "--data-dir", str(data_dir), "--out", str(out))
    assert done.returncode == 0, done.stderr
    pd.testing.assert_series_equal(_scores(out).set_index(KEYS)["value"], truth, check_exact=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("simclr", "simcl"), "did you mean 'simclr'"),
        (("tasks: [instrument", "tusks: [instrument"), "tusks"),
        (("crops: 640", "crops: many"), "pretrain.crops"),
        (("size: tiny", "size: tinny"), "did you mean 'tiny'"),
        (("corpus: rendered", "corpus: {rendered"), "not valid YAML"),
        (("[constant, random", "{constant: {tau: 1}} #"), "tau"),
    ],
)
def test_a_users_mistake_is_named(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(TINY_GRID.replace(*change))
    done = quick("run", "--grid", str(path), "--data-dir", str(tmp_path / "d"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_unknown_executor_is_named_before_anything_runs(verb: str, tmp_path: Path) -> None:
    done = quick(verb, "--executor", "slrum", "--data-dir", str(tmp_path / "d"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "'slrum' among the executors; known: local" in " ".join(done.stderr.split())
    assert not (tmp_path / "o").exists()


def test_an_unwritable_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = quick("run", "--data-dir", str(tmp_path / "file" / "below"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "--data-dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_while_rendering_loses_nothing(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk]).returncode:
        pytest.skip("needs root to mount a small file system")
    shutil.copytree(data_dir / "packed", disk / "packed")  # scores that have been read: the disk fills while rendering
    path = tmp_path / "grid.yaml"
    path.write_text(SMALL)
    try:
        args = ("run", "--grid", str(path), "--data-dir", str(disk), "--out", str(tmp_path / "out"))
        done = command(*args)
        assert done.returncode == 1
        assert "No space left" in done.stderr.replace("\n", " ")
        assert "Traceback" not in done.stderr
        kept = len(list(disk.rglob("manifest.json")))
        assert kept
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        todo = command(*args, "--dry-run").stdout
        assert "done        catalog" in todo
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_an_installed_plugin_appears_and_runs(data_dir: Path, tiny_run: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            str(site),
            str(shutil.copytree(ROOT / "tests/plugin", tmp_path / "plugin")),
        ],
        check=True,
        capture_output=True,
    )
    env = {"PYTHONPATH": str(site)}
    assert "alignment" in command("list", "strategies", env=env).stdout
    assert "alignment" not in command("list", "strategies").stdout
    path = tmp_path / "grid.yaml"
    path.write_text(SMALL)
    done = command(
        "run",
        "--grid",
        str(path),
        "--strategies",
        "alignment,random",
        "--tasks",
        "key",
        "--data-dir",
        str(data_dir),
        "--out",
        str(tmp_path / "out"),
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert set(_scores(tmp_path / "out")["strategy"]) == {"alignment", "random"}


def test_a_run_is_mirrored_to_mlflow_and_a_second_one_adds_nothing(data_dir: Path, tmp_path: Path) -> None:
    grid = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[constant]")
    (tmp_path / "grid.yaml").write_text(grid.replace("[instrument, key, metre, beat]", "[instrument, key]"))
    out = tmp_path / "out"
    for _ in range(2):
        done = command(
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


def test_stems_are_kept_where_a_strategy_listens_to_them(data_dir: Path, tmp_path: Path) -> None:
    """A variant of multi_source hears one stem; the store holds it beside the mixture, and says where it sounds."""
    grid = TINY_GRID.replace(
        "[constant, random, mfcc, simclr, byol]", "{drums_only: {strategy: multi_source, sources: [drums]}}"
    ).replace("[instrument, key, metre, beat]", "[instrument]")
    out, done = _train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    assert set(_scores(out)["strategy"]) == {"drums_only"}
    with_drums = [path.parent for path in data_dir.glob("waveforms/**/drums.npy")]
    assert len(with_drums) == 1
    tracks = pd.read_parquet(with_drums[0] / "tracks.parquet")
    assert 0.3 < tracks["active_drums"].mean() < 0.6
    drums, mix = (np.load(with_drums[0] / f"{stem}.npy", mmap_mode="r") for stem in ("drums", "mix"))
    row = tracks[~tracks["active_drums"]].iloc[0]
    assert not drums[row["offset"] : row["offset"] + row["length"]].any()
    assert mix[row["offset"] : row["offset"] + row["length"]].any()


def test_one_job_on_two_devices(data_dir: Path, tmp_path: Path) -> None:
    grid = SMALL.replace("[simclr, random]", "[simclr]").replace("batch_size: 32", "batch_size: 32, devices: 2")
    out, done = _train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    assert set(_scores(out)["strategy"]) == {"simclr"}
    assert len(list(out.rglob("encoder.safetensors"))) == 1
    assert not list(out.rglob("info.json"))


def test_a_training_is_looked_at_on_its_way_and_held_against_shuffled_labels(data_dir: Path, tmp_path: Path) -> None:
    """Scores of an encoder that has heard half of the crops stand beside the final ones, and in no mean."""
    grid = SMALL.replace("[key, beat]", "[key]") + "snapshots: {at: [0.5]}\ncontrol: [simclr]\n"
    out, done = _train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    scores = _scores(out)
    trained = scores[scores["strategy"] == "simclr"]
    heard = trained.groupby("share")["crops"].unique().map(list).to_dict()
    assert heard == {0.5: [heard[1.0][0] / 2], 1.0: heard[1.0]}
    assert set(scores.loc[scores["strategy"] == "random", "share"]) == {1.0}
    half, end = (trained[trained["share"] == share]["value"].to_numpy() for share in (0.5, 1.0))
    assert len(half) == len(end)
    assert (half != end).any()
    page = pd.read_csv(out / "leaderboard.csv")
    means = page[(page["strategy"] == "simclr") & (page["fraction"] == 1)].set_index("metric")["mean"]
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
    assert run["environment"]["packages"]["torch"].startswith("2.11")
    assert yaml.safe_load(run["grid_file"])["control"] == ["simclr"]


FEW = """
from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.interfaces import Info

class FewScores(RenderedScores):
    info = Info("few_scores", "A few rendered scores", "test")
    sizes = {"tiny": 30}
"""


def test_a_corpus_is_separated_once_for_who_listens_to_it(data_dir: Path, tmp_path: Path) -> None:
    """The second command finds the stems of the first; harmonic and percussive parts add up to the mixture."""
    (tmp_path / "few.py").write_text(FEW)
    few = ("--plugin", str(tmp_path / "few.py"))
    separate = ("data", "separate", "few_scores", "--size", "tiny", "--stems", "harmonic,percussive", *few)
    done = command(*separate, "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stderr
    assert "percussive     sounds in" in done.stdout
    folder = Path(done.stdout.splitlines()[-1])
    mix, *parts = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("mix", "harmonic", "percussive"))
    np.testing.assert_array_equal(parts[0] + parts[1], mix)
    grid = TINY_GRID.replace(
        "[constant, random, mfcc, simclr, byol]", "{multi_source: {sources: [harmonic, percussive]}}"
    ).replace("[instrument, key, metre, beat]", "[instrument]")
    _, done = _train_one(
        tmp_path, grid.replace("corpus: rendered_scores", "corpus: few_scores"), data_dir, *few, "--dry-run"
    )
    assert "done        join few_scores tiny with stems" in done.stdout
    again = quick(*separate, "--data-dir", str(data_dir))
    assert "finished" not in again.stderr
    assert str(folder) in again.stdout


def test_stems_that_nobody_makes_are_refused(tmp_path: Path) -> None:
    done = quick("data", "separate", "rendered_scores", "--stems", "kazoo", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "kazoo" in done.stderr
    assert "harmonic, percussive (hpss)" in done.stderr.replace("\n", " ")


@pytest.mark.long
def test_finetuning_trains_on_from_the_checkpoint(data_dir: Path, tmp_path: Path) -> None:
    grid = SMALL.replace("{0.1: 2, 1.0: 1}", "{1.0: 1}").replace("[key, beat]", "[instrument, beat]")
    out, done = _train_one(tmp_path, grid, data_dir, "--protocol", "finetune")
    assert done.returncode == 0, done.stderr
    scores = _scores(out)
    assert set(scores["probe"]) == {"finetune_linear"}
    assert set(scores["strategy"]) == {"simclr", "random"}
    assert _one(out, "simclr", "instrument", "accuracy") > 0.2
    assert _one(out, "simclr", "beat", "f_measure") > 0.3
