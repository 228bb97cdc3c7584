"""Which results folders use a store: each says where its artefacts are, and which; the store, who has said so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmark.files import read_json, replacing
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


_LINK, _USER = TypeAdapter(Link), TypeAdapter(dict[str, Path])


def link(out: Path, store: Path, keys: Iterable[str]) -> None:
    """Note in a results folder where its artefacts are, and in their store who uses them."""
    _write(out / LINK, {"store": str(store), "keys": sorted(keys)})
    _write(store / USERS / f"{hashlib.sha256(str(out).encode()).hexdigest()[:32]}.json", {"out": str(out)})


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


def users(store: Path) -> list[Path]:
    """The results folders that use a store, as far as they are there."""
    found = []
    for path in sorted((store / USERS).glob("*.json")):
        try:
            found.append(_USER.validate_json(path.read_bytes())["out"])
        except (ValueError, KeyError) as error:
            raise UserError(f"{path} says nothing that can be read: remove it, and run its grid again") from error
    return [folder for folder in found if (folder / LINK).is_file()]


def _write(path: Path, said: dict[str, Any]) -> None:
    if read_json(path) == said:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_text(json.dumps(said))
    except OSError as error:
        raise UserError(f"{path.parent}: it cannot be written to ({error.strerror}); choose another one") from error
