"""How far a run is: told by its driver every two seconds, for whoever looks, in this terminal or another.

Each driver has a file of its own in the results folder, named for its host and process: several may be at work there.
"""

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
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

from benchmark.files import host_name, replacing
from benchmark.pretraining.budget import PROGRESS
from benchmark.scheduler.estimate import not_carried
from benchmark.scheduler.walk import Event
from benchmark.store.artefacts import Store
from benchmark.store.job import Job
from benchmark.store.locks import STALE, Owner, born

_EVERY = 2.0


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    """What is told of a job that runs, if it is what a view shows of one."""
    numbers = ["seconds", *(("step", "steps", "loss") if "step" in job else ())]
    numbers += [name for name in ("effective_rank", "mean_cosine") if name in job]
    if not isinstance(job.get("name"), str) or not all(isinstance(job.get(name), int | float) for name in numbers):
        raise ValueError("says nothing of the kind")
    return job


@dataclass(frozen=True)
class Status:
    """A run at one moment.

    Attributes:
        driver: whose run it is.
        kinds: by kind of job: ended, running, left; failed ones are among the ended.
        failed: jobs that failed so far.
        running: name of each job, its seconds so far, and, while it trains, step, steps and losses.
        seconds_left: until all is done, by earlier jobs; None if some are such as none has run before.
        devices: use of each GPU in percent.
        waiting: for which other driver a slot waits, and for how long it has; empty if none does.
    """

    driver: Owner
    kinds: dict[str, Annotated[list[int], Field(min_length=3, max_length=3)]]
    failed: int = 0
    running: list[Annotated[dict[str, Any], AfterValidator(_shown)]] = field(default_factory=list)
    seconds_left: float | None = None
    devices: list[int] = field(default_factory=list)
    waiting: str = ""

    @classmethod
    def read(cls, folder: Path) -> list[Status]:
        """What the drivers of a results folder last said, as far as they are still at work there."""
        found = [_told(path) for path in sorted(folder.glob(_name("*", "*")))]
        return [status for status in found if status]

    @classmethod
    def sweep(cls, folder: Path) -> None:
        """Remove what drivers said that are gone."""
        for path in folder.glob(_name("*", "*")):
            if _told(path) is None:
                path.unlink(missing_ok=True)


_STATUS = TypeAdapter(Status)


def _name(host: str, pid: str) -> str:
    return f"status.{host}.{pid}.json"


def _told(path: Path) -> Status | None:
    """What a living driver said; None of one that is gone, or another version's."""
    try:
        status, touched = _STATUS.validate_json(path.read_bytes()), path.stat().st_mtime
    except (OSError, ValueError):
        return None
    driver = status.driver
    alive = driver.is_alive if driver.is_here else abs(time.time() - touched) < STALE
    return status if alive else None


class Reporter:
    """Follows the walk's events in the driver, and writes the status; `watch` is told of each.

    Args:
        out: the results folder.
        store: of what is trained, which says how far it is.
        todo: the jobs that will run, in the order of the plan.
        seconds: expected of a job; None if nobody knows.
        slots: how many run side by side.
        watch: called with each new status, the first one apart from another thread.
    """

    def __init__(
        self,
        out: Path,
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
        self._driver = Owner(host_name(), os.getpid(), born(os.getpid()) or 0.0)
        self._file = out / _name(self._driver.host, str(self._driver.pid))
        self._waiting = ""
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
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def note(self, event: Event) -> None:
        """Take one event."""
        key = event.job.key
        with self._lock:
            self._waiting = f"{event.job.name}, {event.error}" if event.what == "waiting" else ""
            if event.what == "waiting":
                return
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
            ended, failed, waiting_for = dict(self._ended), self._failed, self._waiting
        active, waiting = Counter(job.kind for job in running), Counter(job.kind for job in left)
        kinds = {
            kind: [ended.get(kind, 0), active[kind], waiting[kind]] for kind in dict.fromkeys([*self._kinds, *active])
        }
        expected = {job.key: self._seconds(job) for job in not_carried([*left, *running])}
        rest = [max(0.0, cost - (now - since.get(key, now))) for key, cost in expected.items() if cost is not None]
        seconds_left = sum(rest) / self._slots if len(rest) == len(expected) else None
        told = [{"name": job.name, "seconds": round(now - since[job.key]), **self._training(job)} for job in running]
        return Status(self._driver, kinds, failed, told, seconds_left, _gpu_use(), waiting_for)

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
        with contextlib.suppress(OSError), replacing(self._file) as draft:
            draft.write_text(json.dumps(asdict(status), indent=1))
        self._watch(status)


def _gpu_use() -> list[int]:
    """Percent of the time that each visible GPU computed of late; empty without GPUs."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        listing = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return [int(line) for line in listing.stdout.split()]
    return []
