"""A grid before it runs: what there is to do, what it will cost, and whether there is room for it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.interfaces import UserError, human
from benchmark.scheduler.estimate import Timings, not_carried
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.passing import room
from benchmark.scheduler.planning.plan import plan, select
from benchmark.scheduler.settings import Settings
from benchmark.scheduler.walk import missing
from benchmark.store.artefacts import human_bytes
from benchmark.store.job import Job, Stores


@dataclass(frozen=True)
class Kind:
    """The jobs of a kind: how many there are in which state, the name of one, what those to do cost in one slot.

    Attributes:
        seconds: of those that such as have run before; None if none has.
    """

    name: str
    to_do: int
    done: int
    not_needed: int
    example: str
    seconds: float | None

    @property
    def cost(self) -> str:
        """In words."""
        return "" if not self.to_do else "?" if self.seconds is None else human(self.seconds)


@dataclass(frozen=True)
class Outlook:
    """A grid before it runs: its jobs, which are to do, and what they will cost."""

    jobs: dict[str, Job]
    todo: set[str]
    stores: Stores
    timings: Timings
    slots: int

    @classmethod
    def of(cls, grid: Grid, settings: Settings) -> Outlook:
        """Plan, and look what is there."""
        stores = settings.stores()
        jobs = select(plan(grid), settings.only, settings.exclude)
        slots = settings.slots(grid.pretrain.devices)
        return cls(jobs, missing(jobs, stores.done), stores, settings.timings(), slots)

    def rows(self) -> list[tuple[str, str, str]]:
        """(state, kind, name) of every job: `done`, `to do`, or `not needed`."""
        return [(self._state(job), job.kind, job.name) for job in self.jobs.values()]

    def kinds(self) -> list[Kind]:
        """All jobs by kind, in the order of the plan."""
        states = {key: self._state(job) for key, job in self.jobs.items()}
        found = []
        for name in dict.fromkeys(job.kind for job in self.jobs.values()):
            own = [job for job in self.jobs.values() if job.kind == name]
            count = Counter(states[job.key] for job in own)
            todo = [job for job in own if job.key in self.todo]
            cost, unknown = self.timings.total(todo)
            seconds = None if todo and unknown == len(not_carried(todo)) else cost.seconds
            first = (todo or own)[0].name
            found.append(Kind(name, count["to do"], count["done"], count["not needed"], first, seconds))
        return found

    def told(self) -> dict[str, Any]:
        """All of it for scripts."""
        todo = [self.jobs[key] for key in self.todo]
        cost, unknown = self.timings.total(todo)
        return {
            "to_do": len(todo),
            "jobs": [dict(zip(("state", "kind", "name"), row, strict=True)) for row in self.rows()],
            "kinds": [asdict(kind) for kind in self.kinds()],
            "slot_seconds": cost.seconds,
            "slots": self.slots,
            "bytes": room(todo, self.timings, self.slots),
            "of_unknown_cost": unknown,
        }

    def _state(self, job: Job) -> str:
        if job.key in self.todo:
            return "to do"
        return "done" if self.stores.done(job) else "not needed"

    def summary(self) -> str:
        """How much there is to do."""
        count = f"{len(self.todo)} of {len(self.jobs)} jobs to do"
        if not self.todo:
            return count
        todo = [self.jobs[key] for key in self.todo]
        cost, unknown = self.timings.total(todo)
        bytes_ = room(todo, self.timings, self.slots)
        if unknown == len(not_carried(todo)):
            size = f", but for {human_bytes(bytes_)} on the disk" if bytes_ else ""
            return f"{count}; no earlier runs on such a device to estimate their cost from{size}"
        text = f"{count}: about {human(cost.seconds)} of one slot, {human(cost.seconds / self.slots)} on {self.slots}, "
        text += f"{human_bytes(bytes_)} on the disk"
        return f"{text}, and {unknown} jobs such as none has run before" if unknown else text


def check_space(todo: list[Job], timings: Timings, stores: Stores, slots: int) -> None:
    """Compare what jobs will take up with what is free.

    Raises:
        UserError: a disk is too small.
    """
    disks = [os.stat(store.root).st_dev for store in (stores.data, stores.results)]
    for store, disk, flag in ((stores.data, disks[0], "--data-dir"), (stores.results, disks[1], "--store")):
        there = [job for job in todo if os.stat(stores.of(job.kind).root).st_dev == disk]
        wanted, free = room(there, timings, slots), shutil.disk_usage(store.root).free
        if wanted > free:
            raise UserError(
                f"{store.root}: {human_bytes(free)} are free, and the jobs will write {human_bytes(wanted)} by earlier "
                f"ones; free some, or choose a larger disk with {flag}"
            )
