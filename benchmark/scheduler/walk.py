"""The DAG walk: run what is missing, in a good order, and let a failure cost only what depends on it.

The failure policy lives here and nowhere else. A job whose worker died is retried; an input that a job found
damaged is remade; a job that raised has failed. What needs a failed job is blocked, all else finishes.
"""

from __future__ import annotations

import graphlib
import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from benchmark.interfaces import Executor, WorkerDied, one_line
from benchmark.store.artefacts import CorruptArtefact
from benchmark.store.job import Job

_LOG_LINES = 20
#: how often to look whether another driver is done with a job, seconds
_LOOK = 0.5
#: after how many seconds to see whether there is room for more: a node may have joined
_GROWTH = 3.0
#: when to say that a slot waits for another driver, seconds; then after twice as long, and so on
_PATIENCE = 10.0


class Locks(Protocol):
    """Which driver makes an artefact, where several share a store."""

    def take(self, job: Job) -> bool:
        """Claim a job; False if another driver has it. To claim it again is no harm."""

    def drop(self, job: Job) -> None:
        """Give the claim up."""

    def holder(self, job: Job) -> str:
        """Who has claimed a job, for people; empty if nobody has."""


class NoLocks:
    """There is no other driver."""

    def take(self, job: Job) -> bool:
        """Every job is ours."""
        return True

    def drop(self, job: Job) -> None:
        """Nothing is held."""

    def holder(self, job: Job) -> str:
        """Nobody."""
        return ""


@dataclass(frozen=True)
class Event:
    """Something that the walk tells while it goes on.

    Args:
        error: explains `retried`, `failed`, and `waiting` for another driver.
        future: of a `submitted` job, which says whether it has left the queue and runs.
    """

    what: Literal["skipped", "submitted", "finished", "retried", "failed", "blocked", "waiting"]
    job: Job
    error: str = ""
    future: Future[Any] | None = None


@dataclass(frozen=True)
class Failure:
    """A failed job, its error in one line, and the end of its log and traceback."""

    job: Job
    error: str
    log: str


@dataclass
class Report:
    """Where every job ended: run now, not needed (there already, mostly), failed, or behind a failed one.

    Attributes:
        stale: whether the tables and the page of the results folder are an earlier run's.
    """

    done: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    blocked: list[Job] = field(default_factory=list)
    stale: bool = False


def missing(jobs: Mapping[str, Job], done: Callable[[Job], bool], targets: Iterable[str] | None = None) -> set[str]:
    """Keys of the jobs to run: walk back from the targets, and stop wherever an artefact is there.

    Args:
        jobs: all jobs by key.
        done: whether a job's artefact is there.
        targets: keys of what is wanted; by default every job that no other one needs.
    """
    waiting, seen, result = list(sinks(jobs) if targets is None else targets), set[str](), set[str]()
    while waiting:
        key = waiting.pop()
        if key not in seen and not done(jobs[key]):
            result.add(key)
            waiting.extend(jobs[key].needs)
        seen.add(key)
    return result


def sinks(jobs: Mapping[str, Job]) -> list[str]:
    """Keys of the jobs that no other one needs.

    Raises:
        ValueError: if a job needs one that is not among `jobs`.
    """
    needed = {need: job for job in jobs.values() for need in job.needs}
    for key in needed.keys() - jobs.keys():
        raise ValueError(f"{needed[key].name} needs {key[:12]}, which is not among the jobs")
    return [key for key in jobs if key not in needed]


def walk(
    jobs: Mapping[str, Job],
    done: Callable[[Job], bool],
    run: Callable[[Job], Any],
    executor: Executor,
    on_event: Callable[[Event], None],
    retries: int = 2,
    *,
    targets: Iterable[str] | None = None,
    locks: Locks | None = None,
    seconds: Callable[[Job], float] = lambda job: 1.0,
) -> Report:
    """Run the missing jobs: what lets go of artefacts in passing first, then the one with the longest way to the end.

    Args:
        jobs: all jobs by key.
        done: whether a job's artefact is there.
        run: makes a job's artefact; must be importable by name.
        executor: where `run` is called. At most one job more than its `capacity` are with it.
        on_event: called in this thread for whatever happens to a job.
        retries: how often a job is run again after its worker died, or after an input was found damaged.
        targets: keys of the jobs that are wanted; by default those that no other job needs.
        locks: shared with other drivers on the same store: what one of them makes is waited for.
        seconds: how long a job is expected to take.

    Raises:
        ValueError: if a job needs one that is not among `jobs`.
    """
    wanted = sinks(jobs) if targets is None else list(targets)
    try:
        return _Walk(jobs, done, run, executor, on_event, retries, locks or NoLocks(), seconds).to(wanted)
    except BaseException:
        # Ctrl-C or a bug: nobody is left to take the results of what is running
        executor.shutdown()
        raise


class _Walk:
    """One walk in progress. A damaged input leads to a further round over what is then missing."""

    def __init__(
        self,
        jobs: Mapping[str, Job],
        done: Callable[[Job], bool],
        run: Callable[[Job], Any],
        executor: Executor,
        on_event: Callable[[Event], None],
        retries: int,
        locks: Locks,
        seconds: Callable[[Job], float],
    ) -> None:
        self._jobs, self._done, self._run, self._executor = jobs, done, run, executor
        self._on_event, self._retries, self._locks, self._seconds = on_event, retries, locks, seconds
        self._behind: dict[str, list[str]] = {key: [] for key in jobs}
        for job in jobs.values():
            for need in job.needs:
                self._behind[need].append(job.key)
        self._retried: Counter[str] = Counter()
        self._finished: set[str] = set()
        self._elsewhere: set[str] = set()
        self._failed: dict[str, Failure] = {}
        self._damaged: set[str] = set()
        self._waiting = _Waiting(self._locks, on_event)

    def to(self, targets: list[str]) -> Report:
        """Run what the targets lack."""
        planned = todo = missing(self._jobs, self._done, targets)
        for job in self._named(self._jobs.keys() - planned):
            self._on_event(Event("skipped", job))
        while todo:
            self._round(todo)
            todo = self._to_repair(targets)
            planned = planned | todo
        return self._report(planned)

    def _to_repair(self, targets: list[str]) -> set[str]:
        """What is missing now that inputs were found damaged: those, what they need, what waited for them."""
        damaged, self._damaged = self._damaged, set()
        if not damaged:
            return set()
        self._finished -= damaged

        def is_there(job: Job) -> bool:
            stood = job.key in self._finished and not job.passing  # which may be gone by now
            return job.key not in damaged and (stood or self._done(job))

        return missing(self._jobs, is_there, [*targets, *damaged])

    def _round(self, todo: set[str]) -> None:
        """Run the jobs of `todo`, save those that are behind a failed or a damaged one."""
        # all jobs are in the graph, so that order also holds across those that are not run
        sorter = graphlib.TopologicalSorter({key: job.needs for key, job in self._jobs.items()})
        rank = _ranks(self._jobs, todo, self._seconds)
        sorter.prepare()
        ready: list[tuple[int, str]] = []
        running: dict[Future[Any], Job] = {}
        while True:
            for key in _unlocked(sorter, todo):
                if key not in self._failed:
                    heapq.heappush(ready, (rank[key], key))
            ready, there = self._start(ready, todo, running)
            for key in there:
                sorter.done(key)
            if not (running or ready or there):
                return
            for future in self._ended(running, is_waiting=bool(ready), is_moving=bool(there)):
                job = running.pop(future)
                error = future.exception()
                if error is None:
                    self._finish(job)
                    sorter.done(job.key)
                elif self._is_retry(job, error):
                    heapq.heappush(ready, (rank[job.key], job.key))

    def _start(
        self, ready: list[tuple[int, str]], todo: set[str], running: dict[Future[Any], Job]
    ) -> tuple[list[tuple[int, str]], list[str]]:
        """Submit what may start; return what is left, and what another driver has made meanwhile."""
        left, there, refused = [], [], list[Job]()
        # whoever is carried waits for its carrier, which needs the same: so long as that one is ready, or runs
        coming = {key for _, key in ready} | {job.key for job in running.values()}
        while ready and len(running) < self._limit():
            rank, key = heapq.heappop(ready)
            job = self._jobs[key]
            if not coming.isdisjoint(job.rides):
                left.append((rank, key))
            elif not self._locks.take(job):
                left.append((rank, key))
                refused.append(job)
            elif self._is_there(job, todo):
                self._elsewhere.add(key)
                self._finish(job, "skipped")
                there.append(key)
            else:
                wanted = tuple(one for one in job.carries if one.key in todo)  # no more than that
                future = self._executor.submit(self._run, replace(job, carries=wanted))
                running[future] = job
                self._on_event(Event("submitted", job, future=future))
        self._waiting.look(refused if len(running) < self._executor.capacity else [])
        return sorted(left + ready), there

    def _is_there(self, job: Job, todo: set[str]) -> bool:
        """Whether another driver has made it since the round began, or made all that needs it (and tidied up)."""
        if self._done(job):
            return True
        behind = [key for key in self._behind[job.key] if key in todo]
        return bool(behind) and all(self._done(self._jobs[key]) for key in behind)

    def _ended(self, running: dict[Future[Any], Job], *, is_waiting: bool, is_moving: bool) -> list[Future[Any]]:
        """Futures that have come to an end; while another driver has jobs of ours, look again before long."""
        if is_moving:
            return [future for future in running if future.done()]
        if not running:
            time.sleep(_LOOK)
            return []
        waits_for_others = is_waiting and len(running) < self._limit()
        patience = _LOOK if waits_for_others else _GROWTH if is_waiting else None
        return list(wait(running, timeout=patience, return_when=FIRST_COMPLETED).done)

    def _limit(self) -> int:
        """How many jobs may be with the executor: no slot waits, and what would only queue is left to other drivers.

        It changes: nodes of a cluster come and go.
        """
        return self._executor.capacity + 1

    def _finish(self, job: Job, what: Literal["finished", "skipped"] = "finished") -> None:
        self._finished.add(job.key)
        self._locks.drop(job)
        self._on_event(Event(what, job))

    def _is_retry(self, job: Job, error: BaseException) -> bool:
        """Whether to run a job again at once; if not, it has failed, or waits for the repair of an input."""
        damaged = isinstance(error, CorruptArtefact) and error.key in self._jobs and error.key != job.key
        self._locks.drop(job)
        if not (damaged or isinstance(error, WorkerDied)) or self._retried[job.key] >= self._retries:
            self._failed[job.key] = Failure(job, one_line(error), _log_tail(error))
            self._on_event(Event("failed", job, one_line(error)))
            return False
        self._retried[job.key] += 1
        self._on_event(Event("retried", job, one_line(error)))
        if isinstance(error, CorruptArtefact):
            self._damaged.add(error.key)
        return not damaged

    def _report(self, planned: set[str]) -> Report:
        blocked = self._named(planned - self._finished - self._failed.keys())
        for job in blocked:
            self._on_event(Event("blocked", job))
        skipped = self._named((self._jobs.keys() - planned) | self._elsewhere)
        return Report(self._named(self._finished - self._elsewhere), skipped, list(self._failed.values()), blocked)

    def _named(self, keys: Set[str]) -> list[Job]:
        # in the order of the plan: sets of strings come in another order in every process
        return [job for key, job in self._jobs.items() if key in keys]


class _Waiting:
    """Says for whom slots wait, and how long they have, if it takes a while."""

    def __init__(self, locks: Locks, on_event: Callable[[Event], None]) -> None:
        self._locks, self._on_event = locks, on_event
        self._since: dict[str, float] = {}
        self._next = _PATIENCE

    def look(self, refused: list[Job]) -> None:
        """Take the jobs that might run now, were they not another driver's."""
        now = time.monotonic()
        self._since = {job.key: self._since.get(job.key, now) for job in refused}
        if not refused:
            self._next = _PATIENCE
            return
        job = min(refused, key=lambda job: self._since[job.key])
        waited = now - self._since[job.key]
        if waited >= self._next:
            more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            holder = self._locks.holder(job) or "nobody any more"
            self._on_event(Event("waiting", job, f"for {waited:.0f} s so far{more}, since it is claimed by {holder}"))
            self._next = 2 * waited


def _ranks(jobs: Mapping[str, Job], todo: set[str], seconds: Callable[[Job], float]) -> dict[str, int]:
    """Order of submission: the job with the most time to go from it to the end first, then as planned.

    Before all of them goes what needs an artefact in passing: those would pile up on the disk.
    """
    to_go = {key: seconds(job) if key in todo else 0.0 for key, job in jobs.items()}
    order = list(graphlib.TopologicalSorter({key: job.needs for key, job in jobs.items()}).static_order())
    behind = dict.fromkeys(jobs, 0.0)
    for key in reversed(order):
        to_go[key] += behind[key]
        for need in jobs[key].needs:
            behind[need] = max(behind[need], to_go[key])
    lets_go = {key: any(jobs[need].passing for need in job.needs) for key, job in jobs.items()}
    return {key: rank for rank, key in enumerate(sorted(jobs, key=lambda key: (not lets_go[key], -to_go[key])))}


def _unlocked(sorter: graphlib.TopologicalSorter[str], todo: set[str]) -> Iterator[str]:
    """Jobs of `todo` whose needs are met; those outside of it count as met on the way."""
    while keys := sorter.get_ready():
        for key in keys:
            if key in todo:
                yield key
            else:
                sorter.done(key)


def _log_tail(error: BaseException) -> str:
    lines = "\n".join(getattr(error, "__notes__", [])).splitlines()
    return "\n".join(lines[-_LOG_LINES:])
