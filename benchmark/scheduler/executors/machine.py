"""What this machine is, and how much of it is ours: affinity and cgroups, of either version, may leave less of it."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psutil

_UNLIMITED = ("max", "-1")


def cores(root: Path = Path("/")) -> int:
    """Cores that may be used; at least one.

    Args:
        root: where `proc` and `sys` are.
    """
    quotas = [quota for folder in _groups("cpu", root) for quota in _quotas(folder)]
    return max(1, int(min([len(os.sched_getaffinity(0)), *quotas])))


def memory(root: Path = Path("/")) -> float:
    """Bytes of memory that may be used."""
    files = [folder / name for folder in _groups("memory", root) for name in ("memory.max", "memory.limit_in_bytes")]
    limits = [limit for file in files for limit in _numbers(file)[:1]]
    return min([float(psutil.virtual_memory().total), *limits])


@cache
def processor(root: Path = Path("/")) -> str:
    """What the processor is called."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", (root / "proc" / "cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def _quotas(folder: Path) -> Iterator[float]:
    """Cores by the quota of a cgroup, as version 2 writes it, then as version 1 does."""
    both = _numbers(folder / "cpu.max") or [
        *_numbers(folder / "cpu.cfs_quota_us"),
        *_numbers(folder / "cpu.cfs_period_us"),
    ]
    if len(both) == 2 and both[1] > 0:
        yield both[0] / both[1]


def _numbers(file: Path) -> list[float]:
    """What a file of a cgroup says; nothing if it is not there, or there is no limit."""
    try:
        words = file.read_text().split()
        return [] if words[:1] and words[0] in _UNLIMITED else [float(word) for word in words]
    except (OSError, ValueError):
        return []


def _groups(controller: str, root: Path) -> list[Path]:
    """The folders of this process's cgroups that hold a controller, and of those that they are in.

    In a container the path may be the host's: then what is mounted is the container's own.
    """
    try:
        lines = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:  # another system
        return []
    found: list[Path] = []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        for mount in (controllers, controller) if controllers else (".", "unified"):
            base = root / "sys/fs/cgroup" / mount
            own = base / path.lstrip("/")
            found += [own, *(folder for folder in own.parents if folder.is_relative_to(base))]
    return found
