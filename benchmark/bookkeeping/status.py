"""How far a run is: told by its driver every two seconds in a file, for whoever looks, in this terminal or another."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmark.files import host_name, replacing
from benchmark.pretraining.budget import PROGRESS
from benchmark.scheduler.walk import Event
from benchmark.store.artefacts import Store
from benchmark.store.job import Job
from benchmark.store.locks import STALE, born

_EVERY = 2.0
FILE = "status.json"


@dataclass(frozen=True)
class Status:
    """A run at one moment.

    Attributes:
        driver: host, process and its time of birth.
        kinds: by kind of job: ended, running, left; failed ones are among the ended.
        failed: jobs that failed so far.
        running: name of each job, its seconds so far, and, while it trains, step, steps and losses.
        seconds_left: until all is done, by earlier jobs; None if some are such as none has run before.
        devices: use of each GPU in percent.
    """

    driver: dict[str, Any]
    kinds: dict[str, list[int]]
    failed: int = 0
    running: list[dict[str, Any]] = field(default_factory=list)
    seconds_left: float | None = None
    devices: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Status | None:
        """What the driver of a results folder last said; None if none is at work there."""
        path = folder / FILE
        try:
            status, told = cls(**json.loads(path.read_text())), path.stat().st_mtime
            driver = status.driver
            here, pid, began = driver["host"] == host_name(), driver["pid"], driver["born"]
        except (OSError, ValueError, TypeError, KeyError):  # none, or another version's
            return None
        alive = born(pid) == began if here else time.time() - told < STALE
        return status if alive else None

    @classmethod
    def sweep(cls, folder: Path) -> None:
        """Remove what a driver said that is gone."""
        if cls.read(folder) is None:
            (folder / FILE).unlink(missing_ok=True)


class Reporter:
    """Follows the walk's events in the driver, and writes the status; `watch` is told of each.

    Args:
        store: the results' store.
        todo: the jobs that will run, in the order of the plan.
        seconds: expected of a job; None if nobody knows.
        slots: how many run side by side.
        watch: called with each new status, the first one apart from another thread.
    """

    def __init__(
        self,
        store: Store,
        todo: Iterable[Job],
        seconds: Callable[[Job], float | None],
        slots: int,
        watch: Callable[[Status], None],
    ) -> None:
        self._store, self._seconds, self._slots, self._watch = store, seconds, max(1, slots), watch
        self._left = {job.key: job for job in todo}
        self._kinds = list(dict.fromkeys(job.kind for job in self._left.values()))
        self._ended: Counter[str] = Counter()
        self._failed = 0
        self._submitted: dict[str, tuple[Job, Future[Any]]] = {}
        self._since: dict[str, float] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._driver = {"host": host_name(), "pid": os.getpid(), "born": born(os.getpid())}
        self._thread = threading.Thread(target=self._keep_telling, daemon=True)

    def __enter__(self) -> Reporter:
        self._tell()  # so that whoever looks from now on finds it
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        told = Status.read(self._store.root)
        if told is None or told.driver == self._driver:  # not what another driver says
            (self._store.root / FILE).unlink(missing_ok=True)

    def note(self, event: Event) -> None:
        """Take one event."""
        key = event.job.key
        with self._lock:
            if event.future is not None:
                self._submitted[key] = (event.job, event.future)
                return
            self._submitted.pop(key, None)
            self._since.pop(key, None)
            if event.what != "retried" and self._left.pop(key, None) is not None:
                self._ended[event.job.kind] += 1
                self._failed += event.what == "failed"

    def status(self) -> Status:
        """How far it is now."""
        now = time.time()
        with self._lock:
            running = [job for job, future in self._submitted.values() if future.running()]
            since = {job.key: self._since.setdefault(job.key, now) for job in running}
            left = [job for key, job in self._left.items() if key not in since]
            ended, failed = dict(self._ended), self._failed
        active, waiting = Counter(job.kind for job in running), Counter(job.kind for job in left)
        kinds = {
            kind: [ended.get(kind, 0), active[kind], waiting[kind]] for kind in dict.fromkeys([*self._kinds, *active])
        }
        expected = {job.key: self._seconds(job) for job in (*left, *running)}
        rest = [max(0.0, cost - (now - since.get(key, now))) for key, cost in expected.items() if cost is not None]
        seconds_left = sum(rest) / self._slots if len(rest) == len(expected) else None
        told = [{"name": job.name, "seconds": round(now - since[job.key]), **self._training(job)} for job in running]
        return Status(self._driver, kinds, failed, told, seconds_left, _gpu_use())

    def _training(self, job: Job) -> dict[str, Any]:
        """What a training job last said of itself."""
        path = self._store.root / "scratch" / job.kind / job.key / PROGRESS
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(path.read_text()))
        return {}

    def _keep_telling(self) -> None:
        while not self._stop.wait(_EVERY):
            self._tell()

    def _tell(self) -> None:
        status = self.status()
        with contextlib.suppress(OSError), replacing(self._store.root / FILE) as draft:
            draft.write_text(json.dumps(asdict(status), indent=1))
        self._watch(status)


def _gpu_use() -> list[int]:
    """Percent of the time that each visible GPU computed of late; empty without GPUs."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        listing = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return [int(line) for line in listing.stdout.split()]
    return []
