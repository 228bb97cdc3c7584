"""The MLflow mirror: what the store holds, for those who like to look at it there.

    parent run  one per run of a grid: tags grid, command, results
    child run   one per job that pre-trains or scores: tags job_key, kind, results; params and metrics: see `entries`

The store is the truth. The driver alone writes here, a job in one batch, from the stored artefact alone: so the mirror
may be behind, or deleted, and `track rebuild` makes it again. Nothing that goes wrong here stops a grid.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmark.bookkeeping.mlflow_entries import MIRRORED, Entry, entry
from benchmark.files import read_json, replacing
from benchmark.interfaces import UserError
from benchmark.store.artefacts import Store
from benchmark.store.job import Job
from benchmark.store.locks import Locks

DATABASE, LOCK = "mlflow.db", "mlflow.lock"
#: the keys that the mirror had when it was last closed: a run with nothing to do needs no MLflow to know it
RECORD = "mirrored.json"
_DEFAULTS = {
    # it reports to its makers unless told not to (DO_NOT_TRACK=1 is not understood)
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # `run` ends with the path of the leaderboard
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # a server that is away holds the grid up for seconds; MLflow's own patience is minutes, at each call
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
#: of the 1,000 entries that MLflow takes at once, params and tags may be 100 each
_METRICS_AT_ONCE = 800


class Mirror:
    """Logs finished jobs to MLflow, which is imported as soon as there is one to log.

    Goes to MLFLOW_TRACKING_URI, or to a database in the results folder. Of several drivers on a folder one at a time
    mirrors; `complete` catches up with what another one left.

    Args:
        out: the results folder.
        grid_name: the experiment's name.
        command: how the grid was run.

    Raises:
        UserError: MLflow is not installed.
    """

    def __init__(self, out: Path, grid_name: str, command: str) -> None:
        if importlib.util.find_spec("mlflow") is None:
            raise UserError("mlflow is not installed: 'pip install mlflow', or go on without it by --no-mlflow")
        self._out, self._grid, self._command = out.absolute(), grid_name, command
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self._out / DATABASE}"
        self._is_local = self.uri == f"sqlite:///{self._out / DATABASE}"
        self._locks: Locks | None = None
        self._client: Any = None
        self._experiment, self._parent = "", ""
        self._known: set[str] = set()
        #: how many jobs were added
        self.added = 0
        #: why nothing more is mirrored
        self.error = ""

    def __enter__(self) -> Mirror:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client:
            self._attempt(lambda: self._close("KILLED" if kind else "FINISHED"))
        if self._locks:
            self._locks.release()

    @property
    def place(self) -> str:
        """The URI for people to read, without a password."""
        return re.sub(r"//[^/@]*@", "//", self.uri)

    def log(self, job: Job, store: Store) -> None:
        """Mirror a job, unless it is there already, or damaged, or of a kind that is not mirrored."""
        if self.error or job.kind not in MIRRORED or job.key in self._known or not store.check(job.kind, job.key):
            return
        if self._is_open() and job.key not in self._known:
            self._attempt(lambda: self._write(entry(store, job.kind, job.key)))

    def complete(self, jobs: Iterable[Job], store: Store) -> None:
        """Mirror what is done but was left out: its driver was killed, or the server was away."""
        recorded = self._recorded()
        for job in jobs:
            if job.key not in recorded:
                self.log(job, store)

    def clear(self) -> None:
        """Delete the folder's own database; a server keeps what it has.

        Raises:
            UserError: a run is mirroring into it.
        """
        if not self._take():
            raise UserError(f"{self._out}: a run is writing its mirror ({LOCK}); wait for its end")
        (self._out / RECORD).unlink(missing_ok=True)
        if self._is_local:
            for suffix in ("", "-journal", "-wal", "-shm"):
                (self._out / f"{DATABASE}{suffix}").unlink(missing_ok=True)

    def _take(self) -> bool:
        # two that create the database at once break it, and the set of known jobs is that of one writer
        self._locks = self._locks or Locks()
        return self._locks.take(self._out / LOCK)

    def _is_open(self) -> bool:
        if not self._client and not self.error and self._take():
            self._attempt(self._open)
        return bool(self._client) and not self.error

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do something with MLflow; if it fails, say so once and leave it at that."""
        if self.error:
            return
        try:
            step()
        except Exception as error:  # its stores raise what they like, and no mirror is worth a grid
            self.error = " ".join(str(error).replace(self.uri, self.place).split())[:500]
            print(
                f"warning: MLflow at {self.place} failed ({type(error).__name__}: {self.error}); the results are kept, "
                f"and 'python -m benchmark track rebuild {self._out}' mirrors them later",
                file=sys.stderr,
            )

    def _open(self) -> None:
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):  # they tell every step of making a database
            logging.getLogger(name).setLevel(logging.ERROR)
        client = MlflowClient(self.uri)
        found = client.get_experiment_by_name(self._grid)
        files = (self._out / "mlflow-files").as_uri() if self._is_local else None
        self._experiment = found.experiment_id if found else client.create_experiment(self._grid, files)
        for run in _runs(client, self._experiment):
            self._take_over(client, run)
        self._client = client

    def _take_over(self, client: Any, run: Any) -> None:
        """Note a job that is there, and end what a driver that was killed has left open in this folder."""
        tags = run.data.tags
        if "job_key" in tags:
            self._known.add(tags["job_key"])
        if run.info.status == "RUNNING" and tags.get("results") == str(self._out):
            client.set_terminated(run.info.run_id, "FINISHED" if "job_key" in tags else "KILLED")

    def _write(self, new: Entry) -> None:
        from mlflow.entities import Metric, Param, RunTag

        client, results = self._client, {"results": str(self._out)}
        if not self._parent:
            tags = {"grid": self._grid, "command": self._command, **results}
            self._parent = client.create_run(self._experiment, tags=tags, run_name=self._grid).info.run_id
        tags = {"mlflow.parentRunId": self._parent, **results}
        run = client.create_run(self._experiment, new.start, tags, new.name).info.run_id
        metrics = [Metric(name, value, new.end, step) for name, value, step in new.metrics]
        while len(metrics) > _METRICS_AT_ONCE:
            client.log_batch(run, metrics[:_METRICS_AT_ONCE])
            metrics = metrics[_METRICS_AT_ONCE:]
        # the key comes last: a job whose driver was killed before this line is not there, and is logged again
        params = [Param(*item) for item in new.params.items()]
        client.log_batch(run, metrics, params, [RunTag(*item) for item in new.tags.items()])
        client.set_terminated(run, "FINISHED", new.end)
        self._known.add(new.tags["job_key"])
        self.added += 1

    def _close(self, status: str) -> None:
        if self._parent:
            self._client.set_terminated(self._parent, status)
        with replacing(self._out / RECORD) as draft:
            draft.write_text(json.dumps({"place": self.place, "grid": self._grid, "keys": sorted(self._known)}))

    def _recorded(self) -> set[str]:
        """Keys that the mirror is known to have."""
        path = self._out / RECORD
        record = read_json(path)
        if not record or (self._is_local and not (self._out / DATABASE).is_file()):
            return set()
        return set(record["keys"]) if (record["place"], record["grid"]) == (self.place, self._grid) else set()


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    page = client.search_runs([experiment], max_results=1000)
    yield from page
    while page.token:
        page = client.search_runs([experiment], max_results=1000, page_token=page.token)
        yield from page


def rebuild(out: Path) -> tuple[Mirror, list[str]]:
    """Mirror a results folder anew: into a fresh database, or what a server lacks.

    Returns:
        The mirror, closed, and the artefacts that are left out since they are damaged.

    Raises:
        UserError: no results there, or a run is under way.
    """
    found = [(kind, path.name) for kind in MIRRORED for path in sorted((out / kind).glob("??/*"))]
    if not found:
        raise UserError(f"{out}: no results; name the folder of a run (its --out), such as results/smoke")
    store, run = Store(out), _run(out)
    damaged = [f"{kind} {key}" for kind, key in found if not store.check(kind, key)]
    with Mirror(out, run["grid"], run["command"]) as mirror:
        mirror.clear()
        for kind, key in found:
            mirror.log(Job(key, kind, f"{kind} {key[:12]}", {}), store)
    return mirror, damaged


def _run(out: Path) -> dict[str, Any]:
    """Which grid a folder holds, and how it was last run."""
    return read_json(out / "run.json") or {"grid": out.absolute().name, "command": ""}
