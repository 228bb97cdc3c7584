"""The driver: plan a grid, walk what is missing, collect the scores, write the leaderboard."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import __version__, registry
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.jobs import Stores, run_job
from benchmark.scheduler.plan import Plan, Row, plan, prepare, rows
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

#: jobs that leave scores
SCORED = ("probe", "supervised")


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


def separate(
    corpus: str, size: str, stems: list[str], settings: Settings, on_event: Callable[[Event], None]
) -> tuple[Report, Path]:
    """Store the waveforms of a corpus with `stems`, as a grid whose strategies hear them will ask for.

    Returns:
        What ran, and the folder of the waveforms.
    """
    stores, wanted = Stores(settings.data, settings.out), Plan()
    key = prepare(wanted, corpus, size, sorted(stems))
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
    _atomically(out / "run.json", json.dumps(_record(grid, jobs, stores, report), indent=1))
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
    order = [*FIRST, "probe", "metric", "value", "test_stderr", "n_train", "n_val", "n_test", "key"]
    rest = [column for column in scores.columns if column not in order]
    by = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "metric"]
    return scores[order + rest].sort_values(by, kind="stable").reset_index(drop=True)


def _record(grid: Grid, jobs: dict[str, Job], stores: Stores, report: Report) -> dict[str, Any]:
    """What the page says about the run beyond the scores."""
    strategies = {row.name: row for row in rows(grid)}
    tasks = {name: registry.tasks.get(name) for name in grid.tasks}
    return {
        "grid": grid.name,
        "command": "python -m benchmark " + " ".join(sys.argv[1:]),
        "version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "corpus": f"{grid.corpus}/{grid.size}",
            "encoders": ", ".join(grid.encoders),
            "seeds": ", ".join(map(str, grid.seeds)),
            **{f"pretrain {k}": v for k, v in grid.pretrain.model_dump().items()},
            **({"control": "training labels shuffled"} if grid.shuffle_labels else {}),
        },
        "fractions": list(grid.fractions),
        "probes": grid.probes,
        "strategies": {
            name: {
                "title": _title(row),
                "citation": row.cls.info.citation,
                "trains": row.cls.trains,
                **_heard(row, tasks),
            }
            for name, row in strategies.items()
        },
        "tasks": {name: _task_record(task) for name, task in tasks.items()},
        "failures": [{"job": f.job.name, "error": f.error} for f in report.failed]
        + [{"job": job.name, "error": "blocked: a job that it needs has failed"} for job in report.blocked],
        "pretraining": _pretrainings(jobs, stores),
    }


def _task_record(task: Any) -> dict[str, Any]:
    return {
        "title": task.info.title,
        "citation": task.info.citation,
        "level": task.level,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "corpus": task.corpus,
        "licence": registry.corpora.get(task.corpus).licence,
        "labels": list(task.labels),
        "conventions": sys.modules[task.__module__].__doc__ or "",
    }


def _heard(row: Row, tasks: dict[str, Any]) -> dict[str, Any]:
    """The labels that a strategy heard, as columns of the corpus, and for which share of the training tracks."""
    if row.cls.supervised:
        return {"heard": sorted({label for task in tasks.values() for label in task.labels})}
    spec = row.cls.crops(row.config)
    return {"heard": list(spec.tags), "heard_share": spec.label_share} if spec.tags else {}


def _title(row: Row) -> str:
    """The strategy's title, and what the row's options change."""
    changed = row.config.model_dump(exclude_defaults=True)
    options = ", ".join(f"{name} {value}" for name, value in changed.items())
    return f"{row.cls.info.title} ({options})" if options else str(row.cls.info.title)


def _pretrainings(jobs: dict[str, Job], stores: Stores) -> list[dict[str, Any]]:
    """Cost and health of each row's pre-training: a probe needs an embedding, which needs a checkpoint."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for job in jobs.values():
        if job.kind != "probe":
            continue
        checkpoint = jobs[jobs[job.needs[0]].needs[0]]
        if "budget" in checkpoint.spec and stores.done(checkpoint):
            identity = (job.spec["strategy"], job.spec["encoder"], job.spec["seed"])
            found[identity] = _pretraining(identity, stores.out.manifest("pretrain", checkpoint.key)["info"])
    return list(found.values())


def _pretraining(identity: tuple[str, str, int], info: dict[str, Any]) -> dict[str, Any]:
    names = ("crops", "seconds", "loss", "std", "effective_rank", "mean_cosine", "parameters", "peak_mb")
    strategy, encoder, seed = identity
    kept = {name: info.get(name) for name in names}
    return {"strategy": strategy, "encoder": encoder, "seed": seed, **kept, "collapsed": bool(info["collapsed"])}


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
