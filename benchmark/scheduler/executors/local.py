"""Jobs on this machine: one persistent worker process per slot (a GPU, or a CPU core).

A worker is a fresh interpreter, so that its environment (threads, visible GPU) is in place before any import,
and it is the only process that its slot's jobs can take down. POSIX only.

Jobs and outcomes cross as pickles, by an anonymous pair of sockets that only the driver and the child it has just
started hold: as with concurrent.futures, both ends are one user's one program, and nothing pickled ever comes from a
file, the network or another user. Artefacts, which do, are never pickles.

What the walk learns of a failure beyond the exception itself is in the exception's notes (PEP 678).
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, TypeVar

from benchmark.interfaces import Executor, Resources, WorkerDied
from benchmark.scheduler.executors.slots import Slot, cpu_slots, slots_for, worker_environment
from benchmark.scheduler.executors.split import SplitExecutor
from benchmark.scheduler.executors.worker import log_path

_Error = TypeVar("_Error", bound=Exception)

_LOG_TAIL_LINES = 20


@dataclass(frozen=True)
class _Task:
    payload: bytes
    log: Path | None
    future: Future[Any]


class LocalExecutor:
    """Runs jobs in one process per slot; whichever slot is free takes the next job.

    Functions are pickled by name: they must be importable. A job finds its device in the environment variable
    MIR_PRETEXT_DEVICE (`cpu` or `cuda:0`).

    Args:
        slots: where jobs run; the same GPU may occur twice.
        threads: threads of each worker's numeric libraries.
        log_dir: if given, what a job prints goes to `<key>.log` there (key of the job, the first argument).
        time_limit: seconds after which a job's process is killed.
    """

    @classmethod
    def open(cls, resources: Resources, log_dir: Path | None = None) -> Executor:
        """On all GPUs of this machine, and on its cores what needs none; without a GPU, on its cores."""
        slots, rest = slots_for(resources), (resources.threads, log_dir, resources.time_limit)
        if slots[0].device == "cpu":
            return cls(slots, *rest)
        return SplitExecutor(cls(slots, *rest), cls(cpu_slots(1, resources.threads)[: resources.workers], *rest))

    def __init__(
        self, slots: list[Slot], threads: int, log_dir: Path | None = None, time_limit: float = math.inf
    ) -> None:
        if not slots:
            raise ValueError("an executor needs at least one slot")
        self.capacity = len(slots)
        self._log_dir, self._time_limit = log_dir, time_limit
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._workers: dict[int, _Worker] = {}
        environments = [worker_environment(slot, threads) for slot in slots]
        # daemon: an interpreter that exits without `shutdown` must reach atexit, not wait for these threads
        self._threads = [
            threading.Thread(target=self._serve, args=item, daemon=True) for item in enumerate(environments)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.shutdown)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `fn(*args)` in the next free worker.

        The future gets the function's exception as it was raised, `WorkerDied`, or `TimeoutError`.
        """
        task = _Task(pickle.dumps((fn, args)), log_path(self._log_dir, fn, args), Future())
        with self._lock:
            if self._closed:
                raise RuntimeError("this executor has been shut down")
            self._tasks.put(task)
        return task.future

    def shutdown(self) -> None:
        """Stop at once: waiting jobs are cancelled, running ones killed, and no process is left."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for worker in self._workers.values():
                    if worker.busy:
                        worker.signal()
                for _ in self._threads:
                    self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        atexit.unregister(self.shutdown)

    def _serve(self, number: int, environment: dict[str, str]) -> None:
        """Body of a slot's thread. It starts the worker itself: the worker's death signal is tied to it."""
        while (task := self._tasks.get()) is not None:
            try:
                worker = self._claim(number, environment, task)
                if worker:
                    _settle(task, worker, self._time_limit)
            except BaseException as error:
                # whatever happened, nobody may wait for this future for ever
                task.future.set_exception(error)
        if number in self._workers:
            self._workers[number].close()

    def _claim(self, number: int, environment: dict[str, str], task: _Task) -> _Worker | None:
        # under the lock: a worker is claimed before a shutdown, which then kills it, or it is not claimed
        with self._lock:
            if self._closed:
                task.future.cancel()
            if not task.future.set_running_or_notify_cancel():
                return None
            worker = self._workers.get(number)
            if worker is None or not worker.is_alive():
                worker = self._workers[number] = _Worker(environment)
            worker.busy = True
            return worker


class _Worker:
    """An interpreter that runs one job after another until its connection closes."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.busy = False
        self._connection, theirs = Pipe()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from benchmark.scheduler.executors.worker import work; "
            f"work({theirs.fileno()}, {os.getpid()})"
        )
        with theirs:
            # a session of its own: Ctrl-C reaches the driver alone, and `signal` whatever the job has started
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(self, log: Path | None, payload: bytes, time_limit: float) -> bytes:
        """Send a job, wait for its outcome.

        Raises:
            TimeoutError: it takes longer than it may.
            EOFError, OSError: if the worker died.
        """
        self._connection.send((log, payload))
        end = time.monotonic() + time_limit
        # a job's own children hold copies of the connection, so its end may not tell that the worker died
        while not self._connection.poll(min(1.0, time_limit)):
            if not self.is_alive() and not self._connection.poll():
                raise EOFError
            if time.monotonic() > end:
                raise TimeoutError
        return self._connection.recv_bytes()

    def signal(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> int:
        """Make sure that nothing of the worker is left; return its exit status, negative for a signal."""
        self.busy = False  # from now on its process group is not ours to signal
        self._connection.close()
        self.signal()
        return self._process.wait()

    def close(self) -> None:
        """Let an idle worker exit by itself, so that its exit handlers run."""
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self.bury()


def _settle(task: _Task, worker: _Worker, time_limit: float) -> None:
    """Run a task in a worker and give its future the outcome."""
    try:
        outcome = worker.run(task.log, task.payload, time_limit)
    except TimeoutError:
        worker.bury()
        late = TimeoutError(f"killed after {time_limit / 3600:.3g} h, the limit that --time-limit sets")
        task.future.set_exception(_with_log(task, late))
        return
    except (EOFError, OSError):
        task.future.set_exception(_post_mortem(task, worker.bury()))
        return
    worker.busy = False
    succeeded, value = pickle.loads(outcome)
    if succeeded:
        task.future.set_result(value)
        return
    if task.log:
        value.add_note(f"log: {task.log}")
    task.future.set_exception(value)


def _post_mortem(task: _Task, status: int) -> WorkerDied:
    cause = f"signal {-status}, {signal.strsignal(-status)}" if status < 0 else f"exit status {status}"
    hint = "; often the system has run out of memory" if status == -signal.SIGKILL else ""
    return _with_log(task, WorkerDied(f"the worker process died ({cause}{hint})"))


def _with_log(task: _Task, error: _Error) -> _Error:
    """Note the end of a task's log."""
    if task.log and task.log.exists():
        tail = task.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        error.add_note("\n".join([*tail, f"log: {task.log}"]))
    return error
