"""Jobs in the driver itself, one after another: for a debugger, and where starting processes is what costs."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from benchmark.interfaces import Executor, Resources
from benchmark.scheduler.executors.slots import THREAD_VARIABLES


class InlineExecutor:
    """Runs a job as soon as it is submitted, in this very process, on the CPU; what it prints goes to the terminal.

    A job that takes its process down takes the driver with it, and no time limit holds.
    """

    capacity = 1

    @classmethod
    def open(cls, resources: Resources, log_dir: Path | None = None) -> Executor:
        """Set the threads of numeric libraries that are not imported yet, as workers have them."""
        os.environ |= dict.fromkeys(THREAD_VARIABLES, str(resources.threads))
        return cls()

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `fn(*args)`; the future has ended when this returns."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args))
        except Exception as error:  # whatever a job raises is the walk's to judge
            future.set_exception(error)
        return future

    def shutdown(self) -> None:
        """Nothing is left running."""
