"""What an executor adds to each job: `python tests/scheduler/overhead.py` walks 1,000 jobs that do nothing."""

import os
import tempfile
import time
from collections import Counter
from pathlib import Path

from scheduler_jobs import noop

from benchmark.interfaces import Resources
from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.ray import RayExecutor
from benchmark.scheduler.executors.slots import Slot
from benchmark.scheduler.walk import walk
from benchmark.store.job import Job

WORKERS = 2


def diamond(count):
    """One job, many that need it, one that needs them all."""
    middle = [f"job{number}" for number in range(count - 2)]
    needs = {"first": (), **dict.fromkeys(middle, ("first",)), "last": tuple(middle)}
    return {key: Job(key, "noop", key, {}, needs[key]) for key in needs}


def overhead(executor, count=1000):
    """Milliseconds per job, of a walk whose workers have started."""
    walk(diamond(2 * WORKERS + 2), lambda job: False, noop, executor, lambda event: None)
    told = Counter()
    begin = time.perf_counter()
    report = walk(diamond(count), lambda job: False, noop, executor, lambda event: told.update([event.what]))
    spent = time.perf_counter() - begin
    assert len(report.done) == told["finished"] == count
    return 1000 * spent / count


def main():
    with tempfile.TemporaryDirectory() as logs:
        starts = {
            "local": lambda: LocalExecutor([Slot("cpu")] * WORKERS, 1, Path(logs)),
            "ray": lambda: RayExecutor(Resources(workers=WORKERS), Path(logs)),
        }
        for name, start in starts.items():
            executor = start()
            print(f"{name}: {overhead(executor):.2f} ms per job, load {os.getloadavg()[0]:.1f}", flush=True)
            executor.shutdown()


if __name__ == "__main__":
    main()
