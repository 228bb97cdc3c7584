"""What jobs cost: seconds and bytes of earlier ones like them, for `plan`, the time left, and the order of the walk."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.files import read_json, replacing
from benchmark.store.job import Job

#: jobs of a kind that agree in these fields of their specification cost about the same
_ALIKE = {
    "catalog": ("corpus", "size"),
    "labels": ("corpus",),
    "shard": ("corpus", "stems"),
    "waveforms": ("corpus", "size", "stems"),
    "preflight": ("encoder", "task"),
    "pretrain": ("strategy", "encoder"),
    "trunk": ("strategy", "encoder"),
    "snapshot": ("strategy", "encoder"),
    "embed": ("waveforms", "encoder", "reads"),
    "probe": ("task",),
    "control": ("task",),
    "supervised": ("task", "encoder", "fraction"),
}
#: in place of a device: what is written is the same everywhere
_ANY = "any"
#: crops that a training takes no longer for than for fewer: it has to begin, and to end
STARTING = 1000.0
#: seconds between two writes of the file
_EVERY = 30.0


@dataclass(frozen=True)
class Cost:
    """Seconds in one slot, and bytes on the disk."""

    seconds: float
    bytes: float


class Timings:
    """Means over finished jobs, kept in one file that all grids share; a lost update of it costs only precision.

    Args:
        path: the file; made by `save`.
        device: `cpu` or `cuda`, where jobs to be estimated will run.
    """

    def __init__(self, path: Path, device: str) -> None:
        self._path, self._device = path, device
        self._saved = time.monotonic()
        self._sums = _sound(read_json(path))

    def add(self, job: Job, manifest: dict[str, Any]) -> None:
        """Take a finished job's record into account."""
        seconds, device = manifest["info"].get("job_seconds"), manifest["info"].get("device")
        if seconds is None:
            return
        size = sum(file["bytes"] for file in manifest["files"].values())
        alone = _names(job, device) if seconds else []  # what was carried says nothing of what it takes by itself
        for name in [*alone, *_names(job, _ANY)]:
            more = (1.0, _amount(job), seconds, size)
            # as a whole: the thread that tells the status reads it
            self._sums[name] = [a + b for a, b in zip(self._sums.get(name, [0.0] * 4), more, strict=True)]
        if time.monotonic() - self._saved > _EVERY:  # for `plan` in another terminal
            self.save()

    def save(self) -> None:
        """Write the file anew; without room for it, later."""
        self._saved = time.monotonic()
        with contextlib.suppress(OSError), replacing(self._path) as draft:
            draft.write_text(json.dumps(self._sums, indent=1, sort_keys=True))

    def of(self, job: Job) -> Cost | None:
        """What a job will cost, by those most like it; None if none of its kind has run on this device."""
        for name in _names(job, self._device):
            if name in self._sums:
                _, amount, seconds, _ = self._sums[name]
                return Cost(seconds * _amount(job) / amount, self.bytes(job))
        return None

    def bytes(self, job: Job) -> float:
        """What a job will write, by those most like it, on whatever device they ran; 0 if none of its kind has run."""
        for name in [*_names(job, _ANY), *_names(job, self._device)]:  # files of before had no entry for all devices
            if name in self._sums:
                count, _, _, size = self._sums[name]
                return size / count
        return 0.0

    def total(self, jobs: Iterable[Job]) -> tuple[Cost, int]:
        """The cost of jobs together, and for how many of them the seconds are not known."""
        every = list(jobs)
        working = not_carried(every)
        known = [cost for job in working if (cost := self.of(job))]
        return Cost(sum(c.seconds for c in known), sum(map(self.bytes, every))), len(working) - len(known)

    def seconds(self, job: Job) -> float | None:
        """Expected seconds; None if nothing is known."""
        cost = self.of(job)
        return cost.seconds if cost else None


def not_carried(jobs: Iterable[Job]) -> list[Job]:
    """Those of some jobs that none of the others makes along with its own."""
    every = list(jobs)
    keys = {job.key for job in every}
    return [job for job in every if keys.isdisjoint(job.rides)]


def _sound(said: Any) -> dict[str, list[float]]:
    """The entries that can be used of what a file says; it may be damaged."""
    entries = said.items() if isinstance(said, dict) else ()
    return {name: sums for name, sums in entries if _is_sums(sums)}


def _is_sums(said: Any) -> bool:
    """Whether it is how many jobs there were, of how much, in how many seconds, and their bytes."""
    numbers = isinstance(said, list) and len(said) == 4 and all(isinstance(number, int | float) for number in said)
    return numbers and all(0 <= number < math.inf for number in said) and said[0] > 0 and said[1] > 0


def _names(job: Job, device: str | None) -> list[str]:
    """Under what a job's cost is filed, the most special first."""
    alike = [str(job.spec.get(name)) for name in _ALIKE.get(job.kind, ())]
    kind = _way(job) if job.kind in ("pretrain", "trunk", "snapshot") else job.kind
    return [" ".join([str(device), kind, *alike]), f"{device} {kind}"]


def _way(job: Job) -> str:
    """How an encoder is made: to settle it, or to write it as it is, costs next to nothing."""
    return next((way for part, way in (("budget", "pretrain"), ("settled", "settle")) if part in job.spec), "export")


def _amount(job: Job) -> float:
    """What a job's cost grows with."""
    budget = job.spec.get("budget")
    heard = float(job.spec.get("hears", budget["crops"] * job.spec.get("share", 1))) if budget else 1.0
    return max(heard, STARTING) if budget else heard
