"""Jobs by key: the hash of all that a job's result depends on, the version of what computes it included."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from typing import Any

from benchmark import own_code, registry
from benchmark.interfaces import UserError
from benchmark.store.artefacts import content_key, key_of
from benchmark.store.job import DATA_KINDS, Job

#: what each kind of job computes: bump it when that changes; what builds on it follows by its key
ENGINE = {
    "catalog": 3,
    "labels": 1,
    "shard": 4,
    "waveforms": 4,
    "trunk": 2,
    "pretrain": 4,
    "snapshot": 2,
    "embed": 4,
    "probe": 9,
    "control": 11,
    "supervised": 9,
    "preflight": 2,
}


_AUDIO, _TRAINING, _PROBING = own_code.ROOMS
#: the rooms that do so; whoever edits those gets results of his own without that
_MADE_IN = {
    "shard": (_AUDIO,),
    "trunk": (_AUDIO, _TRAINING),
    "pretrain": (_AUDIO, _TRAINING),
    "snapshot": (_AUDIO, _TRAINING),
    "embed": (_AUDIO, _PROBING),
    "probe": (_PROBING,),
    "control": (_PROBING,),
    "supervised": own_code.ROOMS,
}
#: under which name a specification has the entry of an axis; the engine's are kinds of jobs
_NAMED = {"engine": "kind", "strategies": "strategy", "encoders": "encoder", "tasks": "task", "corpora": "corpus"}


class Plan:
    """The jobs of a grid, by key."""

    def __init__(self) -> None:
        own_code.look_again()
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
        whole = {"kind": kind, "engine": ENGINE[kind], **engine_source(kind), "needs": list(needs), **spec}
        keyed, unedited = _apart(whole)
        full = {**keyed, **(aside or {}), **({"unedited": unedited} if unedited else {})}
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


def engine_source(kind: str) -> dict[str, str]:
    """The same of the engine's rooms that a kind of job is made in."""
    if kind not in _MADE_IN:
        return {}
    lines = [f"{name} {value}" for name, value in own_code.edits_in(*_MADE_IN[kind]).items()]
    return {"engine_source": hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""}


def _apart(spec: dict[str, Any]) -> tuple[dict[str, Any], list[list[str]]]:
    """A specification without empty hashes, and axis and name of the entries that have one, a teacher's among them."""
    unedited = [[axis, spec[named]] for axis, named in _NAMED.items() if spec.get(f"{axis}_source") == ""]
    keyed = {name: value for name, value in spec.items() if not (name.endswith("_source") and value == "")}
    if "teacher" in keyed:
        keyed["teacher"], others = _apart(keyed["teacher"])
        unedited += others
    return keyed, unedited


def check_source(spec: dict[str, Any], is_made: bool = False) -> None:
    """Make sure that the code of entries is what a job was planned with, when a process first comes to use it.

    Args:
        is_made: it has been done, and only what it made is to be used here: the engine may be another.

    Raises:
        UserError: it is not; what that code makes must not lie under this key.
    """
    planned = [(axis, name, "") for axis, name in spec.get("unedited", [])]
    for one in (spec, spec.get("teacher", {})):
        sources = ((axis, named, one.get(f"{axis}_source", "")) for axis, named in _NAMED.items())
        planned += [(axis, one[named], source) for axis, named, source in sources if source]
    for axis, name, source in planned:
        if source != _at_first_use(axis, name) and not (is_made and axis == "engine"):
            raise UserError(
                f"{axis} {name!r}: its code was edited after this run was planned, or is another on this "
                "machine; run again, which makes anew what depends on it"
            )


@cache
def _at_first_use(axis: str, name: str) -> str:
    own_code.look_again()
    if axis == "engine":
        return engine_source(name)["engine_source"]
    found: registry.Registry[Any] = getattr(registry, axis)
    return found.source_hash(name)
