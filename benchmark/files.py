"""Writing files that others may read meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

#: the data folder, here and in workers: `--data-dir` sets it
DATA_FOLDER = "MIR_PRETEXT_DATA"
#: before a file is read again whose disk or network failed, seconds
PAUSES = (1.0, 5.0, 20.0)
#: what is no failure: nothing is there
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` when the block ends, as a whole.

    A reader meets the old file or the new one, and of two writers the last one wins.
    """
    draft = path.with_name(f"{path.name}.{host_name()}.{os.getpid()}.tmp")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def patiently(read: Callable[[Path], T], path: Path) -> T:
    """`read(path)`; after an error of the disk or the network, which says nothing about the file, again in a while.

    Raises:
        OSError: it still fails, and is named; at once if it is not there.
    """
    for pause in (*PAUSES, None):
        try:
            return read(path)
        except ABSENT:
            raise
        except OSError as error:
            if pause is None:  # reading, unlike opening, does not say what
                raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
            time.sleep(pause)
    raise AssertionError("the last pause is none")


def read_through(path: Path) -> None:
    """Read a file to its end, for nothing but the errors of its disk."""
    with path.open("rb") as stream:
        while stream.read(2**20):
            pass


def read_json(path: Path) -> Any:
    """What a file says that can be made anew; None if it is not there, or damaged (a power cut leaves some empty)."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


@cache
def host_name() -> str:
    """This machine and its space of process numbers, as temporary files and locks name it: host names alone repeat."""
    machine, space = Path("/etc/machine-id"), Path("/proc/self/ns/pid")
    identity = (machine.read_text() if machine.is_file() else "") + (os.readlink(space) if space.exists() else "")
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) + "-" + digest


def is_orphan(name: str) -> bool:
    """Whether a temporary file or folder of this host, `*.HOST.PID.*`, has outlived the process that its name tells."""
    host, pid, _ = name.split(".")[-3:] if name.count(".") >= 3 else ("", "", "")
    return host == host_name() and pid.isdigit() and not psutil.pid_exists(int(pid))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, even of kill -9 in the midst of a job."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        # it died before the call above
        os._exit(1)
