"""The MLflow mirror: what the store holds, for those who like to look at it there.

    parent run  one per run of a grid: tags grid, command, results
    child run   one per job that pre-trains or scores: tags job_key, kind, results; for params and metrics see
                `entries`

The store is the truth. The driver alone writes here, a job in one batch, from the stored artefact alone: so the mirror
may be behind, or deleted, and `track rebuild` makes it again; so does the next run, if the folder's own database holds
no run or is none. Nothing that goes wrong here stops a grid.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel

from benchmark.bookkeeping.mirror.entries import MIRRORED, Entry, entry
from benchmark.bookkeeping.mirror.experiment import Experiment, make_database
from benchmark.bookkeeping.upkeep import artefacts, existing
from benchmark.files import read_json, replacing
from benchmark.interfaces import UserError
from benchmark.store.artefacts import Store
from benchmark.store.job import Job
from benchmark.store.locks import Locks

DATABASE, LOCK = "mlflow.db", "mlflow.lock"
#: the keys that the mirror had when it was last closed: a run with nothing to do needs no MLflow to know it
RECORD = "mirrored.json"


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
        self._experiment: Experiment | None = None
        #: whether another driver was writing when there was something to log
        self._left_out = False
        #: how many jobs were added
        self.added = 0
        #: why nothing more is mirrored
        self.error = ""

    def __enter__(self) -> Mirror:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if experiment := self._experiment:
            self._attempt(lambda: self._close(experiment, "KILLED" if kind else "FINISHED"))
        if self._locks:
            self._locks.release()

    @property
    def place(self) -> str:
        """The URI for people to read, without a password."""
        return re.sub(r"//[^/@]*@", "//", self.uri)

    def log(self, job: Job, store: Store) -> None:
        """Mirror a job, unless it is there already, or damaged, or of a kind that is not mirrored."""
        if self.error or job.kind not in MIRRORED or self._has(job) or not store.check(job.kind, job.key):
            return
        experiment = self._opened()
        if experiment and not self._has(job):
            self._attempt(lambda: self._write(experiment, entry(store, job.kind, job.key)))

    def complete(self, jobs: Iterable[Job], store: Store) -> None:
        """Mirror what is done but was left out: its driver was killed, or the server was away."""
        recorded = self._recorded()
        for job in jobs:
            if job.key not in recorded:
                self.log(job, store)
        if self._left_out and not self._experiment and not self.error:
            self._tell(f"is being written by {self._locks.holder(self._out / LOCK) if self._locks else ''}")

    def clear(self) -> None:
        """Delete the folder's own database; a server keeps what it has.

        Raises:
            UserError: a run is mirroring into it.
        """
        if not self._take():
            raise UserError(f"{self._out}: a run is writing its mirror ({LOCK}); wait for its end")
        self._remove()

    def _remove(self) -> None:
        (self._out / RECORD).unlink(missing_ok=True)
        if self._is_local:
            for suffix in ("", "-journal", "-wal", "-shm"):
                (self._out / f"{DATABASE}{suffix}").unlink(missing_ok=True)

    def _take(self) -> bool:
        # two that create the database at once break it, and the set of known jobs is that of one writer
        self._locks = self._locks or Locks()
        return self._locks.take(self._out / LOCK)

    def _has(self, job: Job) -> bool:
        return self._experiment is not None and job.key in self._experiment.keys

    def _opened(self) -> Experiment | None:
        """The experiment, or None if another driver mirrors or something went wrong."""
        if not self._experiment:
            self._attempt(self._open)
        return None if self.error else self._experiment

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do something with MLflow; if it fails, say so once and leave it at that."""
        if self.error:
            return
        try:
            step()
        except Exception as error:  # its stores raise what they like, and no mirror is worth a grid
            self.error = " ".join(str(error).replace(self.uri, self.place).split())[:500]
            self._tell(f"failed ({type(error).__name__}: {self.error})")

    def _tell(self, what: str) -> None:
        print(
            f"warning: MLflow at {self.place} {what}; the results are kept, and "
            f"'python -m benchmark track rebuild {self._out}' mirrors them later",
            file=sys.stderr,
        )

    def _open(self) -> None:
        if not self._take():
            self._left_out = True
            return
        files = self._out / "mlflow-files" if self._is_local else None
        if self._is_local and _is_void(self._out / DATABASE):
            self._remove()
            with replacing(self._out / DATABASE) as draft:  # a kill leaves all of its tables, or no database
                make_database(draft)
        self._experiment = Experiment(self.uri, self._grid, self._out, self._command, files)

    def _write(self, experiment: Experiment, new: Entry) -> None:
        experiment.write(new)
        self.added += 1

    def _close(self, experiment: Experiment, status: str) -> None:
        experiment.close(status)
        with replacing(self._out / RECORD) as draft:
            draft.write_text(json.dumps({"place": self.place, "grid": self._grid, "keys": sorted(experiment.keys)}))

    def _recorded(self) -> set[str]:
        """Keys that the mirror is known to have."""
        try:
            record = _Record.model_validate(read_json(self._out / RECORD))
        except ValueError:  # none, or damaged
            return set()
        if self._is_local and _is_void(self._out / DATABASE):
            return set()
        return set(record.keys) if (record.place, record.grid) == (self.place, self._grid) else set()


class _Record(BaseModel):
    """What a mirror holds, where, and of which grid."""

    place: str
    grid: str
    keys: list[str]


def _is_void(database: Path) -> bool:
    """Whether a database holds no run: it is not there, was never finished, or is something else."""
    if not database.is_file():
        return True
    try:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute("select 1 from runs limit 1").fetchone() is None
    except sqlite3.DatabaseError as error:  # not if it is locked, say
        return error.sqlite_errorcode in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def rebuild(out: Path) -> tuple[Mirror, list[str]]:
    """Mirror a results folder anew: into a fresh database, or what a server lacks.

    Returns:
        The mirror, closed, and the artefacts that are left out since they are damaged.

    Raises:
        UserError: no results there, or a run is under way.
    """
    store, keys = existing(out)
    found = [at for kind in MIRRORED for at in artefacts(store, keys) if at.kind == kind]
    if not found:
        raise UserError(f"{out}: no results; name the folder of a run (its --out), such as results/smoke")
    run = _run(out)
    damaged = [f"{kind} {key}" for kind, key in found if not store.check(kind, key)]
    with Mirror(out, run["grid"], run["command"]) as mirror:
        mirror.clear()
        for kind, key in found:
            mirror.log(Job(key, kind, f"{kind} {key[:12]}", {}), store)
    return mirror, damaged


def _run(out: Path) -> dict[str, Any]:
    """Which grid a folder holds, and how it was last run."""
    said = read_json(out / "run.json")
    return {"grid": out.absolute().name, "command": ""} | (said if isinstance(said, dict) else {})
