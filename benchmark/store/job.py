"""A job is plain data: what to make, under which key, from what; and which of two stores its artefact is in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.store.artefacts import CorruptArtefact, Store

#: jobs whose artefacts belong to the data folder: shared by all grids
DATA_KINDS = ("catalog", "labels", "shard", "waveforms")
#: jobs whose artefacts nobody wants for themselves: large, and soon made again
PASSING_KINDS = ("shard", "embed")
_IN_A_STORE = re.compile(r"/(?P<kind>[a-z][a-z0-9_-]*)/(?P<head>[0-9a-f]{2})/(?P<key>(?P=head)[0-9a-f]{62})/")


@dataclass(frozen=True)
class Job:
    """A step of the benchmark.

    Args:
        key: content key of `spec`; the artefact's address.
        kind: which function runs it, and the store's folder.
        name: for people, such as `pretrain simclr cnn_small seed 0`.
        spec: all that its result depends on.
        needs: keys of the jobs that have to be done first; it reads the artefacts of those that `spec` names.
        on_cpu: whether it computes nothing on a GPU.
        carries: jobs whose artefacts it leaves as well, if they are not there: it has made what they are made from.
        rides: keys of the jobs that carry this one: those of them that are to run at all go first.
    """

    key: str
    kind: str
    name: str
    spec: dict[str, Any]
    needs: tuple[str, ...] = ()
    on_cpu: bool = False
    carries: tuple[Job, ...] = ()
    rides: tuple[str, ...] = ()

    @property
    def passing(self) -> bool:
        """Whether its artefact is there for those alone that need it."""
        return self.kind in PASSING_KINDS


class Stores:
    """The store of sound and labels, and that of trainings, embeddings and scores, which may be the same folder.

    Attributes:
        data: of `DATA_KINDS`.
        results: of all others.
    """

    def __init__(self, data: Path, results: Path) -> None:
        self.data, self.results = Store(data), Store(results)

    def of(self, kind: str) -> Store:
        """The store of a kind's artefacts."""
        return self.data if kind in DATA_KINDS else self.results

    def done(self, job: Job) -> bool:
        """Whether the job's artefact is there."""
        return self.of(job.kind).is_done(job.kind, job.key)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """A block that reads artefacts, which another driver may let go meanwhile.

        Raises:
            CorruptArtefact: a file is missing, and so is its artefact: that is to be made again.
        """
        try:
            yield
        except FileNotFoundError as error:
            found = _IN_A_STORE.search(str(error))
            if found is None or self.of(found["kind"]).is_done(found["kind"], found["key"]):
                raise
            raise CorruptArtefact(found["kind"], found["key"], ["it went while it was read"]) from error
