"""An MLflow experiment, as the mirror writes it: a parent run per run of a grid, a child per job. Imports MLflow."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.bookkeeping.mirror.entries import Entry

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


class Experiment:
    """An open experiment; what killed drivers left open for the same results is ended.

    Args:
        uri: where MLflow keeps it.
        name: made there if need be.
        results: the results folder, by which a run's children are told from those of other folders.
        command: how the grid was run.
        files: where a new one puts its files; None for the server's own place.
    """

    def __init__(self, uri: str, name: str, results: Path, command: str, files: Path | None) -> None:
        self._name, self._results, self._command = name, str(results), command
        self._client, self._parent = _client(uri), ""
        found = self._client.get_experiment_by_name(name)
        self._id = (
            found.experiment_id if found else self._client.create_experiment(name, files.as_uri() if files else None)
        )
        #: keys of the jobs that it has
        self.keys: set[str] = set()
        for run in _runs(self._client, self._id):
            self._take_over(run)

    def write(self, new: Entry) -> None:
        """Add a child run; the first one brings the parent."""
        from mlflow.entities import Metric, Param, RunTag

        client, results = self._client, {"results": self._results}
        if not self._parent:
            tags = {"grid": self._name, "command": self._command, **results}
            self._parent = client.create_run(self._id, tags=tags, run_name=self._name).info.run_id
        tags = {"mlflow.parentRunId": self._parent, **results}
        run = client.create_run(self._id, new.start, tags, new.name).info.run_id
        metrics = [Metric(name, value, new.end, step) for name, value, step in new.metrics]
        while len(metrics) > _METRICS_AT_ONCE:
            client.log_batch(run, metrics[:_METRICS_AT_ONCE])
            metrics = metrics[_METRICS_AT_ONCE:]
        # the key comes last: a job whose driver was killed before this line is not there, and is logged again
        params = [Param(*item) for item in new.params.items()]
        client.log_batch(run, metrics, params, [RunTag(*item) for item in new.tags.items()])
        client.set_terminated(run, "FINISHED", new.end)
        self.keys.add(new.tags["job_key"])

    def close(self, status: str) -> None:
        """End the parent run."""
        if self._parent:
            self._client.set_terminated(self._parent, status)

    def _take_over(self, run: Any) -> None:
        """Note a job that is there, and end what a driver that was killed has left open in this folder."""
        tags = run.data.tags
        if "job_key" in tags:
            self.keys.add(tags["job_key"])
        if run.info.status == "RUNNING" and tags.get("results") == self._results:
            self._client.set_terminated(run.info.run_id, "FINISHED" if "job_key" in tags else "KILLED")


def make_database(path: Path) -> None:
    """Make a database with all of MLflow's tables, which takes seconds."""
    _client(f"sqlite:///{path}").search_experiments()


def _client(uri: str) -> Any:
    for variable, value in _DEFAULTS.items():
        os.environ.setdefault(variable, value)
    from mlflow import MlflowClient

    for package in ("mlflow", "alembic"):  # they tell every step of making a database, and trace what they also raise
        logging.getLogger(package).setLevel(logging.CRITICAL)
    return MlflowClient(uri)


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    page = client.search_runs([experiment], max_results=1000)
    yield from page
    while page.token:
        page = client.search_runs([experiment], max_results=1000, page_token=page.token)
        yield from page
