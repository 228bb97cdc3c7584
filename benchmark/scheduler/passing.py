"""Artefacts in passing: waveforms are joined from shards, probes read embeddings; both are many times their product.

They are let go as soon as all that needs them is there: a grid's place on the disk does not grow with its rows. What
is asked for later makes them again, which takes one forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from benchmark.scheduler.estimate import Timings, not_carried
from benchmark.store.job import Job, Stores


class Passing:
    """What may be let go.

    Args:
        jobs: of the whole grid, whichever of them run now: what others need later stays.
        keep: embeddings, whoever needs them.
        used: keys of what others may need at the moment; theirs is to let it go.
    """

    def __init__(
        self, jobs: Mapping[str, Job], stores: Stores, keep: bool = False, used: Callable[[], Set[str]] = frozenset
    ) -> None:
        self._jobs, self._stores, self._used = jobs, stores, used
        passing = (job for job in jobs.values() if job.passing and not (keep and job.kind == "embed"))
        self._behind: dict[str, list[Job]] = {job.key: [] for job in passing}
        for job in jobs.values():
            for need in job.needs:
                if need in self._behind:
                    self._behind[need].append(job)

    def let_go(self, keys: Iterable[str] | None = None) -> None:
        """Discard those of some artefacts, by default of all, that nobody needs any more."""
        behind = ((key, self._behind.get(key, [])) for key in (self._behind if keys is None else keys))
        done = [key for key, readers in behind if readers and all(map(self._stores.done, readers))]
        for key in set(done) - self._used() if done else ():
            job = self._jobs[key]
            self._stores.of(job.kind).discard(job.kind, key)


def room(jobs: Iterable[Job], timings: Timings, slots: int) -> float:
    """Bytes that jobs will take up at once: what stays, and of what passes all shards, or an embedding per slot.

    One slot more than there are, since a job's tables wait for the probes that read them.
    """
    every = list(jobs)
    stays = sum(timings.bytes(job) for job in every if not job.passing)
    shards = sum(timings.bytes(job) for job in every if job.kind == "shard")
    tables = [sum(map(timings.bytes, (job, *job.carries))) for job in not_carried(every) if job.kind == "embed"]
    return stays + max(shards, sum(sorted(tables)[-slots - 1 :]))
