"""Commands, and ranks of a training, in processes forked from one that has imported everything: a second, not ten.

For tests of what a run finds. Jobs run in that very process (`--executor inline`); tests of processes, kills and
start-up use `conftest.command`.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from conftest import in_itself
from torch.multiprocessing.spawn import start_processes

ROOT = Path(__file__).resolve().parents[2]
#: nothing here may start threads or run a backward pass: forks of such a process can hang
IMPORTS = [
    "benchmark.cli.progress",
    "benchmark.drive",
    "benchmark.leaderboard.page.html",
    "benchmark.pretraining.train",
    "benchmark.probing.embed",
    "benchmark.probing.supervised",
    "benchmark.scheduler.preflight",
    "strategies.simclr",
    "tasks.folder",
    "tasks.kinds.melody",
]


def warm() -> ForkServerContext:
    """Where processes start with all of `IMPORTS`, in place of a fresh interpreter's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)
    return context


def fork_ranks(fn: Callable[..., None], args: tuple[Any, ...], count: int) -> None:
    """In place of `benchmark.pretraining.ranks.spawn`, whose real self `test_parts.py` has."""
    warm()
    forkserver.ensure_running()
    server = forkserver._forkserver._forkserver_pid  # the parent that ranks die with
    start_processes(fn, (server, *args[1:]), count, start_method="forkserver")


def quick(
    *args: str,
    env: dict[str, str] | None = None,
    timeout: float = 500,
    cwd: Path = ROOT,
    first: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m benchmark ARGS`, without MLflow unless `env` says otherwise; before it, `first` in its process."""
    args = in_itself(args)
    context = warm()
    if args[0] in ("run", "tune", "recommend") and "--executor" not in args:
        args = (*args, "--executor", "inline")
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        environment = {"MIR_PRETEXT_NO_MLFLOW": "1", **os.environ, **(env or {})}
        process = context.Process(target=_main, args=(args, environment, said, cwd, first))
        process.start()
        process.join(timeout)
        assert process.exitcode is not None, f"still running after {timeout} s: {' '.join(args)}"
        return subprocess.CompletedProcess(args, process.exitcode, *(path.read_text() for path in said))


def _main(
    args: tuple[str, ...], environment: dict[str, str], said: list[Path], cwd: Path, first: Callable[[], None] | None
) -> None:
    from benchmark.cli.main import main

    gc.freeze()  # what is imported is no job's garbage: each collects its own, a fifth of a second faster
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))  # as Python does when it starts
    for number, path in zip((1, 2), said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["benchmark", *args]
    if first:
        first()
    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
