"""Jobs in the driver itself, one after another: for a debugger, and where starting processes is what costs."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from benchmark.interfaces import Executor, Resources
from benchmark.scheduler.executors.slots import THREAD_VARIABLES
from benchmark.scheduler.executors.worker import log_path


class InlineExecutor:
    """Runs a job as soon as it is submitted, in this very process, on the CPU; what it prints goes to the terminal.

    A job that takes its process down takes the driver with it, and no time limit holds.

    Args:
        log_dir: if given, the traceback of a job that fails goes to `<key>.log` there.
    """

    capacity = 1

    def __init__(self, log_dir: Path | None = None) -> None:
        self._log_dir = log_dir

    @classmethod
    def open(cls, resources: Resources, log_dir: Path | None = None) -> Executor:
        """Set the threads of numeric libraries that are not imported yet, as workers have them."""
        os.environ |= dict.fromkeys(THREAD_VARIABLES, str(resources.threads))
        return cls(log_dir)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `fn(*args)`; the future has ended when this returns."""
        log = log_path(self._log_dir, fn, args)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args))
        except Exception as error:  # whatever a job raises is the walk's to judge
            _note(error, log)
            future.set_exception(error)
        return future

    def shutdown(self) -> None:
        """Nothing is left running."""


def _note(error: Exception, log: Path | None) -> None:
    """Say where a job failed, in its log and in the notes of the error, as workers do."""
    told = traceback.format_exc()
    error.add_note(told)
    if log:
        with contextlib.suppress(OSError), log.open("ab") as stream:  # a full disk: the job's own error tells more
            stream.write(told.encode(errors="backslashreplace"))  # it may quote a file name that is not UTF-8
        error.add_note(f"log: {log}")
