"""Runs that are told to stop, and readers of folders that nobody may write to."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, TINY_GRID
from helpers.forked import quick
from helpers.processes import is_gone, wait_for

#: whoever runs tests in the background may ignore signals, and that is inherited
HEARD = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
STOPPABLE = """
import sys, time, typer
from benchmark.cli.options import stoppable
app = typer.Typer()
@app.command()
def run():
    with stoppable():
        try:
            print("runs", flush=True)
            time.sleep(60)
        finally:
            print("ends in order", flush=True)
app()
"""
READING = """
import sys
from benchmark.corpora.rendered.works import reading
if __name__ == "__main__":
    reading._read()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_every_signal_to_stop_says_how_to_go_on(number: signal.Signals) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HEARD + STOPPABLE], cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "runs\n"
        process.send_signal(number)
        told = process.communicate(timeout=60)
    assert told == ("ends in order\n", f"stopped by {number.name}; the same command goes on from here\n")
    assert process.returncode == 128 + number


def test_a_hangup_that_nohup_ignores_stays_ignored() -> None:
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + STOPPABLE.replace("60", "1")
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGHUP)
        assert process.communicate(timeout=60)[0] == "ends in order\n"
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_reads_scores_does_not_outlive_who_asked(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "reading.py").write_text(READING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    driver = subprocess.Popen([sys.executable, str(tmp_path / "reading.py")], env=environment, cwd=ROOT)
    try:
        asked = psutil.Process(driver.pid)
        assert wait_for(lambda: len(asked.children(recursive=True)) >= 3), (
            "two readers, and what tracks their resources"
        )
        readers = asked.children(recursive=True)
        driver.send_signal(number)
        driver.wait()
        assert wait_for(lambda: all(is_gone(reader.pid) for reader in readers), 20)
    finally:
        for process in [*readers, driver]:
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.fixture
def read_only(tiny_run: Path, tmp_path: Path) -> Iterator[Path]:
    """A results folder on a file system that is mounted for reading alone."""
    out = tmp_path / "results"
    shutil.copytree(tiny_run, out)
    bound = subprocess.run(["mount", "--bind", out, out], capture_output=True)
    if bound.returncode or subprocess.run(["mount", "-o", "remount,bind,ro", out], capture_output=True).returncode:
        pytest.skip("needs root to mount a folder read-only")
    yield out
    subprocess.run(["umount", "-l", out], check=True)


def test_what_only_reads_works_where_nothing_may_be_written(read_only: Path, data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Read-only"):
        (read_only / "file").touch()
    verified = quick("store", "verify", str(read_only))
    assert (verified.returncode, "are what their manifests say" in verified.stdout) == (0, True), verified.stderr
    assert quick("status", str(read_only)).stdout == f"nothing runs on {read_only}\n"
    report = quick("report", str(read_only), "--out", str(tmp_path / "page"))
    assert (report.returncode, (tmp_path / "page" / "leaderboard.html").is_file()) == (0, True), report.stderr
    (tmp_path / "grid.yaml").write_text(TINY_GRID)
    again = quick(
        "run", "--grid", str(tmp_path / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(read_only)
    )  # with nothing to do
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == str(read_only / "leaderboard.html")
