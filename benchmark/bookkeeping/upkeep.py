"""A store's upkeep: what in it is damaged, and what no grid needs. Symbolic links are never followed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.bookkeeping.collect import COLLECTED
from benchmark.bookkeeping.outputs import link_of, users
from benchmark.files import is_orphan, read_json
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.grid_files import load
from benchmark.scheduler.planning.keys import ENGINE
from benchmark.scheduler.planning.plan import plan
from benchmark.store.artefacts import KEY, RESERVED, CorruptArtefact, Store
from benchmark.store.locks import Locks

_KIND = re.compile(r"[a-z][a-z0-9_-]*")
#: what tells an artefact from others of its kind, in a line
_TELLING = (
    "strategy",
    "encoder",
    "corpus",
    "reads",
    "task",
    "corruption",
    "fraction",
    "resample",
    "seed",
    "share",
    "start",
)


class Address(NamedTuple):
    """Where an artefact lies in a store."""

    kind: str
    key: str


@dataclass(frozen=True)
class Damage:
    """An artefact that is not what was written, what it was for, and what is wrong with it."""

    at: Address
    about: str
    problems: list[str]


@dataclass(frozen=True)
class Garbage:
    """A path that can go.

    Args:
        what: `artefact`, `scratch`, `temporary` or `log`.
        path: a file or a folder.
        about: what it was for, and why it can go.
        at: of an artefact, its address.
    """

    what: str
    path: Path
    about: str
    at: Address | None = None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        inner = (Path(folder) / name for folder, _, names in os.walk(self.path) for name in names)
        return sum(path.lstat().st_size for path in (inner if _is_folder(self.path) else [self.path]))


def existing(folder: Path) -> tuple[Store, Set[str] | None]:
    """The store of a data folder, or of a results folder, whose artefacts lie elsewhere, and which of them are its own.

    Returns:
        The store, and keys; None if all artefacts there are meant.

    Raises:
        UserError: there is none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name a results folder or a data folder")
    if any(_contents(folder)):
        return Store(folder), None
    used = link_of(folder)
    if used is None:
        raise UserError(f"{folder}: there is no artefact in it; name a results folder or a data folder")
    if not used.store.is_dir():
        raise UserError(f"{folder}: its artefacts are in {used.store}, which is not there")
    return Store(used.store), used.keys


def scored(folder: Path) -> frozenset[str]:
    """Keys of what a results folder's tables are made of; none where it is no results folder, or nobody has said so."""
    record = read_json(folder / COLLECTED)
    return frozenset(map(str, record.get("keys", []))) if isinstance(record, dict) else frozenset()


def artefacts(store: Store, keys: Set[str] | None = None) -> list[Address]:
    """All folders with an artefact's name, whole or not, by kind and key; or those of them with such keys."""
    return [at for at in _contents(store.root)[0] if keys is None or at.key in keys]


def strangers(store: Store) -> list[Path]:
    """What lies among artefacts and is named as none of them, or is a symbolic link: the user's, so it stays."""
    return _contents(store.root)[1]


def damaged(store: Store, keys: Set[str] | None = None) -> Iterator[Damage]:
    """Read every byte of all artefacts, or of those with such keys, and tell of those that are not what was written."""
    for at in artefacts(store, keys):
        problems = store.verify(*at)
        if problems and store.folder(*at).is_dir():  # else a run has let it go meanwhile
            yield Damage(at, about(store, at), problems)


def about(store: Store, at: Address) -> str:
    """What an artefact is for, in a line; empty if its manifest is not sound."""
    try:
        spec: dict[str, Any] = store.manifest(*at)["spec"]
    except CorruptArtefact:
        return ""
    line = ", ".join(f"{name} {spec[name]}" for name in _TELLING if name in spec)
    return "".join(c if c.isprintable() else "?" for c in line)  # an imported name must not speak to the terminal


def needed_by(grids: list[str], store: Path) -> set[str]:
    """Keys of all jobs of some grids, and of what was last run into each results folder that uses a store.

    Args:
        grids: a name, the path of a YAML file, or a results folder: then the grid of its last run, options and all.
        store: what folders show of it is not garbage, whatever options and engine it was run with.

    Raises:
        UserError: there is no grid and no such folder, or a grid cannot be planned.
    """
    used = users(store)
    if not grids and not used:
        raise UserError("which grids are to be kept? name each with --grid (a name, a YAML file, or a results folder)")
    return {key for name in grids for key in plan(_grid(name))}.union(*(user.uses for user in used))


def _grid(name: str) -> Grid:
    recorded = _recorded(Path(name))
    return recorded["grid"] if recorded else load(name)


def _recorded(folder: Path) -> dict[str, Any]:
    """What a results folder's last run left about itself; empty if there is nothing."""
    path = folder / COLLECTED
    try:
        record: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
        return {**record, "grid": Grid.model_validate(record["grid"])} if record else {}
    except (ValueError, TypeError, KeyError) as error:  # a power cut, or a version whose grids had other fields
        raise UserError(f"{path} says nothing that this version can read: run the grid again, then it does") from error


def garbage(store: Store, needed: Set[str]) -> Iterator[Garbage]:
    """What can go: artefacts that are not needed or not whole, and what finished or vanished jobs left behind.

    Only kinds of which grids are made: others (toys, plugins' own) are kept. Temporaries of other hosts are theirs.
    """
    for at in artefacts(store):
        if at.kind in ENGINE and (at.key not in needed or not store.is_done(*at)):
            why = about(store, at) or "its manifest is missing or damaged"
            yield Garbage("artefact", store.folder(*at), why if at.key not in needed else f"damaged: {why}", at)
    for kind in _folders(store.root / "scratch"):
        for folder in _folders(kind):
            at = Address(kind.name, folder.name)
            if at.key not in needed or store.is_done(*at):
                yield Garbage("scratch", folder, f"of {kind.name} {folder.name[:12]}")
    for path in sorted((store.root / "tmp").glob("*")):
        if is_orphan(path.name):
            yield Garbage("temporary", path, "of a process that is gone")
    logs = store.root / "logs"
    for path in sorted(logs.glob("*.log")) if _is_folder(logs) else []:
        if KEY.fullmatch(path.stem) and path.stem not in needed:
            yield Garbage("log", path, "of a job that is not needed")


def is_in_use(store: Store) -> bool:
    """Whether a living driver has claimed a job in this store; claims of dead ones are removed."""
    locks = Locks()
    try:
        paths = [path for path in (store.root / "locks").glob("*") if KEY.fullmatch(path.name)]
        return not all(locks.take(path) for path in paths)
    finally:
        locks.release()


def remove(store: Store, found: Garbage) -> None:
    """Remove a piece of garbage."""
    if found.at:
        store.discard(*found.at)
    elif _is_folder(found.path):
        shutil.rmtree(found.path)
    else:
        found.path.unlink(missing_ok=True)


def _contents(root: Path) -> tuple[list[Address], list[Path]]:
    """Artefacts, and strangers among them."""
    found: list[Address] = []
    others = [path for path in sorted(root.iterdir()) if path.name in ENGINE and not _is_folder(path)]
    for kind in _folders(root):
        if _KIND.fullmatch(kind.name) and kind.name not in RESERVED:
            addresses, rest = _of_kind(kind)
            found += addresses
            # any other folder of the user's is not a kind's
            others += rest if addresses or kind.name in ENGINE else []
    return found, others


def _of_kind(kind: Path) -> tuple[list[Address], list[Path]]:
    prefixes = _folders(kind)
    inner = [path for prefix in prefixes for path in sorted(prefix.iterdir())]
    own = [
        path for path in inner if _is_folder(path) and KEY.fullmatch(path.name) and path.parent.name == path.name[:2]
    ]
    rest = [path for path in [*sorted(kind.iterdir()), *inner] if path not in {*prefixes, *own}]
    return [Address(kind.name, path.name) for path in own], rest


def _folders(path: Path) -> list[Path]:
    return [inner for inner in sorted(path.iterdir()) if _is_folder(inner)] if _is_folder(path) else []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
