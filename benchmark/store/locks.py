"""Who is making an artefact: a lock file per key, so that several drivers share one store and do no job twice.

A claim names its host and process. On the same host it is void once that process is gone; from another host, once its
file has not been touched for a while, by the clock of the file system that all of them share.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from pathlib import Path

import psutil

from benchmark.files import host_name
from benchmark.interfaces import UserError
from benchmark.store.job import Job, Stores

#: a claim from another host that nobody renewed for so long is void, seconds
STALE = 300.0
_RENEW = 60.0


class Locks:
    """This process's claims, by the path of their lock files. A thread renews them until `release`."""

    def __init__(self) -> None:
        self._mark = f"{host_name()}.{os.getpid()}"
        self._text = json.dumps({"host": host_name(), "pid": os.getpid(), "born": born(os.getpid())})
        self._held: set[Path] = set()
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def take(self, path: Path) -> bool:
        """Claim what `path` locks; False if another living process has it."""
        if path in self._held:
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        while not self._made(path):
            void = self._void(path)
            if void is None:
                return False
            self._remove(path, void)
        with self._lock:
            self._held.add(path)
        return True

    def drop(self, path: Path) -> None:
        """Give a claim up: the artefact stands, or somebody else may try."""
        with self._lock:
            held = path in self._held
            self._held.discard(path)
        if held:
            path.unlink(missing_ok=True)

    def sweep(self, folder: Path) -> None:
        """Remove the claims of processes that are gone."""
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if "." not in path.name and (void := self._void(path)):
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
            draft.write_text(self._text)
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise UserError(f"{path.parent}: no lock can be made there ({error.strerror}); nothing is lost") from error
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _void(self, path: Path) -> str | None:
        """The text of a claim whose owner is gone; None if it stands."""
        try:
            text, touched = path.read_text(), path.stat().st_mtime
        except FileNotFoundError:
            return ""
        try:
            owner = json.loads(text)
            here = owner["host"] == host_name()
        except (ValueError, KeyError, TypeError):  # a power cut may leave one empty
            here = False
        gone = born(owner["pid"]) != owner["born"] if here else self._now(path.parent) - touched > STALE
        return text if gone else None

    def _remove(self, path: Path, void: str) -> None:
        """Remove a void claim, unless another process has done so, and may hold a new one by now.

        Whoever removes holds the file's own lock, which ends with its process: nobody takes a new claim for the void
        one, nor is there a moment in which a living claim is not at its place.
        """
        with contextlib.suppress(FileNotFoundError), path.open("r+") as claim:
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

    def _renew(self) -> None:
        while not self._ended.wait(_RENEW):
            with self._lock:
                held = list(self._held)
            for path in held:
                with contextlib.suppress(OSError):
                    os.utime(path)


class StoreLocks:
    """Claims on jobs: a lock file each, in the store that its artefact will be in."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._locks = stores, Locks()

    def take(self, job: Job) -> bool:
        """Claim a job; False if another driver has it."""
        return self._locks.take(self._path(job))

    def drop(self, job: Job) -> None:
        """Give the claim up."""
        self._locks.drop(self._path(job))

    def release(self) -> None:
        """Give all claims up."""
        self._locks.release()

    def sweep(self) -> None:
        """Clear away the claims of drivers that are gone."""
        for store in (self._stores.data, self._stores.out):
            self._locks.sweep(store.root / "locks")

    def _path(self, job: Job) -> Path:
        return self._stores.of(job.kind).root / "locks" / job.key


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
