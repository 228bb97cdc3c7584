"""Jobs on a Ray cluster: Ray finds room for slots on its nodes, and each slot is a `LocalExecutor` there.

A slot is an actor that keeps its GPUs (or cores) until the run ends; a job's environment, log, exception and death are
therefore what they are on one machine. A Ray task per job would not do: Ray moves a process that it reuses to other
GPUs, which CUDA ignores once it is initialized; unless it restarts the process, 5 s of imports, after each such task.

Ray retries nothing: the failure policy lives in the walk alone. What is pickled goes between this run's own processes.
"""

from __future__ import annotations

import atexit
import os
import pickle
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.interfaces import Resources, UserError, WorkerDied, one_line
from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.ray_cluster import Share, connect, tell
from benchmark.scheduler.executors.slots import Slot

#: how often to look for nodes that have joined, seconds
_LOOK = 2.0
#: when to say that there is no room at all, seconds
_PATIENCE = 30.0
#: how long slots may take to stop at the end, seconds
_STOP = 10.0
#: how often in a row a slot may be lost before its first job
_ATTEMPTS = 3


class RayExecutor:
    """Runs jobs on the cluster of RAY_ADDRESS, else of `ray start`, else on one that it starts on this machine.

    Functions are pickled by name: they must be importable. All nodes must see the working directory, `log_dir` and
    whatever paths the jobs name. Nodes may join and leave meanwhile.

    Args:
        resources: what each job takes, and how many run side by side.
        log_dir: if given, what a job prints goes to `<key>.log` there (key of the job, the first argument).

    Raises:
        UserError: Ray is not installed, no cluster answers at RAY_ADDRESS, or no node has room for a job.
    """

    def __init__(self, resources: Resources, log_dir: Path | None = None) -> None:
        self._ray, self._owned = connect(resources)
        self._limit = resources.workers or sys.maxsize
        self._share = Share.of(resources, self._nodes())
        slot = Slot("cuda:0", resources.devices) if self._share.kind == "GPU" else Slot("cpu")
        self._home = _Home.here(slot, resources, log_dir)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._serving = 0
        self._actors: dict[Any, bool] = {}  # whether Ray has found room for it
        self._error = ""
        self._grow()
        # daemon: an interpreter that exits without `shutdown` must reach atexit, not wait for the threads
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        atexit.register(self.shutdown)
        tell(f"{len(self._nodes())} nodes, {self.capacity} jobs side by side")

    @classmethod
    def open(cls, resources: Resources, log_dir: Path | None = None) -> RayExecutor:
        """See `Executor.open`."""
        return cls(resources, log_dir)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `fn(*args)` in the next free slot.

        The future gets the function's exception as it was raised, `WorkerDied`, or `TimeoutError`.

        Raises:
            UserError: no node can run jobs.
        """
        task = _Task(pickle.dumps((fn, args)), Future())
        with self._lock:
            if self._error:
                raise UserError(self._error)
            if self._closed.is_set():
                raise RuntimeError("this executor has been shut down")
            self._tasks.put(task)
        return task.future

    def shutdown(self) -> None:
        """Stop at once: waiting jobs are cancelled, running ones killed, and no process of ours is left."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            actors = dict(self._actors)
        # each slot stops its job and whatever that has started; `kill` would leave a job's own children
        closing = [actor.close.remote() for actor, placed in actors.items() if placed]
        if closing:
            self._ray.wait(closing, num_returns=len(closing), timeout=_STOP)
        for actor in actors:
            self._ray.kill(actor)
        for _ in self._threads:
            self._tasks.put(None)
        for thread in [self._watcher, *self._threads]:
            thread.join()
        self._drain(lambda future: future.cancel() and future.set_running_or_notify_cancel())
        atexit.unregister(self.shutdown)
        if self._owned:
            self._ray.shutdown()

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _watch(self) -> None:
        began = time.monotonic()
        told = False
        while not self._closed.wait(_LOOK):
            self._grow()
            if not told and time.monotonic() - began > _PATIENCE and not any(list(self._actors.values())):
                tell("still no room for a job: another run may hold the cluster ('ray status')")
                told = True

    def _grow(self) -> None:
        """Serve as many slots as there is room for; one whose node was lost waits for room by itself."""
        #: jobs side by side; changes as nodes join and leave
        self.capacity = min(self._share.fits(self._nodes()), self._limit)
        with self._lock:
            while len(self._threads) < self.capacity and not self._closed.is_set():
                self._threads.append(threading.Thread(target=self._serve, daemon=True))
                self._serving += 1
                self._threads[-1].start()

    def _serve(self) -> None:
        """Body of a slot's thread: find room, run jobs there until it is lost, find room again."""
        losses, error = 0, ""
        while losses < _ATTEMPTS and not self._closed.is_set():
            try:
                actor = self._place()
                losses = 0
                self._run_jobs(actor)
            except self._ray.exceptions.RayError as raised:
                losses, error = losses + 1, str(getattr(raised, "cause", raised))
        if not self._closed.is_set():
            self._give_up(error)

    def _give_up(self, error: str) -> None:
        tell(f"a slot is given up: {error}")
        with self._lock:
            self._serving -= 1
            if self._serving:
                return
            self._error = f"no node of the Ray cluster can run jobs: {error}"
        self._drain(lambda future: future.set_exception(UserError(self._error)))

    def _drain(self, end: Callable[[Future[Any]], Any]) -> None:
        while not self._tasks.empty():
            if task := self._tasks.get():
                end(task.future)

    def _place(self) -> Any:
        """A new slot, once Ray has found room for it."""
        options = {"num_cpus": 0, "num_gpus": 0, f"num_{self._share.kind.lower()}s": self._share.amount}
        # two threads, so that `close` is heard while a job runs
        kind = self._ray.remote(_Host).options(max_concurrency=2, max_restarts=0, max_task_retries=0, **options)
        with self._lock:
            actor = kind.remote()
            self._actors[actor] = False
            if self._closed.is_set():
                self._ray.kill(actor)
        try:
            self._ray.get(actor.open.remote(self._home))
        except self._ray.exceptions.RayError:
            self._lose(actor)
            raise
        self._actors[actor] = True
        return actor

    def _lose(self, actor: Any) -> None:
        self._ray.kill(actor)  # it may live on, out of reach, and would keep its share
        del self._actors[actor]

    def _run_jobs(self, actor: Any) -> None:
        while (task := self._tasks.get()) is not None:
            if self._closed.is_set():
                task.future.cancel()
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                succeeded, value = self._ray.get(actor.run.remote(task.payload))
            except self._ray.exceptions.RayError as error:
                self._lose(actor)
                task.future.set_exception(WorkerDied(f"the Ray slot of the job is gone: {one_line(error)}"))
                return
            if succeeded:
                task.future.set_result(value)
            else:
                task.future.set_exception(value)


@dataclass(frozen=True)
class _Task:
    payload: bytes
    future: Future[Any]


@dataclass(frozen=True)
class _Home:
    """What a slot takes over from the driver, besides its node's own environment."""

    slot: Slot
    resources: Resources
    log_dir: Path | None
    folder: str
    path: list[str]
    environment: dict[str, str]

    @classmethod
    def here(cls, slot: Slot, resources: Resources, log_dir: Path | None) -> _Home:
        if log_dir:
            log_dir.mkdir(parents=True, exist_ok=True)
        ours = {k: v for k, v in os.environ.items() if k.startswith("MIR_") or k == "PYTHONPATH"}
        return cls(slot, resources, log_dir and log_dir.absolute(), str(Path.cwd()), list(sys.path), ours)


class _Host:
    """A slot, in a Ray actor on some node."""

    def open(self, home: _Home) -> None:
        """Become like the driver, as far as jobs can tell.

        Raises:
            UserError: this node does not see the driver's folders.
        """
        for folder in (home.folder, home.log_dir or home.folder):
            if not Path(folder).is_dir():
                raise UserError(f"node {socket.gethostname()} does not see {folder}: all nodes must share it")
        os.chdir(home.folder)
        sys.path[:] = [*home.path, *(entry for entry in sys.path if entry not in home.path)]
        os.environ.update(home.environment)
        threads, time_limit = home.resources.threads, home.resources.time_limit
        self._executor = LocalExecutor([home.slot], threads, home.log_dir, time_limit)

    def run(self, payload: bytes) -> tuple[bool, Any]:
        """Whether the job succeeded, and its result or exception."""
        try:
            fn, args = pickle.loads(payload)
            return True, self._executor.submit(fn, *args).result()
        except BaseException as error:
            return False, error.with_traceback(None)

    def close(self) -> None:
        """Stop whatever runs."""
        self._executor.shutdown()
