"""Workers and drivers are killed, and drivers meet: the same scores, and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest
from conftest import ROOT, command, in_itself
from helpers.processes import wait_for

from benchmark.store.artefacts import MANIFEST
from benchmark.store.job import PASSING_KINDS

GRID = """
name: small
corpus: rendered_scores
size: tiny
strategies: [random, mfcc, simclr, byol, supervised]
encoders: [cnn_small]
tasks: [instrument, key]
fractions: {1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 1280, batch_size: 32}
"""
KEYS = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "metric"]


class Run:
    """A grid in folders of its own; mirrored to MLflow or not."""

    def __init__(self, folder: Path, data: Path | None = None, mirrored: bool = False) -> None:
        folder.mkdir()
        self.mirror = {"MIR_PRETEXT_NO_MLFLOW": "" if mirrored else "1"}
        (folder / "grid.yaml").write_text(GRID)
        self.data, self.out = data or folder / "data", folder / "out"
        args = ("run", "--grid", str(folder / "grid.yaml"), "--data-dir", str(self.data), "--out", str(self.out))
        self.args = in_itself(args)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark", *self.args],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **self.mirror, "MIR_PRETEXT_CHECKPOINT_SECONDS": "0"},
        )

    def finish(self, *extra: str) -> None:
        done = command(*self.args, *extra, env=self.mirror)
        assert done.returncode == 0, done.stdout + done.stderr

    def scores(self) -> pd.Series:
        return pd.read_parquet(self.out / "scores.parquet").set_index(KEYS)["value"]

    def mirrored(self) -> Counter[tuple[str, str]]:
        """Name and state of each child run."""
        with contextlib.closing(sqlite3.connect(self.out / "mlflow.db")) as database:
            child = "select name, status from runs join tags using (run_uuid) where tags.key = 'job_key'"
            return Counter(database.execute(child).fetchall())

    def complete(self) -> dict[Path, int]:
        """Artefacts that stand, save those that go once all that needs them is made, and when each was made."""
        roots = [kind for root in (self.data, self.out) for kind in root.glob("*")]
        roots = [kind for kind in roots if kind.name not in ("tmp", *PASSING_KINDS)]
        found = {}
        for path in [path for root in roots for path in root.rglob(MANIFEST)]:
            with contextlib.suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime_ns
        return found

    def leftovers(self) -> list[Path]:
        places = [root / name for root in (self.data, self.out) for name in ("tmp", "locks", "scratch")]
        return [path for place in places if place.is_dir() for path in place.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("undisturbed") / "run", mirrored=True)
    run.finish()
    return run


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twenty_kills_at_random_moments_cost_only_what_was_in_flight(whole: Run, tmp_path: Path) -> None:
    """A worker, then the driver, twenty times over; what once stood is never made again.

    The catalog is there already: it is one job of a minute, which no kill would let through.
    """
    run, rng = Run(tmp_path / "run", mirrored=True), random.Random(7)
    shutil.copytree(whole.data / "catalog", run.data / "catalog")
    stood = set()
    for _ in range(20):
        before = run.complete()
        driver = run.start()
        more = len(before) + rng.choice((0, 1, 1, 2))  # by what stands: how long that takes is up to the machine
        wait_for(lambda driver=driver, more=more: driver.poll() is not None or len(run.complete()) >= more, 300)
        time.sleep(rng.uniform(0, 6))
        with contextlib.suppress(psutil.Error):
            workers = psutil.Process(driver.pid).children()
            if workers:
                os.kill(rng.choice(workers).pid, signal.SIGKILL)
        time.sleep(rng.uniform(0, 6))
        driver.kill()
        driver.communicate()
        after = run.complete()
        assert {path: after.get(path) for path in before} == before
        stood |= {path.parent.parent.parent.name for path in after}
    assert stood >= {"waveforms", "pretrain", "probe"}, "the kills fell everywhere"
    before = run.complete()
    run.finish()
    assert {path: made for path, made in run.complete().items() if path in before} == before
    pd.testing.assert_series_equal(run.scores(), whole.scores(), check_exact=True)
    assert run.mirrored() == whole.mirrored()
    assert run.leftovers() == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_drivers_on_one_store_share_the_work(whole: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    drivers = [run.start() for _ in range(2)]
    told = [driver.communicate()[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], told
    finished = Counter(line for text in told for line in text.splitlines() if line.startswith("finished: "))
    assert max(finished.values()) == 1, finished
    assert all("finished: " in text for text in told), "both had a share"
    pd.testing.assert_series_equal(run.scores(), whole.scores(), check_exact=True)
    assert run.leftovers() == []


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", [("--workers", "1"), ("--workers", "4"), ("--executor", "ray", "--workers", "2")])
def test_scores_do_not_depend_on_where_jobs_run(how: tuple[str, ...], whole: Run, tmp_path: Path) -> None:
    if "ray" in how:
        pytest.importorskip("ray")
    run = Run(tmp_path / "run", whole.data)
    run.finish(*how)
    pd.testing.assert_series_equal(run.scores(), whole.scores(), check_exact=True)
