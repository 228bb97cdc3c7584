"""One tiny rendered corpus per test session, and helpers to run the command line as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from benchmark.store.artefacts import MANIFEST

if TYPE_CHECKING:
    from benchmark.corpora.rendered.works.work import Work

# before anything imports NumPy or torch: two workers on two cores, where threads beyond that wait by spinning
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

ROOT = Path(__file__).resolve().parents[1]

TINY_GRID = """
name: tiny
corpus: rendered_scores
size: tiny
strategies: [constant, random, mfcc, simclr, byol]
encoders: [cnn_small]
tasks: [instrument, key, metre, beat]
fractions: {0.1: 2, 1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 640, batch_size: 32}
"""


#: what makes the data that all share, by one worker; files without these fixtures need none of it
FIRST, SHARED = "test_every_embedded_task.py", {"data_dir", "tiny_run", "works"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker makes the shared data, for a minute; the other has what needs none of it; then comes all else."""
    waits = {item.path for item in items if SHARED & set(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: (item.path.name != FIRST, item.path in waits))


def in_itself(args: tuple[str, ...]) -> tuple[str, ...]:
    """A run whose results folder holds all that it made: tests share a data folder, and want to see things made."""
    alone = args[0] in ("run", "plan", "tune") and "--out" in args and "--store" not in args
    return (*args, "--store", args[args.index("--out") + 1]) if alone else args


def command(*args: str, env: dict[str, str] | None = None, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """Run `python -m benchmark ARGS`, without MLflow, which costs seconds, unless `env` says otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *in_itself(args)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
        env={"MIR_PRETEXT_NO_MLFLOW": "1", **os.environ, **(env or {})},
    )


@pytest.fixture(scope="session")
def cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    return command


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder for all worker processes of this session together."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def tiny_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "tiny.yaml"
    path.write_text(TINY_GRID)
    return path


@pytest.fixture(scope="session")
def data_dir(shared: Path) -> Path:
    """One data folder for all: its store is made for several drivers at once."""
    (shared / "data").mkdir(exist_ok=True)
    return shared / "data"


@pytest.fixture(scope="session")
def tiny_run(tiny_grid: Path, data_dir: Path, shared: Path) -> Path:
    """The tiny grid, run once by the command line: real scores, audio, weights and page. Copy it to change it."""
    out = shared / "run"
    with FileLock(shared / "run.lock"):
        if not (out / "leaderboard.html").exists():
            done = command("run", "--grid", str(tiny_grid), "--data-dir", str(data_dir), "--out", str(out))
            assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="session")
def works(shared: Path) -> list[Work]:
    """Some tunes, songs, chorales and masses: enough to see, read in seconds, by one worker."""
    from benchmark.corpora.rendered.works import chorales, essen, folk, groups, masses, note_tables, reading

    folder = shared / "works"
    with FileLock(shared / "works.lock"):
        if not folder.exists():
            scores = reading.corpus_folder()
            songs = [*folk.read_folk(scores, 0, 6), *essen.read_essen(scores, 1, 8)]
            read = [*songs, *chorales.read_chorales(scores, 0, 6), *list(masses.read_masses(scores))[::6]]
            (shared / "works.draft").mkdir()
            note_tables.save_notes(groups.grouped(read), shared / "works.draft")
            (shared / "works.draft").rename(folder)
    return list(note_tables.load_notes(folder).values())


def catalog_of(corpus: str, data_dir: Path) -> Path:
    """The folder of a corpus's catalog: tests share `data_dir`, and each may have drawn other corpora into it."""
    manifests = (data_dir / "catalog").rglob(MANIFEST)
    return next(found.parent for found in manifests if json.loads(found.read_text())["spec"]["corpus"] == corpus)
