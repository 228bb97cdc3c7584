"""The DAG walk: run what is missing, in a good order, and let a failure cost only what depends on it.

The failure policy lives here and nowhere else: a job whose worker died is retried, a job that found a damaged input
has that input made again, a job that raised has failed; what needs a failed job is blocked, and all else finishes.
"""

from __future__ import annotations

import graphlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.interfaces import Executor
from benchmark.scheduler.executors.local import WorkerDied
from benchmark.scheduler.store import CorruptArtefact

_LOG_LINES = 20


@dataclass(frozen=True)
class Job:
    """A step of the benchmark.

    Args:
        key: content key of `spec`; the artefact's address.
        kind: which function runs it, and the store's folder.
        name: for people, such as `pretrain simclr cnn_small seed 0`.
        spec: all that its result depends on.
        needs: keys of the jobs whose artefacts it reads.
    """

    key: str
    kind: str
    name: str
    spec: dict[str, Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that the walk tells while it goes on; `error` explains `retried` and `failed`."""

    what: Literal["skipped", "submitted", "finished", "retried", "failed", "blocked"]
    job: Job
    error: str = ""


@dataclass(frozen=True)
class Failure:
    """A failed job, its error in one line, and the end of its log and traceback."""

    job: Job
    error: str
    log: str


@dataclass
class Report:
    """Where every job ended: run now, not needed (there already, mostly), failed, or behind a failed one."""

    done: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    blocked: list[Job] = field(default_factory=list)


def missing(
    jobs: Mapping[str, Job], done: Callable[[Job], bool], targets: Iterable[str] | None = None
) -> set[str]:
    """Keys of the jobs to run: walk back from the targets, and stop wherever an artefact is there.

    Args:
        jobs: all jobs by key.
        done: whether a job's artefact is there.
        targets: what is wanted; by default every job that no other one needs.
    """
    _check_needs(jobs)
    if targets is None:
        targets = jobs.keys() - {key for job in jobs.values() for key in job.needs}
    waiting, seen, result = list(targets), set[str](), set[str]()
    while waiting:
        key = waiting.pop()
        if key not in seen and not done(jobs[key]):
            result.add(key)
            waiting.extend(jobs[key].needs)
        seen.add(key)
    return result


def walk(
    jobs: Mapping[str, Job],
    done: Callable[[Job], bool],
    run: Callable[[Job], Any],
    executor: Executor,
    on_event: Callable[[Event], None],
    retries: int = 2,
    *,
    targets: Iterable[str] | None = None,
) -> Report:
    """Run the missing jobs, longest chain of dependants first.

    Args:
        jobs: all jobs by key.
        done: whether a job's artefact is there.
        run: makes a job's artefact; must be importable by name.
        executor: where `run` is called. If it has a `capacity`, no more than twice as many jobs are with it at once.
        on_event: called in this thread for whatever happens to a job.
        retries: how often a job is run again after its worker died, or after an input was found damaged.
        targets: keys of the jobs that are wanted; by default those that no other job needs.

    Raises:
        ValueError: if a job needs one that is not among `jobs`, or itself (graphlib.CycleError).
    """
    state = _Walk(jobs, done, run, executor, on_event, retries)
    try:
        return state.report(list(targets) if targets is not None else None)
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
    ) -> None:
        self._jobs, self._done, self._run, self._executor = jobs, done, run, executor
        self._on_event, self._retries = on_event, retries
        self._limit = 2 * getattr(executor, "capacity", 32)
        self._attempts: Counter[str] = Counter()
        self._finished: set[str] = set()
        self._failed: dict[str, Failure] = {}
        self._damaged: set[str] = set()

    def report(self, targets: list[str] | None) -> Report:
        planned = todo = missing(self._jobs, self._done, targets)
        for key in self._jobs.keys() - planned:
            self._on_event(Event("skipped", self._jobs[key]))
        while todo:
            self._damaged = set()
            self._round(todo)
            todo = self._again(todo) if self._damaged else set()
            planned = planned | todo
        return self._conclude(planned)
