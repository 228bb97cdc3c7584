"""Two executors as one: what needs no GPU runs on cores beside the jobs that do, instead of keeping a GPU waiting."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from benchmark.interfaces import Executor


class SplitExecutor:
    """Sends jobs whose `on_cpu` is true to one executor, and all else to another.

    Args:
        gpus: for jobs that compute on a GPU.
        cores: for the others.
    """

    def __init__(self, gpus: Executor, cores: Executor) -> None:
        self._gpus, self._cores = gpus, cores

    @property
    def capacity(self) -> int:
        """Jobs that can run at once."""
        return self._gpus.capacity + self._cores.capacity

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `fn(*args)`; the first argument is the job."""
        on_cpu = bool(args) and getattr(args[0], "on_cpu", False)
        return (self._cores if on_cpu else self._gpus).submit(fn, *args)

    def shutdown(self) -> None:
        """Stop all workers."""
        self._gpus.shutdown()
        self._cores.shutdown()
