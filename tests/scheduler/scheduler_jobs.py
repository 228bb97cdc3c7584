"""Jobs for the scheduler's tests: importable by name, so that a worker process finds them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.slots import Slot
from benchmark.scheduler.walk import walk
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job


def make_job(kind, name, root, needs=(), **spec):
    """A job of a toy pipeline; the store's root travels in the spec."""
    spec = {"name": name, "needs": [job.key for job in needs], "root": str(root), **spec}
    return Job(content_key(spec), kind, name, spec, tuple(job.key for job in needs))


def run_job(job):
    """Read all inputs, do as the spec says, write the artefact `<name>(<text of inputs>)`."""
    root = Path(job.spec["root"])
    with (root / "ran.txt").open("a") as ran:
        ran.write(job.name + "\n")
    misbehave(job.spec, root)
    store = Store(root)
    if job.spec.get("spoils"):
        (store.folder("toy", job.needs[0]) / "text.txt").write_text("cut")
    inputs = [store.open("toy", key) / "text.txt" for key in job.needs]
    with store.writing("toy", job.key, job.spec) as draft:
        text = f"{job.name}({','.join(path.read_text() for path in inputs)})"
        (draft.path / "text.txt").write_text(text)


def carry(job):
    """As `run_job`, and for those that it carries as well."""
    run_job(job)
    for other in job.carries:
        with Store(Path(other.spec["root"])).writing("toy", other.key, other.spec) as draft:
            (draft.path / "text.txt").write_text("carried")


def misbehave(spec, root):
    again = (root / f"{spec['name']} ran").exists()
    (root / f"{spec['name']} ran").touch()
    if spec.get("raises") == "always" or (spec.get("raises") == "again" and again):
        raise ValueError(f"{spec['name']} does\nnot converge")
    if spec.get("dies") == "always" or (spec.get("dies") == "once" and not again):
        print("about to die")
        os.kill(os.getpid(), signal.SIGKILL)


def noop(job):
    pass


def add(a, b):
    return a + b


def pid_after(path):
    """This process, as soon as a file is there."""
    while not path.exists():
        time.sleep(0.01)
    return os.getpid()


def environment(*names):
    return {name: os.environ.get(name) for name in names}


def resident_mb_of_freed_blocks():
    """Before many blocks are made, after they are freed, and after the job's end."""
    import numpy as np
    import psutil

    from benchmark.scheduler.making import tidy_up

    resident = lambda: psutil.Process().memory_info().rss / 2**20  # noqa: E731
    before = resident()
    blocks = [np.ones(2**20) for _ in range(40)]
    del blocks
    kept = resident()
    tidy_up()
    return before, kept, resident()


def pid(seconds=0.0):
    time.sleep(seconds)
    return os.getpid()


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def leave(status):
    sys.exit(status)


class OddError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raise_odd():
    raise OddError("one", "two")


def shout(key, text):
    print(text)
    os.write(2, b"from C\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)


def shout_and_die(key):
    print("last words")
    kill_self()


def with_child(pid_file):
    """Start a child that would outlive its parent, then wait."""
    child = subprocess.Popen(["sleep", "600"])
    pid_file.write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def drive(folder):
    """A driver process: two workers in the midst of a job; kill it to see what becomes of them."""
    executor = LocalExecutor([Slot("cpu")] * 2, threads=1)
    for number in range(2):
        executor.submit(note_pid_and_sleep, folder / f"{number}.pid")
    time.sleep(600)


def walk_sleepers(folder):
    """A driver that waits for two endless jobs, until Ctrl-C."""
    jobs = {str(number): Job(str(number), "toy", str(folder / f"{number}.pid"), {}) for number in range(2)}
    walk(jobs, lambda job: False, sleeper, LocalExecutor([Slot("cpu")] * 2, threads=1), lambda event: None)


def sleeper(job):
    note_pid_and_sleep(Path(job.name))


def note_pid_and_sleep(path):
    path.with_suffix(".tmp").write_text(str(os.getpid()))
    path.with_suffix(".tmp").rename(path)
    time.sleep(600)


def forget_to_shut_down():
    executor = LocalExecutor([Slot("cpu")], threads=1)
    print(executor.submit(pid).result(), flush=True)


def numpy_threads():
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info()]


def meet(*names):
    """Long enough for two of them to need two workers."""
    time.sleep(0.5)
    return environment(*names)


def a_lock():
    import threading

    return threading.Lock()


def real_time_signal():
    os.kill(os.getpid(), signal.SIGRTMIN + 3)
    time.sleep(10)
