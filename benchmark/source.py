"""Which source runs here: the commit, for whoever wants to make a result again."""

from __future__ import annotations

import contextlib
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).parents[1]


@cache
def commit() -> dict[str, Any]:
    """`commit` of the source, and `dirty`: whether files had been changed since, when this process first asked.

    Nothing where it is no checkout.
    """
    if not (_CHECKOUT / ".git").exists():
        return {}
    head = printed("git", "-C", str(_CHECKOUT), "rev-parse", "HEAD")
    changed = printed("git", "-C", str(_CHECKOUT), "status", "--porcelain", "--untracked-files=no")
    return {"commit": head[0], "dirty": bool(changed)} if head else {}


def printed(*command: str) -> list[str]:
    """The lines that a program prints; none where it is not installed, or fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment)
        return done.stdout.splitlines()
    return []
