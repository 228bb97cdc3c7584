"""The driver: plan a grid, walk what is missing, collect the scores, write the leaderboard."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Set
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from benchmark import registry
from benchmark.bookkeeping.against import Against
from benchmark.bookkeeping.collect import collect
from benchmark.bookkeeping.mirror.tracking import Mirror
from benchmark.bookkeeping.outputs import link, users
from benchmark.bookkeeping.record import command_line
from benchmark.bookkeeping.status import Reporter, Status
from benchmark.interfaces import UserError
from benchmark.scheduler.estimate import Timings
from benchmark.scheduler.grid import Audio, Grid
from benchmark.scheduler.jobs import run_job
from benchmark.scheduler.outlook import check_space
from benchmark.scheduler.passing import Passing
from benchmark.scheduler.planning.keys import Plan
from benchmark.scheduler.planning.plan import plan, select
from benchmark.scheduler.planning.waveforms import prepare
from benchmark.scheduler.settings import Settings
from benchmark.scheduler.walk import Event, Report, missing, walk
from benchmark.store.artefacts import CorruptArtefact, Store
from benchmark.store.job import Job, Stores
from benchmark.store.locks import StoreLocks


class Show(Protocol):
    """Who shows a person how a run goes on."""

    def show(self, event: Event) -> None:
        """Take one event."""

    def watch(self, status: Status) -> None:
        """Take a new status."""


def drive(grid: Grid, settings: Settings, progress: Show, beside: Iterable[str] = ()) -> Report:
    """Run what is missing of `grid` and refresh the tables and the page.

    Args:
        beside: keys of what else the results folder uses.
    """
    stores, jobs = settings.stores(), plan(grid)
    against = Against.read(settings.against) if settings.against else None
    if against:
        against.check(grid, jobs)
    mirror = Mirror(settings.out, grid.name, command_line()) if settings.mlflow else None
    with contextlib.suppress(UserError):  # read-only: that matters where there is something to do
        link(settings.out, stores.results.root, {*jobs, *beside}, stores.data.root)
    chosen = select(jobs, settings.only, settings.exclude)
    passing = Passing(jobs, stores, settings.keep_embeddings, partial(used_by_others, stores, settings.out))
    with mirror or contextlib.nullcontext():
        report = _walk(chosen, stores, settings, grid.pretrain.devices, progress, passing, mirror)
        if mirror:
            mirror.complete(jobs.values(), stores.results)
    _tidy_up(passing, stores, settings.out)
    collect(grid, jobs, stores, report, settings.out, against)
    return report


def store_audio(audio: Audio, stems: list[str], settings: Settings, progress: Show) -> tuple[Report, Path]:
    """Store the waveforms of a corpus, perhaps with `stems`, as grids will ask for.

    Returns:
        What ran, and the folder of the waveforms.
    """
    stores, wanted = settings.stores(), Plan()
    key = prepare(wanted, audio, sorted(stems))
    passing = Passing(wanted.jobs, stores)
    report = _walk(wanted.jobs, stores, settings, 1, progress, passing)
    _tidy_up(passing, stores, settings.out)
    return report, stores.data.folder("waveforms", key)


def _walk(
    jobs: dict[str, Job],
    stores: Stores,
    settings: Settings,
    devices: int,
    progress: Show,
    passing: Passing,
    mirror: Mirror | None = None,
) -> Report:
    lacking = missing(jobs, stores.done)
    todo = [job for key, job in jobs.items() if key in lacking]
    if not todo:
        return Report(skipped=list(jobs.values()))
    timings = settings.timings()
    for store in (stores.data, stores.results, Store(settings.out)):
        store.prepare({job.kind for job in todo})
        store.sweep()  # drafts of killed drivers may be what fills the disk
    check_space(todo, timings, stores, settings.slots(devices))
    cls: Any = registry.executors.get(settings.executor)
    executor = cls.open(settings.resources(devices), settings.out / "logs")
    locks = StoreLocks(stores)
    locks.attend()
    run = partial(run_job, data=settings.data, results=stores.results.root)
    try:
        with Reporter(
            settings.out, stores.results, todo, timings.seconds, executor.capacity, progress.watch
        ) as reporter:

            def note(event: Event) -> None:
                if event.what == "finished":
                    with contextlib.suppress(CorruptArtefact):  # another driver has let it go already
                        for made in (event.job, *filter(stores.done, event.job.carries)):
                            timings.add(made, stores.of(made.kind).manifest(made.kind, made.key))
                        if mirror:
                            mirror.log(event.job, stores.results)
                    with contextlib.suppress(UserError):  # of a note that cannot be read: then all stays
                        passing.let_go(event.job.needs)
                reporter.note(event)
                progress.show(event)

            return walk(jobs, stores.done, run, executor, note, locks=locks, seconds=partial(_urgency, timings))
    finally:
        executor.shutdown()
        locks.release()
        timings.save()


def used_by_others(stores: Stores, out: Path) -> Set[str]:
    """Keys of what other drivers at work on these stores have in their grids.

    Raises:
        UserError: a note of who uses a store cannot be read.
    """
    known = [user for root in dict.fromkeys((stores.data.root, stores.results.root)) for user in users(root)]
    return {key for user in known if user.out != out and Status.read(user.out) for key in user.keys}


def _urgency(timings: Timings, job: Job) -> float:
    """How long a job takes; what only tries the others out goes first, whatever waits behind it."""
    return math.inf if job.kind == "preflight" else timings.seconds(job) or 1.0


def _tidy_up(passing: Passing, stores: Stores, out: Path) -> None:
    """Clear away what killed drivers left. At the end: their workers, if killed just now, are gone by then."""
    locks = StoreLocks(stores)
    with contextlib.suppress(UserError, OSError):
        passing.let_go()
    with contextlib.suppress(OSError):  # read-only by now, perhaps: then it stays
        locks.sweep()
        for store in (stores.data, stores.results):
            store.sweep()
        Status.sweep(out)
    locks.release()
