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
import ctypes
import faulthandler
import itertools
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.interfaces import UserError

DEVICE_VARIABLE = "MIR_PRETEXT_DEVICE"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_LOG_TAIL_LINES = 20


class WorkerDied(Exception):
    """The process that ran a job is gone (killed, out of memory, segmentation fault); the job may be fine."""


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time can run.

    Args:
        device: `cpu`, or `cuda:N`, the N-th GPU that the driver itself could see.
        count: GPUs from that one on, for a job that shares its batches among several.
    """

    device: str
    count: int = 1


def default_slots(devices: int = 1) -> list[Slot]:
    """A slot per `devices` visible GPUs; without any GPU, one per as many CPU cores that this process may use.

    Raises:
        UserError: there are GPUs, but fewer than `devices`.
    """
    gpus = _visible_gpus()
    if gpus:
        if len(gpus) < devices:
            raise UserError(f"pretrain.devices: {devices}, but this machine shows {len(gpus)} GPUs")
        return [Slot(f"cuda:{first}", devices) for first in range(0, len(gpus) - devices + 1, devices)]
    return [Slot("cpu")] * max(1, len(os.sched_getaffinity(0)) // devices)


def _visible_gpus() -> list[str]:
    """What to put into CUDA_VISIBLE_DEVICES, GPU by GPU. Asks nvidia-smi: torch would cost 2 s of imports."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30).stdout
        present = len(re.findall(r"^GPU \d+:", listing, re.MULTILINE))
        return _allowed_gpus(present) if present else []
    return []


def _allowed_gpus(present: int) -> list[str]:
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return [str(index) for index in range(present)]
    # CUDA itself stops at the first entry that names nothing, such as -1
    names = (name.strip() for name in allowed.split(","))
    return list(itertools.takewhile(lambda name: name not in ("", "-1", "NoDevFiles"), names))


def _worker_environment(slot: Slot, threads: int) -> dict[str, str]:
    # unbuffered, so that a job's log is complete up to the moment it was killed
    settings = {"PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": "", DEVICE_VARIABLE: "cpu"}
    if slot.device != "cpu":
        index = int(slot.device.removeprefix("cuda:"))
        end = index + slot.count
        visible = _allowed_gpus(end)
        if end > len(visible):
            raise ValueError(f"{slot.device} is hidden by CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}")
        # within the worker its GPUs are numbered from 0
        settings |= {"CUDA_VISIBLE_DEVICES": ",".join(visible[index:end]), DEVICE_VARIABLE: "cuda:0"}
    return os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads)) | settings


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
    """

    def __init__(self, slots: list[Slot], threads: int, log_dir: Path | None = None) -> None:
        if not slots:
            raise ValueError("an executor needs at least one slot")
        self.capacity = len(slots)
        self._log_dir = log_dir
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._workers: dict[int, _Worker] = {}
        environments = [_worker_environment(slot, threads) for slot in slots]
        # daemon: an interpreter that exits without `shutdown` must reach atexit, not wait for these threads
        self._threads = [
            threading.Thread(target=self._serve, args=item, daemon=True) for item in enumerate(environments)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.shutdown)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `fn(*args)` in the next free worker.

        The future gets the function's exception as it was raised, or `WorkerDied`.
        """
        task = _Task(pickle.dumps((fn, args)), self._log_path(fn, args), Future())
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
                    _settle(task, worker)
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

    def _log_path(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Path | None:
        if self._log_dir is None:
            return None
        first = args[0] if args else None
        name = getattr(first, "key", first)
        safe = isinstance(name, str) and re.fullmatch(r"\w[\w.-]{0,199}", name)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        return self._log_dir.absolute() / f"{name if safe else getattr(fn, '__name__', 'job')}.log"


class _Worker:
    """An interpreter that runs one job after another until its connection closes."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.busy = False
        self._connection, theirs = Pipe()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import _work; "
            f"_work({theirs.fileno()}, {os.getpid()})"
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

    def run(self, log: Path | None, payload: bytes) -> bytes:
        """Send a job, wait for its outcome.

        Raises:
            EOFError, OSError: if the worker died.
        """
        self._connection.send((log, payload))
        # a job's own children hold copies of the connection, so its end may not tell that the worker died
        while not self._connection.poll(1.0):
            if not self.is_alive() and not self._connection.poll():
                raise EOFError
        return self._connection.recv_bytes()

    def signal(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> int:
        """Make sure that nothing of the worker is left; return its exit status, negative for a signal."""
        self._connection.close()
        self.signal()
        return self._process.wait()

    def close(self) -> None:
        """Let an idle worker exit by itself, so that its exit handlers run."""
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self.bury()


def _settle(task: _Task, worker: _Worker) -> None:
    """Run a task in a worker and give its future the outcome."""
    try:
        outcome = worker.run(task.log, task.payload)
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
    error = WorkerDied(f"the worker process died ({cause}{hint})")
    if task.log and task.log.exists():
        tail = task.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        error.add_note("\n".join([*tail, f"log: {task.log}"]))
    return error


def _work(descriptor: int, driver: int) -> None:
    """Body of a worker process."""
    _die_with(driver)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    with Connection(descriptor) as connection:
        while True:
            try:
                log, payload = connection.recv()
            except (EOFError, OSError):
                return
            connection.send_bytes(_attempt(log, payload))


def _die_with(driver: int) -> None:
    """Have the kernel kill this process when the driver dies, even of kill -9 in the midst of a job."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != driver:
        # it died before the call above
        os._exit(1)


@contextlib.contextmanager
def _output_to(log: Path | None) -> Iterator[None]:
    """Append everything written to stdout and stderr, C libraries included, to a file."""
    if log is None:
        yield
        return
    with log.open("ab") as stream:
        saved = os.dup(1), os.dup(2)
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        for copy, standard in zip(saved, (1, 2), strict=True):
            os.dup2(copy, standard)
            os.close(copy)


def _attempt(log: Path | None, payload: bytes) -> bytes:
    """Run a job; whatever it raises, SystemExit included, travels back to the driver."""
    try:
        with _output_to(log):
            fn, args = pickle.loads(payload)
            return pickle.dumps((True, fn(*args)))
    except BaseException as error:
        return _pickled(error)


def _pickled(error: BaseException) -> bytes:
    note = traceback.format_exc()
    error.add_note(note)
    try:
        outcome = pickle.dumps((False, error))
        pickle.loads(outcome)
    except Exception:
        # an exception that cannot travel (an odd constructor, an open file in it) still names itself
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        stand_in.add_note(note)
        return pickle.dumps((False, stand_in))
    return outcome
