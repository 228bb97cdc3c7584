"""Writing files that others may read meanwhile."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil


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


def host_name() -> str:
    """This machine, as its temporary files and locks name it."""
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


def is_orphan(name: str) -> bool:
    """Whether a temporary file or folder of this host, `*.HOST.PID.*`, has outlived the process that its name tells."""
    host, pid, _ = name.split(".")[-3:] if name.count(".") >= 3 else ("", "", "")
    return host == host_name() and pid.isdigit() and not psutil.pid_exists(int(pid))
