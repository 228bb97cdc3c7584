"""Jobs and a driver for the tests of the Ray executor, importable by name so that slots find them; marked processes."""

import os
import signal
import time
from pathlib import Path

import psutil
from helpers.processes import is_gone, wait_for
from scheduler_jobs import note_pid_and_sleep, run_job

from benchmark.interfaces import Resources, UserError
from benchmark.scheduler.executors.ray import RayExecutor

MARK = "TEST_RAY_MARK"


def marked(mark):
    """Processes that were started, at however many removes, by one that had this mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for process in found if not is_gone(process.pid)]


def where():
    time.sleep(0.5)  # long enough for others to need other slots
    return os.environ["CUDA_VISIBLE_DEVICES"], os.environ["MIR_PRETEXT_DEVICE"], Path.cwd()


def run_when_told(job):
    """Note the node, wait for the file `go`, then make the artefact."""
    root = Path(job.spec["root"])
    with (root / "starts.txt").open("a") as starts:
        starts.write(f"{job.name} {os.environ['RAY_RAYLET_PID']}\n")
    wait_for((root / "go").exists, seconds=120)
    run_job(job)


def drive(folder):
    """A driver on a cluster of its own, with an endless job; kill it to see what becomes of them."""
    RayExecutor(Resources(workers=1)).submit(note_pid_and_sleep, folder / "pid").result()


def refuse():
    raise UserError("no such corpus")


def kill_slot():
    """What a lost node, or Ray's memory monitor, does to a job: its slot is gone, and the job with it."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
