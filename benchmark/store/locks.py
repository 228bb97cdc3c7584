"""Who is making an artefact: a lock file per key, so that several drivers share one store and do no job twice.

A claim names its host and process. On the same host it is void once that process is gone. From another host, or if it
says nothing that can be read, it is void once its file has not been touched for a while: by the clock of the file
system that all of them share or, since clocks are set, by the time for which we have looked at it ourselves.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import Field, TypeAdapter

from benchmark.files import host_name
from benchmark.interfaces import UserError
from benchmark.store.job import Job, Stores

#: a claim from another host that nobody renewed for so long is void, seconds
STALE = 300.0
_RENEW = 60.0
#: what file systems say that know no hard links
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@dataclass(frozen=True)
class Owner:
    """A process, told from a later one of its number by its birth."""

    host: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    born: float

    @classmethod
    def read(cls, claim: bytes) -> Owner | None:
        """Whose a claim is; None if it does not say (a power cut may leave one empty)."""
        try:
            return _OWNER.validate_json(claim)
        except ValueError:
            return None

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this host, which can be asked for."""
        return self.host == host_name()

    @property
    def is_alive(self) -> bool:
        """Whether a process of this host is still there."""
        return born(self.pid) == self.born

    def __str__(self) -> str:
        if not self.is_here:
            return f"process {self.pid} of {self.host}"
        stopped = f", which is stopped ('kill -CONT {self.pid}' lets it go on)" if is_stopped(self.pid) else ""
        return f"process {self.pid} of this machine{stopped}"


_OWNER = TypeAdapter(Owner)


class Locks:
    """This process's claims, by the path of their lock files. A thread renews them until `release`."""

    def __init__(self) -> None:
        self._mark = f"{host_name()}.{os.getpid()}"
        self._text = json.dumps({"host": host_name(), "pid": os.getpid(), "born": born(os.getpid())}).encode()
        self._held: set[Path] = set()
        #: claims that stood in the way, how they looked, and since when they have
        self._seen: dict[Path, tuple[tuple[bytes, float], float]] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def take(self, path: Path) -> bool:
        """Claim what `path` locks; False if another living process has it."""
        if path in self._held and self._is_ours(path):
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        while not self._made(path):
            void = self._void(path)
            if void is None:
                return False
            self._remove(path, void)
        self._seen.pop(path, None)
        with self._lock:
            self._held.add(path)
        return True

    def holder(self, path: Path) -> str:
        """Who has what `path` locks, for people; empty if nobody has."""
        try:
            owner = Owner.read(path.read_bytes())
        except FileNotFoundError:
            return ""
        return str(owner or f"nobody who can be read: {path} is damaged")

    def drop(self, path: Path) -> None:
        """Give a claim up: the artefact stands, or somebody else may try."""
        with self._lock:
            held = path in self._held
            self._held.discard(path)
        if held:
            self._remove(path, self._text)  # while we were stopped, another host may have taken it over

    def sweep(self, folder: Path) -> None:
        """Remove the claims of processes that are gone."""
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if "." not in path.name and (void := self._void(path)) is not None:
                self._remove(path, void)

    def release(self) -> None:
        """Give up whatever is still held, and stop renewing."""
        self._ended.set()
        self._thread.join()
        for path in list(self._held):
            self.drop(path)

    def _made(self, path: Path) -> bool:
        """Link a complete file to its place: nobody ever reads half of one, and it fails if there is one already."""
        draft = path.with_name(f"{path.name}.{self._mark}.new")
        try:
            draft.write_bytes(self._text)
            _link(draft, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise UserError(f"{path.parent}: no lock can be made there ({error.strerror}); nothing is lost") from error
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _void(self, path: Path) -> bytes | None:
        """The text of a claim whose owner is gone; None if it stands."""
        try:
            text, touched = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            return b""
        owner = Owner.read(text)
        is_void = not owner.is_alive if owner and owner.is_here else self._is_silent(path, text, touched)
        return text if is_void else None

    def _is_silent(self, path: Path, text: bytes, touched: float) -> bool:
        """Whether nobody renews a claim."""
        now = time.monotonic()
        looks, since = self._seen.get(path, (None, now))
        if looks != (text, touched):
            since = now
        self._seen[path] = (text, touched), since
        return now - since > STALE or self._now(path.parent) - touched > STALE

    def _remove(self, path: Path, void: bytes) -> None:
        """Remove a claim that is void, or ours, unless another process has, and may hold a new one by now.

        Whoever removes holds the file's own lock, which ends with its process: nobody takes a new claim for the void
        one, nor is there a moment in which a living claim is not at its place.
        """
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as claim:
            with contextlib.suppress(OSError):  # a file system without such locks: two may meet, as good as never
                fcntl.flock(claim, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(claim.fileno()), path.stat()) and claim.read() == void:
                path.unlink()

    def _now(self, folder: Path) -> float:
        """The time by the file system's clock: hosts disagree."""
        clock = folder / f"clock.{self._mark}.new"
        clock.touch()
        now = clock.stat().st_mtime
        clock.unlink()
        return now

    def _is_ours(self, path: Path) -> bool:
        try:
            return path.read_bytes() == self._text
        except FileNotFoundError:
            return False

    def _renew(self) -> None:
        while not self._ended.wait(_RENEW):
            with self._lock:
                held = list(self._held)
            for path in held:
                with contextlib.suppress(OSError):
                    if self._is_ours(path):
                        os.utime(path)


class StoreLocks:
    """Claims on jobs: a lock file each, in the store that its artefact will be in."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._locks = stores, Locks()

    def attend(self) -> None:
        """Let whoever would clean a store see that a driver is at work on it, whatever it does at the moment."""
        name = hashlib.sha256(f"{host_name()} {os.getpid()} {born(os.getpid())}".encode()).hexdigest()
        for store in (self._stores.data, self._stores.results):
            self._locks.take(store.root / "locks" / name)

    def take(self, job: Job) -> bool:
        """Claim a job; False if another driver has it."""
        return self._locks.take(self._path(job))

    def drop(self, job: Job) -> None:
        """Give the claim up."""
        self._locks.drop(self._path(job))

    def holder(self, job: Job) -> str:
        """Who has claimed a job, for people; empty if nobody has."""
        return self._locks.holder(self._path(job))

    def release(self) -> None:
        """Give all claims up."""
        self._locks.release()

    def sweep(self) -> None:
        """Clear away the claims of drivers that are gone."""
        for store in (self._stores.data, self._stores.results):
            self._locks.sweep(store.root / "locks")

    def _path(self, job: Job) -> Path:
        return self._stores.of(job.kind).root / "locks" / job.key


def _link(draft: Path, path: Path) -> None:
    """Bring a complete file to a place where none is.

    Raises:
        FileExistsError: there is one.
    """
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # made at its place: for a moment it is empty, which to others is a claim that says nothing, and stands
        with path.open("xb") as claim:
            claim.write(draft.read_bytes())


def is_stopped(pid: int) -> bool:
    """Whether a process of this host is stopped (SIGSTOP, Ctrl-Z, a debugger)."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def born(pid: int) -> float | None:
    """When a process started, which tells it from a later one of the same number; None if it is gone.

    In ticks since the machine's start where the system tells: clocks that are set must not make a process look new.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        return float(stat.read_text().rpartition(")")[2].split()[19]) if stat.exists() else process.create_time()
    except (psutil.Error, OSError):
        return None
