"""Jobs by key: the hash of all that a job's result depends on, the version of what computes it included."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.own_code import look_again
from benchmark.store.artefacts import content_key, key_of
from benchmark.store.job import DATA_KINDS, Job

#: what each kind of job computes: bump it when that changes; what builds on it follows by its key
ENGINE = {
    "catalog": 3,
    "labels": 1,
    "shard": 4,
    "waveforms": 4,
    "trunk": 1,
    "pretrain": 3,
    "snapshot": 1,
    "embed": 4,
    "probe": 8,
    "control": 10,
    "supervised": 9,
    "preflight": 2,
}


#: under which name a specification has the entry of an axis
_NAMED = {"strategies": "strategy", "encoders": "encoder", "tasks": "task", "corpora": "corpus"}


class Plan:
    """The jobs of a grid, by key."""

    def __init__(self) -> None:
        look_again()
        self.jobs: dict[str, Job] = {}
        self._alike: dict[str, list[str]] = {}

    def add(
        self,
        kind: str,
        name: str,
        spec: dict[str, Any],
        needs: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        aside: dict[str, Any] | None = None,
    ) -> str:
        """Add a job (once) and return its key.

        Args:
            needs: what it reads; its result depends on those.
            after: what has to succeed first, although nothing of it is read.
            aside: said to the job, but no part of its key (the store's `ASIDE`).
        """
        keyed, unedited = _apart(spec)
        aside = {**(aside or {}), **({"unedited": unedited} if unedited else {})}
        full = {"kind": kind, "engine": ENGINE[kind], "needs": list(needs), **keyed, **aside}
        key = key_of(full)
        # equal jobs are one, under the name of the first
        self.jobs.setdefault(key, Job(key, kind, name, full, needs + after, kind in DATA_KINDS))
        return key

    def share(self, key: str, made_from: dict[str, Any]) -> None:
        """Say what a job makes its artefact from: whichever made from the same runs, leaves the later ones' as well.

        It needs no other jobs than they do, and no key depends on who carries whom.
        """
        before = self._alike.setdefault(content_key(made_from), [])
        if key in before:
            return
        passenger = self.jobs[key]
        for carrier in before:
            other = self.jobs[carrier]
            self.jobs[carrier] = replace(other, carries=(*other.carries, passenger))
        self.jobs[key] = replace(passenger, rides=tuple(before))
        before.append(key)


def source(axis: registry.Registry[Any], name: str) -> dict[str, str]:
    """The hash of a plugin's code, or of ours where it is edited: nobody bumps a version for that. Else it is empty."""
    return {f"{axis.axis}_source": axis.source_hash(name)}


def _apart(spec: dict[str, Any]) -> tuple[dict[str, Any], list[list[str]]]:
    """A specification without empty hashes, and axis and name of the entries that have one, a teacher's among them."""
    unedited = [[axis, spec[named]] for axis, named in _NAMED.items() if spec.get(f"{axis}_source") == ""]
    keyed = {name: value for name, value in spec.items() if not (name.endswith("_source") and value == "")}
    if "teacher" in keyed:
        keyed["teacher"], others = _apart(keyed["teacher"])
        unedited += others
    return keyed, unedited


def check_source(spec: dict[str, Any]) -> None:
    """Make sure that the code of entries is what a job was planned with, when a process first comes to use it.

    Raises:
        UserError: it is not; what that code makes must not lie under this key.
    """
    planned = [(axis, name, "") for axis, name in spec.get("unedited", [])]
    for one in (spec, spec.get("teacher", {})):
        sources = ((axis, named, one.get(f"{axis}_source", "")) for axis, named in _NAMED.items())
        planned += [(axis, one[named], source) for axis, named, source in sources if source]
    for axis, name, source in planned:
        if source != _at_first_use(axis, name):
            raise UserError(
                f"{axis} {name!r}: its code was edited after this run was planned, or is another on this "
                "machine; run again, which makes anew what depends on it"
            )


@cache
def _at_first_use(axis: str, name: str) -> str:
    look_again()
    found: registry.Registry[Any] = getattr(registry, axis)
    return found.source_hash(name)
