"""The driver: plan a grid, walk what is missing, collect the scores, write the leaderboard."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import registry
from benchmark.scheduler.grid import Audio, Grid
from benchmark.scheduler.jobs import Stores, run_job
from benchmark.scheduler.plan import Plan, plan, prepare
from benchmark.scheduler.record import SCORED, record
from benchmark.scheduler.walk import Event, Job, Report, missing, walk

if TYPE_CHECKING:
    import pandas as pd

FIRST = (
    "strategy",
    "encoder",
    "pretrain_corpus",
    "task",
    "corpus",
    "split_hash",
    "fraction",
    "resample",
    "seed",
)


@dataclass(frozen=True)
class Settings:
    """Where and how a grid runs; nothing here changes a score."""

    out: Path
    data: Path
    executor: str = "local"
    workers: int | None = None
    threads: int = 1


def drive(grid: Grid, settings: Settings, on_event: Callable[[Event], None]) -> Report:
    """Run what is missing of `grid` and refresh the tables and the page."""
    stores = Stores(settings.data, settings.out)
    jobs = plan(grid)
    if not missing(jobs, stores.done):
        report = Report(skipped=list(jobs.values()))
    else:
        report = _walk(jobs, stores, settings, grid.pretrain.devices, on_event)
    _forget_shards(jobs, stores)
    for store in (stores.data, stores.out):
        store.sweep()  # at the end: workers of a driver that was killed just before this run are gone by now
    collect(grid, jobs, stores, report)
    return report


def store_audio(
    audio: Audio, stems: list[str], settings: Settings, on_event: Callable[[Event], None]
) -> tuple[Report, Path]:
    """Store the waveforms of a corpus, perhaps with `stems`, as grids will ask for.

    Returns:
        What ran, and the folder of the waveforms.
    """
    stores, wanted = Stores(settings.data, settings.out), Plan()
    key = prepare(wanted, audio, sorted(stems))
    report = Report(skipped=list(wanted.jobs.values()))
    if missing(wanted.jobs, stores.done):
        report = _walk(wanted.jobs, stores, settings, 1, on_event)
    _forget_shards(wanted.jobs, stores)
    stores.data.sweep()
    return report, stores.data.folder("waveforms", key)


def _walk(
    jobs: dict[str, Job], stores: Stores, settings: Settings, devices: int, on_event: Callable[[Event], None]
) -> Report:
    from benchmark.scheduler.executors.local import default_slots

    slots = default_slots(devices)
    if settings.workers is not None:
        slots = [slots[i % len(slots)] for i in range(settings.workers)]
    cls: Any = registry.executors.get(settings.executor)
    executor = cls(slots, settings.threads, settings.out / "logs")
    try:
        run = partial(run_job, data=settings.data, out=settings.out)
        return walk(jobs, stores.done, run, executor, on_event)
    finally:
        executor.shutdown()


def _forget_shards(jobs: dict[str, Job], stores: Stores) -> None:
    """Shards are scaffolding: once the joined file stands they would only double the disk space."""
    for job in jobs.values():
        if job.kind == "waveforms" and stores.done(job):
            for need in job.needs:
                if jobs[need].kind == "shard":
                    stores.data.discard("shard", need)


def collect(grid: Grid, jobs: dict[str, Job], stores: Stores, report: Report) -> None:
    """Write `scores.parquet`, `run.json` and the page into the results folder, if anything changed."""
    out = stores.out.root
    probes = [job for job in jobs.values() if job.kind in SCORED and stores.done(job)]
    stamp = {"grid": grid.model_dump(mode="json"), "keys": sorted(job.key for job in probes)}
    stamp["failed"] = sorted(f.job.key for f in report.failed)
    state = out / "collected.json"
    if state.is_file() and json.loads(state.read_text()) == json.loads(json.dumps(stamp)) and _complete(out):
        return
    scores = _scores(probes, stores)
    _atomically(out / "run.json", json.dumps(record(grid, jobs, stores, report), indent=1))
    if scores is None:
        return
    draft = out / "scores.parquet.tmp"
    scores.to_parquet(draft, index=False)
    os.replace(draft, out / "scores.parquet")
    from benchmark.leaderboard.page import build

    build(out)
    _atomically(state, json.dumps(stamp))


def _complete(out: Path) -> bool:
    return all((out / name).is_file() for name in ("scores.parquet", "leaderboard.html", "leaderboard.csv", "run.json"))


def _scores(probes: list[Job], stores: Stores) -> pd.DataFrame | None:
    import pandas as pd

    if not probes:
        return None
    tables = [pd.read_parquet(stores.out.open(job.kind, job.key) / "scores.parquet") for job in probes]
    scores = pd.concat(tables, ignore_index=True)
    order = [
        *FIRST,
        "probe",
        "corruption",
        "severity",
        "metric",
        "value",
        "test_stderr",
        "n_train",
        "n_val",
        "n_test",
        "key",
    ]
    rest = [column for column in scores.columns if column not in order]
    by = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "corruption", "severity", "metric"]
    return scores[order + rest].sort_values(by, kind="stable").reset_index(drop=True)


def _atomically(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def describe(jobs: dict[str, Job], stores: Stores) -> list[tuple[str, str, str]]:
    """(state, kind, name) of every job, for `--dry-run`: `done`, `to do`, or `not needed`."""
    todo = missing(jobs, stores.done)
    return [
        ("to do" if key in todo else "done" if stores.done(job) else "not needed", job.kind, job.name)
        for key, job in jobs.items()
    ]
