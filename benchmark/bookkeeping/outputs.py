"""Which results folders use a store: each says where its artefacts are, and which; the store, who has said so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmark.files import host_name, read_json, replacing
from benchmark.interfaces import UserError

#: in a results folder
LINK = "artefacts.json"
#: in a store: a file for each results folder
USERS = "outputs"


@dataclass(frozen=True)
class Link:
    """What a results folder says of its artefacts.

    Attributes:
        store: the folder of their store.
        keys: of all jobs of its last run.
    """

    store: Path
    keys: frozenset[str]


@dataclass(frozen=True)
class User:
    """A results folder that uses a store, as the store has it.

    Attributes:
        out: the folder, as its machine names it.
        host: that machine; empty where nobody has said it.
        keys: of its artefacts, when it was last run from there.
        note: the file that says so: without it, the store knows of no such folder.
    """

    out: Path
    note: Path
    host: str = ""
    keys: frozenset[str] = frozenset()

    @property
    def is_ours(self) -> bool:
        """Whether it is on this machine, as far as anybody has said."""
        return self.host in ("", host_name())

    @property
    def is_gone(self) -> bool:
        """Whether it was removed: not on another machine, nor on an absent disk, nor renamed where it was."""
        if not self.is_ours or self.out.exists() or not self.out.parent.is_dir():
            return False
        beside = list(self.out.parent.iterdir())  # nothing: a disk is mounted there at other times
        return bool(beside) and not any(self._was(folder) for folder in beside)

    def _was(self, folder: Path) -> bool:
        """Whether a folder is this one by another name."""
        said = read_json(folder / LINK)
        return isinstance(said, dict) and said.get("keys") == sorted(self.keys)

    @property
    def uses(self) -> frozenset[str]:
        """The keys that it says itself, where it can be read."""
        own = link_of(self.out) if self.is_ours else None
        return own.keys if own else self.keys


_LINK, _USER = TypeAdapter(Link), TypeAdapter(User)


def link(out: Path, store: Path, keys: Iterable[str], data: Path | None = None) -> None:
    """Note in a results folder where its artefacts are, and in their store who uses them, and which.

    Args:
        data: another store, of what they are made from: it is told, too.
    """
    known, host = sorted(keys), host_name()
    _write(out / LINK, {"store": str(store), "keys": known})
    name = hashlib.sha256(f"{host}:{out}".encode()).hexdigest()[:32]
    for used in dict.fromkeys((store, data or store)):
        _write(used / USERS / f"{name}.json", {"out": str(out), "host": host, "keys": known})


def link_of(folder: Path) -> Link | None:
    """What a results folder says of its artefacts; None if it says nothing.

    Raises:
        UserError: it says nothing that can be read.
    """
    path = folder / LINK
    try:
        return _LINK.validate_json(path.read_bytes()) if path.is_file() else None
    except ValueError as error:
        raise UserError(f"{path} says nothing that this version can read: run the grid again, then it does") from error


def users(store: Path) -> list[User]:
    """The results folders that use a store, but for those that were removed."""
    found = []
    for path in sorted((store / USERS).glob("*.json")):
        try:
            found.append(_USER.validate_python({**json.loads(path.read_bytes()), "note": path}))
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} says nothing that can be read: remove it, and run its grid again") from error
    return [user for user in found if not user.is_gone]


def _write(path: Path, said: dict[str, Any]) -> None:
    if read_json(path) == said:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_text(json.dumps(said))
    except OSError as error:
        raise UserError(f"{path.parent}: it cannot be written to ({error.strerror}); choose another one") from error
