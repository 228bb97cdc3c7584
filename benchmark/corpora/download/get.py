"""What a data set lacks, and how it comes here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.corpora.datasets.completeness import doubts
from benchmark.corpora.datasets.dataset import DATA_HOME, Absent, DataSet
from benchmark.corpora.download.fetch import fetch, length, partial, size
from benchmark.corpora.download.sources import Remote
from benchmark.corpora.download.unpack import check_room, unpack
from benchmark.interfaces import UserError

#: where files grow within a data set's folder; hidden, so that no reader takes them for its own
DOWNLOADS = ".downloads"


@dataclass(frozen=True)
class Lacking:
    """A file that is still to come.

    Attributes:
        here: bytes that have come already.
        bytes: how many it has, None if nobody says.
    """

    remote: Remote
    here: int
    bytes: int | None


def place_of(cls: type[DataSet]) -> Path:
    """Its folder, there or not.

    Raises:
        UserError: it cannot be downloaded, or nobody said where to.
    """
    name = cls.info.name
    if not cls.sources:
        raise UserError(f"{name} cannot be downloaded by this command ({cls.licence}). {cls.get}")
    root = os.environ.get(DATA_HOME)
    if not root:
        raise UserError(f"{name}: say where to put it: --data-home or {DATA_HOME}")
    try:
        return cls.home()
    except Absent:
        return Path(root).expanduser() / cls.folder


def is_whole(cls: type[DataSet]) -> bool:
    """Whether a copy is there to which nothing is lacking, however it came."""
    try:
        return None not in cls().lengths() and not doubts(cls())
    except UserError:
        return False


def lacking(cls: type[DataSet], home: Path) -> list[Lacking]:
    """The files that have not become part of its folder yet.

    Raises:
        UserError: a server cannot be reached, or does not have them.
    """
    found = []
    for remote in (remote for source in cls.sources for remote in source.remotes()):
        if not (home / remote.place).exists():
            whole = home / DOWNLOADS / remote.name
            here = size(whole)
            found.append(
                Lacking(remote, here or size(partial(remote, whole.parent)), here or length(remote)),
            )
    return found


def check_disk(home: Path, files: list[Lacking]) -> None:
    """Make sure that what is still to come fits; of archives, only when they are unpacked it shows what those hold.

    Raises:
        UserError: it does not.
    """
    above = next(path for path in (home, *home.parents) if path.exists())
    check_room(above, sum((file.bytes or 0) - file.here for file in files))


def get(file: Lacking, home: Path, tell: Callable[[int], None]) -> None:
    """Bring a file, and make it part of the data set.

    Raises:
        UserError: as `fetch` and `unpack` say; the same once more goes on from there.
    """
    whole, place = fetch(file.remote, home / DOWNLOADS, tell), home / file.remote.place
    if file.remote.packed:
        unpack(whole, place)
        whole.unlink()
    else:
        whole.replace(place)
