"""`run.json`: what the leaderboard says about a run beyond its scores."""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import yaml

from benchmark import __version__, registry
from benchmark.bookkeeping import provenance
from benchmark.bookkeeping.sound import Sound
from benchmark.encoders.exported import called
from benchmark.interfaces import many
from benchmark.scheduler.grid import Grid, main_budget
from benchmark.scheduler.planning.checkpoints import heard_by_all
from benchmark.scheduler.planning.edits import engines, used, version_of, words_of_edits
from benchmark.scheduler.planning.present import words_of_left_out
from benchmark.scheduler.planning.rows import Row, rows
from benchmark.scheduler.walk import Report
from benchmark.store.job import Job, Stores

#: jobs that leave scores
SCORED = ("probe", "supervised")


def record(grid: Grid, jobs: dict[str, Job], stores: Stores, report: Report) -> dict[str, Any]:
    """What the page says about the run beyond the scores."""
    strategies = {row.name: row for row in rows(grid)}
    tasks = {name: registry.tasks.get(name) for name in grid.tasks}
    trained = _pretrainings(jobs, stores)
    heard = Sound([job for job in jobs.values() if job.kind in SCORED], jobs, stores)
    return {
        "grid": grid.name,
        "command": command_line(),
        "version": __version__,
        "engine": engines(),
        "components": _components(grid),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "corpus": heard_by_all(grid),
            "encoders": ", ".join(grid.all_encoders),
            "seeds": ", ".join(map(str, grid.seeds)),
            **{f"pretrain {k}": v for k, v in _recipe(grid).items()},
            **({"control": "training labels shuffled"} if grid.shuffle_labels else {}),
        },
        "fractions": list(grid.fractions),
        "resamples": list(grid.fractions.values()),
        "budget_seeds": {str(crops): n for crops, n in grid.seeds_after.items()},
        "probes": grid.probes,
        "strategies": {
            name: {
                "title": row.cls.info.title,
                "citation": row.cls.info.citation,
                "family": row.cls.family,
                "trains": row.pretext,
                "method": row.cls.info.name,
                "variants": row.variants(grid),
                "encoders": list(dict.fromkeys(encoder for encoder, _ in row.checkpoints(grid))),
                "seeds": len({seed for _, seed in row.checkpoints(grid)}),
                "seeded": row.brings is None,
                "draws": grid.draws_of(name),
                "options": row.config.model_dump(mode="json", exclude_defaults=True)
                | ({"pretrain": row.pretrain} if row.pretrain else {})
                | ({"weights": called(row.start[0])} if row.start else {}),
                **_heard(grid, row, tasks),
            }
            for name, row in strategies.items()
        },
        "tasks": {name: {**_task_record(task), **heard.of(name)} for name, task in tasks.items()},
        "failures": [{"job": f.job.name, "error": f.error} for f in report.failed]
        + [{"job": job.name, "error": "blocked: a job that it needs has failed"} for job in report.blocked],
        "pretraining": trained,
        "environment": provenance.environment(),
        "corpora": provenance.corpora(jobs),
        "sound": provenance.sound(jobs),
        "control": provenance.control(jobs, stores),
        "grid_file": yaml.safe_dump(grid.model_dump(mode="json", exclude_unset=True), sort_keys=False),
        "warnings": [*words_of_left_out(grid), *words_of_edits(grid), *_warnings(grid, trained), *heard.warnings],
    }


def _components(grid: Grid) -> dict[str, dict[str, int | str]]:
    """Versions of what a grid's scores depend on beside the engine, by axis and name."""
    found = used(grid).items()
    return {axis: {name: version_of(getattr(registry, axis), name) for name in sorted(names)} for axis, names in found}


def _recipe(grid: Grid) -> dict[str, Any]:
    """How rows are pre-trained that have nothing to themselves."""
    left_open = {"batch_size", "warmup_crops", "learning_rate"} - grid.pretrain.model_fields_set
    found = grid.pretrain.model_dump() | {"precision": grid.pretrain.network}
    if grid.budgets:
        each = (f"{crops:,} ({n} seed{'s' * (n > 1)})" for crops, n in grid.seeds_after.items())
        found["crops"] = ", ".join(each)
    return found | dict.fromkeys(sorted(left_open), "each strategy's own")


def _warnings(grid: Grid, trained: list[dict[str, Any]]) -> list[str]:
    """What happened on the way that a reader may want to weigh; failed jobs are told apart."""
    found = []
    for job in trained:
        name = f"{job['strategy']} {job['encoder']} seed {job['seed']}"
        if job["collapsed"]:
            found.append(f"{name}: its embeddings have collapsed")
        if job["too_short"]:
            count = f"{job['too_short']} of {job['too_short'] + job['tracks']} training tracks"
            found.append(f"{name}: {count} are shorter than its crops and were not heard")
        if job["resumed"]:
            found.append(f"{name}: interrupted and resumed {many(job['resumed'], 'time')}, which changes no weight")
        if job["micro_batch"] and job["micro_batch"] * grid.pretrain.devices < (job["batch"] or 0):
            found.append(f"{name}: embedded {job['micro_batch']} rows at once, for want of memory")
    return found


def command_line() -> str:
    """How this process was started."""
    return "python -m benchmark " + shlex.join(sys.argv[1:])


def _task_record(task: Any) -> dict[str, Any]:
    return {
        "title": task.info.title,
        "citation": task.info.citation,
        "level": task.level,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "corpus": task.corpus,
        "licence": registry.corpora.get(task.corpus).licence,
        "labels": _labels(task),
        "told_by": [f"{task.corpus}/{label}" for label in task.told_by],
        "conventions": sys.modules[task.__module__].__doc__ or "",
    }


def _heard(grid: Grid, row: Row, tasks: dict[str, Any]) -> dict[str, Any]:
    """The labels that a strategy heard, as `corpus/column`, and for which share of the training tracks."""
    if row.cls.supervised:
        return {"heard": sorted({label for task in tasks.values() for label in _labels(task)})}
    spec = row.cls.crops(row.config)
    heard = [f"{corpus}/{tag}" for corpus in grid.corpora for tag in spec.tags]
    return {"heard": heard, "heard_share": spec.label_share} if heard else {}


def _labels(task: Any) -> list[str]:
    return [f"{task.corpus}/{label}" for label in task.labels]


def _pretrainings(jobs: dict[str, Job], stores: Stores) -> list[dict[str, Any]]:
    """Cost and health of each row's pre-training: of the main budget, where it has that, with the seconds of each."""
    made = defaultdict[tuple[str, str, int], dict[float, tuple[str, dict[str, Any]]]](dict)
    scored = defaultdict[tuple[str, str, int], set[float]](set)
    for job in jobs.values():
        checkpoint = _checkpoint(jobs, job)
        if checkpoint and "budget" in checkpoint.spec and stores.done(checkpoint):
            identity = (job.spec["strategy"], job.spec["encoder"], job.spec["seed"])
            info = stores.results.manifest("pretrain", checkpoint.key)["info"]
            asked = float(checkpoint.spec["budget"]["crops"])
            made[identity][asked] = checkpoint.key, info
            if stores.done(job):
                scored[identity].add(asked)
    main = main_budget(scored.values() or made.values()) if made else 0.0
    found = []
    for identity, budgets in made.items():
        key, info = budgets[main if main in budgets else max(budgets)]
        lengths = {str(one["crops"]): one["seconds"] for _, one in budgets.values()}
        found.append({**_pretraining(identity, info), "lengths": lengths, "key": key})
    return found


def _checkpoint(jobs: dict[str, Job], job: Job) -> Job | None:
    """What a job with scores started from: a probe by way of an embedding, fine-tuning at once."""
    if job.kind not in SCORED:
        return None
    needs = [jobs[key] for key in job.needs]
    needs += [jobs[key] for need in needs if need.kind == "embed" for key in need.needs]
    return next((need for need in needs if need.kind == "pretrain"), None)


def _pretraining(identity: tuple[str, str, int], info: dict[str, Any]) -> dict[str, Any]:
    names = (
        "crops",
        "steps",
        "batch",
        "epochs",
        "tracks",
        "too_short",
        "learning_rate",
        "seconds",
        "loss",
        "trend",
        "std",
        "effective_rank",
        "mean_cosine",
        "parameters",
        "peak_mb",
        "resumed",
        "micro_batch",
        "machine",
    )
    strategy, encoder, seed = identity
    kept = {name: info.get(name) for name in names}
    return {"strategy": strategy, "encoder": encoder, "seed": seed, **kept, "collapsed": bool(info["collapsed"])}
