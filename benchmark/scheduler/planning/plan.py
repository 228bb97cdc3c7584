"""Grid to jobs: a pure function; and the choice of some of them by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from benchmark import registry
from benchmark.corpora.datasets.dataset import Absent
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.checkpoints import Checkpoints
from benchmark.scheduler.planning.end_to_end import EndToEnd
from benchmark.scheduler.planning.exams import Exams
from benchmark.scheduler.planning.keys import Plan
from benchmark.scheduler.planning.probes import Probes
from benchmark.scheduler.planning.rows import rows
from benchmark.store.job import Job


def plan(grid: Grid) -> dict[str, Job]:
    """All jobs of `grid`, keyed by content: the sound, then a trial of each part, then row by row.

    Raises:
        UserError: an unknown name, data that is not there, or a pair that cannot work together; nothing has run yet.
    """
    try:
        return _plan(grid)
    except Absent as error:
        others = " or ".join(f"--grid {grid.name}:{variant}" for variant in grid.variants)
        raise UserError(f"{error}{f' Without it: {others}' if others else ''}") from error


def _plan(grid: Grid) -> dict[str, Job]:
    found, result = rows(grid), Plan()
    for name in (*grid.tasks, *grid.snapshots.tasks):
        registry.tasks.get(name)  # a slip of the pen is named before anything else is looked for
    checkpoints, exams = Checkpoints(grid, found, result), Exams(grid, result)
    probes, end_to_end = Probes(grid, result, checkpoints, exams), EndToEnd(grid, found, result, checkpoints, exams)
    for row in found:
        for encoder, seed in row.checkpoints(grid):
            if row.cls.supervised:
                end_to_end.add(row, encoder, seed)
            elif grid.protocol == "finetune":
                end_to_end.add(row, encoder, seed, checkpoints.of(row, encoder, seed))
            else:
                probes.add(row, encoder, seed)
    return result.jobs


def select(jobs: dict[str, Job], only: Sequence[str] = (), exclude: Sequence[str] = ()) -> dict[str, Job]:
    """The jobs whose names match a pattern of `only` (all, if there is none), with all that they need.

    Args:
        exclude: patterns of jobs to leave out, and with them whatever needs them.

    Raises:
        UserError: a pattern matches no job.
    """
    names = [job.name for job in jobs.values()]
    for pattern in (*only, *exclude):
        if not fnmatch.filter(names, pattern):
            raise UserError(f"{pattern!r} matches no job; 'plan --all' lists them, and * stands for anything")
    out: set[str] = set()
    for key, job in jobs.items():  # a plan lists a job after all that it needs
        if any(fnmatch.fnmatchcase(job.name, p) for p in exclude) or not out.isdisjoint(job.needs):
            out.add(key)
    keep = {
        key
        for key, job in jobs.items()
        if key not in out and (not only or any(fnmatch.fnmatchcase(job.name, p) for p in only))
    }
    if not keep:
        raise UserError(f"nothing is left to run: --exclude {' '.join(exclude)} takes out all")
    for key in reversed(jobs):
        if key in keep:
            keep.update(jobs[key].needs)
    return {key: job for key, job in jobs.items() if key in keep}
