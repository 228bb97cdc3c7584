"""One file over HTTP: what is here is not sent again, and nothing counts whose checksum differs."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import urllib3

from benchmark.corpora.download.sources import TIMEOUT, Remote, reaching, reason
from benchmark.interfaces import UserError

#: attempts in a row that bring nothing, and the seconds between them
PATIENCE, PAUSE = 3, 2.0
_BLOCK = 1 << 18
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: what a server compresses on the way, we would have to count twice
_HEADERS = {"Accept-Encoding": "identity"}
Tell = Callable[[int], None]


def length(remote: Remote) -> int | None:
    """How many bytes it has, None where its server does not say.

    Raises:
        UserError: it cannot be reached.
    """
    with reaching(remote.url):
        answer = requests.head(remote.url, headers=_HEADERS, timeout=TIMEOUT, allow_redirects=True)
    said = answer.headers.get("Content-Length", "")
    return int(said) if answer.ok and said.isdigit() and int(said) else None


def partial(remote: Remote, folder: Path) -> Path:
    """Where it grows."""
    return folder / f"{remote.name}.part"


def fetch(remote: Remote, folder: Path, tell: Tell) -> Path:
    """Bring a file here, or the rest of it.

    Args:
        folder: where it is kept; what has its name there has been checked.
        tell: hears how many bytes are here.

    Raises:
        UserError: the connection or the disk does not allow it, what came stays for the next time; or the checksum
            differs, and nothing stays.
    """
    whole, part = folder / remote.name, partial(remote, folder)
    if not whole.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with room_on(folder):
            _download(remote, part, tell)
        _check(remote, part)
        part.replace(whole)
    return whole


@contextmanager
def room_on(folder: Path) -> Iterator[None]:
    """A full disk is the user's to know.

    Raises:
        UserError: it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise UserError(f"the disk of {folder} is full; nothing is lost: make room, and run the same again") from error


def _download(remote: Remote, part: Path, tell: Tell) -> None:
    """All of it, over as many connections as that takes while each brings something."""
    idle = 0
    while True:
        before = size(part)
        try:
            if _receive(remote, part, tell):
                return
            said = "the connection broke"
        except requests.HTTPError as error:
            raise UserError(f"{remote.url} cannot be had: {reason(error)}") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            said = reason(error)
        idle = idle + 1 if size(part) <= before else 0
        if idle == PATIENCE:
            raise UserError(
                f"{remote.name}: {said}; {size(part):,} bytes are here and stay: run the same again to go on from there"
            )
        time.sleep(PAUSE)


def _receive(remote: Remote, part: Path, tell: Tell) -> bool:
    """Take what one connection brings; returns whether it was the rest."""
    have = size(part)
    asked = {**_HEADERS, **({"Range": f"bytes={have}-"} if have else {})}
    with requests.get(remote.url, headers=asked, timeout=TIMEOUT, stream=True) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return _is_all(answer, part)
        answer.raise_for_status()
        goes_on = answer.status_code == requests.codes.partial_content
        said = answer.headers.get("Content-Length", "")
        wanted = int(said) + have * goes_on if said.isdigit() else None
        with part.open("ab" if goes_on else "wb") as file:
            # not iter_content: it would unpack what an old server calls encoded, a .tar.gz
            for block in answer.raw.stream(_BLOCK, decode_content=False):
                file.write(block)
                tell(file.tell())
    return wanted is None or size(part) == wanted


def _is_all(answer: requests.Response, part: Path) -> bool:
    """Nothing is left to send: either all is here, or more than there is."""
    if answer.headers.get("Content-Range", "").rpartition("/")[2] == str(size(part)):
        return True
    part.unlink()
    return False


def size(part: Path) -> int:
    """Bytes that are here."""
    return part.stat().st_size if part.is_file() else 0


def _check(remote: Remote, part: Path) -> None:
    """Throw away what is not what it should be.

    Raises:
        UserError: it is not.
    """
    kind, _, wanted = remote.checksum.rpartition(":")
    with part.open("rb") as file:
        found = hashlib.file_digest(file, kind or "sha256").hexdigest()
    if found != wanted.lower():
        part.unlink()
        raise UserError(
            f"{remote.name}: its {kind} is {found}, not {wanted}: it was damaged on its way, or is another edition "
            f"now; it has been thrown away. Run the same again; if that does not help, {remote.url} has changed"
        )
