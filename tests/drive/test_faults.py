"""What goes wrong for a user: kills, full disks, broken parts and slips of the pen cost no more than they must."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT, TINY_GRID, command, in_itself
from helpers.forked import quick
from helpers.runs import KEYS, SMALL, scores_of, train_one


def test_kill_9_and_run_again_gives_the_same_scores(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "grid.yaml", tmp_path / "out"
    path.write_text(SMALL)
    args = in_itself(("run", "--grid", str(path), "--data-dir", str(data_dir), "--out", str(out), "--workers", "1"))
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for reached in ("pretrain/*/*/manifest.json", "probe/*/*/manifest.json"):
        driver = subprocess.Popen([sys.executable, "-m", "benchmark", *args], cwd=ROOT, **silent)
        while not list(out.glob(reached)):
            assert driver.poll() is None, "it was to be killed in the midst of its work"
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    assert command(*args).returncode == 0
    ours = scores_of(out).set_index(KEYS)["value"]
    undisturbed = scores_of(tiny_run).set_index(KEYS)["value"].loc[ours.index]
    pd.testing.assert_series_equal(ours, undisturbed, check_exact=True)
    assert not list((out / "tmp").iterdir())


def test_a_diverged_job_fails_by_name_and_the_others_go_on(data_dir: Path, tiny_run: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "nan_loss.py"
    plugin.write_text(
        "from benchmark.interfaces import Info\nfrom strategies.simclr import SimCLR\n"
        "class NaN(SimCLR):\n    info = Info('nan', 'NaN', 'test')\n    later = 1.0\n"
        "    def loss(self, embeddings):\n        return {'loss': super().loss(embeddings)['loss'] * self.later}\n"
        "    def after_step(self, step, total):\n        self.later = float('nan')\n"
    )
    grid = SMALL.replace("[simclr, random]", "[random, nan]").replace("[key, beat]", "[key]")
    out, done = train_one(tmp_path, grid, data_dir, "--plugin", str(plugin))
    assert done.returncode == 1
    assert "pretrain nan" in done.stderr
    assert "the loss is nan" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert set(scores_of(out)["strategy"]) == {"random"}
    page = (out / "leaderboard.html").read_text()
    assert "missing at 10%, 100%" in page[page.index("<bdi>nan") :]
    assert "pretrain nan" in page


def test_what_cannot_take_a_step_is_found_before_anything_is_trained(data_dir: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "shape.py"
    plugin.write_text(
        "from benchmark.interfaces import Info\nfrom strategies.simclr import SimCLR\n"
        "class Shape(SimCLR):\n    info = Info('shape', 'Shape', 'test')\n"
        "    def embed(self, views):\n        return {'a': self.encoder.body(views['a'][:, :, :1, None])}\n"
    )
    out, done = train_one(
        tmp_path, SMALL.replace("[simclr, random]", "[mfcc, shape]"), data_dir, "--plugin", str(plugin)
    )
    assert done.returncode == 1
    assert "failed: preflight shape on cnn_small" in done.stderr
    assert "cnn_small cannot take the views of shape" in done.stderr.replace("\n", " ")
    again = next(line for line in done.stderr.splitlines() if "run again" in line)
    assert again.endswith("--only 'preflight shape on cnn_small'")
    assert "Traceback (most" not in done.stdout
    assert set(scores_of(out)["strategy"]) == {"mfcc"}


def test_a_corrupted_artefact_is_found_and_rebuilt(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(tiny_run, out)
    path = tmp_path / "grid.yaml"
    path.write_text(TINY_GRID)
    truth = scores_of(out).set_index(KEYS)["value"]
    for victim in sorted((out / "probe").rglob("scores.parquet"))[:2]:
        os.truncate(victim, 100)
    (out / "scores.parquet").unlink()
    done = quick("run", "--grid", str(path), "--data-dir", str(data_dir), "--out", str(out))
    assert done.returncode == 0, done.stderr
    pd.testing.assert_series_equal(scores_of(out).set_index(KEYS)["value"], truth, check_exact=True)


def test_damaged_sound_is_named_where_the_record_tells_of_it(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    out, data, path = tmp_path / "copy", tmp_path / "data", tmp_path / "grid.yaml"
    shutil.copytree(tiny_run, out)
    for kind in ("catalog", "waveforms"):
        shutil.copytree(data_dir / kind, data / kind, copy_function=os.link)
    path.write_text(TINY_GRID)
    for victim in data.rglob("same_sounds.json"):
        victim.unlink()  # a link to what others read
        victim.write_bytes(b"!" * next(data_dir.rglob(str(victim.relative_to(data)))).stat().st_size)
    (out / "scores.parquet").unlink()
    args = ("run", "--grid", str(path), "--data-dir", str(data), "--out", str(out))
    done = quick(*args)
    assert done.returncode == 1
    assert "same_sounds.json has changed (checksum); run again to rebuild it" in done.stderr
    assert "Traceback" not in done.stderr
    assert quick(*args).returncode == 0


def test_a_results_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    done = quick("plan", "--grid", "smoke", "--out", str(tmp_path / "o\udce9"), "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "its name is not UTF-8" in done.stderr


@pytest.mark.long
def test_a_full_disk_while_rendering_loses_nothing(tiny_run: Path, data_dir: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=13m", "tmpfs", disk]).returncode:
        pytest.skip("needs root to mount a small file system")
    shutil.copytree(data_dir / "packed", disk / "packed")  # scores that have been read: the disk fills while rendering
    path = tmp_path / "grid.yaml"
    path.write_text(SMALL)
    try:
        args = ("run", "--grid", str(path), "--data-dir", str(disk), "--out", str(tmp_path / "out"))
        done = quick(*args)
        assert done.returncode == 1
        assert "No space left" in done.stderr.replace("\n", " ")
        assert "Traceback" not in done.stderr
        kept = len(list(disk.rglob("manifest.json")))
        assert kept
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        todo = quick(*args, "--dry-run").stdout
        assert "done        catalog" in todo
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("simclr", "simcl"), "did you mean 'simclr'"),
        (("tasks: [instrument", "tusks: [instrument"), "tusks"),
        (("crops: 640", "crops: many"), "pretrain.crops"),
        (("size: tiny", "size: tinny"), "did you mean 'tiny'"),
        (("corpus: rendered", "corpus: {rendered"), "not valid YAML"),
        (("[constant, random", "{constant: {tau: 1}} #"), "tau"),
        (("name: tiny", "name: tiny\nname: twice"), "'name' is there twice"),
    ],
)
def test_a_users_mistake_is_named(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(TINY_GRID.replace(*change))
    done = quick("run", "--grid", str(path), "--data-dir", str(tmp_path / "d"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "strategies.simclr.temprature=0.2"], "did you mean 'temperature'?"),
        (["--set", "pretrain.batchsize=2"], "did you mean 'batch_size'?"),
        (["--set", "pretrain.crops=[1, 2]"], "grid: several budgets"),
        (["--strategies", ""], "--strategies '': names nothing"),
        (["--tasks", ","], "--tasks ',': names nothing"),
        (["--seeds", ""], "--seeds '': names nothing"),
        (["--strategies", "byol,byol"], "'byol' is listed twice"),
        (["--strategies", "byol", "--set", "strategies.simclr.temperature=1"], "simclr is not among --strategies byol"),
        (["--fractions", "nan"], "--fractions nan: give finite numbers"),
        (["--seeds", 400 * "9"], "too large"),
        (["--budget", "1e308"], "--budget 1e+308: give a number up to 1,000,000"),
    ],
)
def test_an_option_that_says_nothing_is_named(args: list[str], message: str, tmp_path: Path) -> None:
    done = quick("plan", *args, "--data-dir", str(tmp_path / "d"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2, done.stdout
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_plugin_that_ends_python_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("import sys\nsys.exit()\n")
    done = quick("plan", "--plugin", str(tmp_path / "ends.py"), "--data-dir", str(tmp_path / "d"))
    assert done.returncode == 2
    assert "ends.py, line 2: SystemExit" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("device", "says"), [("cuda", "torch sees no GPU here"), ("cuda:7", "cpu or cuda")])
def test_a_gpu_that_is_not_there_is_named(device: str, says: str) -> None:
    done = quick("bench", "--device", device, env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 2
    assert f"--device {device}: {says}" in " ".join(done.stderr.split())


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_unknown_executor_is_named_before_anything_runs(verb: str, tmp_path: Path) -> None:
    done = quick(verb, "--executor", "slrum", "--data-dir", str(tmp_path / "d"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "'slrum' among the executors; known: inline, local" in " ".join(done.stderr.split())
    assert not (tmp_path / "o").exists()


def test_an_unwritable_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = quick("run", "--data-dir", str(tmp_path / "file" / "below"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "--data-dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_stems_that_nobody_makes_are_refused(tmp_path: Path) -> None:
    done = quick("data", "separate", "rendered_scores", "--stems", "kazoo", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "kazoo" in done.stderr
    assert "harmonic, percussive (hpss)" in done.stderr.replace("\n", " ")
