"""Grid to jobs: a pure function. Each job's key is the hash of all that its result depends on."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from benchmark import registry
from benchmark.interfaces import Corpus, UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.store import content_key
from benchmark.scheduler.walk import Job

#: bump when the trainer, the embedding or the probes change what they compute
ENGINE = 1
TRACKS_PER_SHARD = 50
#: jobs whose artefacts belong to the data folder: shared by all grids
DATA_KINDS = ("catalog", "shard", "waveforms")


class Plan:
    """The jobs of a grid, by key."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def add(self, kind: str, name: str, spec: dict[str, Any], needs: tuple[str, ...] = ()) -> str:
        """Add a job (once) and return its key."""
        full = {"kind": kind, "engine": ENGINE, "needs": list(needs), **spec}
        key = content_key(full)
        self.jobs[key] = Job(key, kind, name, full, needs)
        return key


def plan(grid: Grid) -> dict[str, Job]:
    """All jobs of `grid`, keyed by content.

    Raises:
        UserError: an unknown name, or a pair that cannot work together; nothing has run yet.
    """
    result = Plan()
    waveforms = _prepare(result, grid)
    tasks = {name: registry.tasks.get(name) for name in grid.tasks}
    for name, task in tasks.items():
        if task.corpus != grid.corpus:
            raise UserError(f"task {name!r} is about corpus {task.corpus!r}, the grid's is {grid.corpus!r}")
    for strategy, options in grid.strategies.items():
        for encoder, seed in _checkpoints(grid, strategy):
            pretrained = _pretrain(result, grid, strategy, options, encoder, seed, waveforms)
            frames = any(task.output != "multiclass" for task in tasks.values())
            spec = {
                "strategy": strategy,
                "encoder": encoder,
                "seed": seed,
                "frames": frames,
                "waveforms": waveforms,
            }
            label = f"{strategy} {encoder} seed {seed}"
            embedded = result.add("embed", f"embed {label}", {**spec, "corpus": grid.corpus}, (pretrained, waveforms))
            for name, task in tasks.items():
                probe = {
                    **spec,
                    "task": name,
                    "task_version": task.info.version,
                    "fractions": [[f, n] for f, n in grid.fractions.items()],
                    "probes": grid.probes,
                    "shuffle_labels": grid.shuffle_labels,
                    "pretrain_corpus": f"{grid.corpus}/{grid.size}" if _trains(strategy) else "none",
                }
                result.add("probe", f"probe {label} on {name}", probe, (embedded, waveforms))
    return result.jobs


def _prepare(result: Plan, grid: Grid) -> str:
    """Catalog, then shards, then one waveform store."""
    corpus = registry.corpora.get(grid.corpus)
    if grid.size not in corpus.sizes:
        raise registry.unknown(f"sizes of {grid.corpus}", grid.size, list(corpus.sizes))
    size = corpus.sizes[grid.size]
    base = {"corpus": grid.corpus, "size": size, "fingerprint": corpus().fingerprint()}
    catalog = result.add("catalog", f"catalog {grid.corpus} {grid.size}", base)
    base["stems"] = _stems(grid, corpus)
    shards = tuple(
        result.add(
            "shard",
            f"render {grid.corpus} {at}-{min(at + TRACKS_PER_SHARD, size)}",
            {**base, "start": at, "stop": min(at + TRACKS_PER_SHARD, size)},
            (catalog,),
        )
        for at in range(0, size, TRACKS_PER_SHARD)
    )
    return result.add("waveforms", f"join {grid.corpus} {grid.size}", base, (catalog, *shards))


def _stems(grid: Grid, corpus: type[Corpus]) -> list[str]:
    """The stems to keep: those that a strategy of the grid listens to."""
    wanted = set()
    for name, options in grid.strategies.items():
        cls = registry.strategies.get(name)
        wanted |= set(cls.crops(_options(cls, name, options)).sources)
    absent = wanted - set(corpus.stems)
    if absent:
        raise UserError(f"corpus {grid.corpus!r} has no stem {', '.join(sorted(absent))}; it has {corpus.stems}")
    return sorted(wanted)


def _options(cls: Any, strategy: str, options: dict[str, Any]) -> Any:
    try:
        return cls.Config.model_validate(options)
    except ValidationError as error:
        lines = [f"strategies.{strategy}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UserError("; ".join(lines)) from error


def _trains(strategy: str) -> bool:
    return bool(registry.strategies.get(strategy).trains)


def _checkpoints(grid: Grid, strategy: str) -> list[tuple[str, int]]:
    """(encoder, seed) pairs; a strategy with its own handcrafted encoder has nothing to seed."""
    own = registry.strategies.get(strategy).encoder_name
    if own is not None:
        return [(own, 0)]
    return [(encoder, seed) for encoder in grid.encoders for seed in grid.seeds]


def _pretrain(
    result: Plan, grid: Grid, strategy: str, options: dict[str, Any], encoder: str, seed: int, waveforms: str
) -> str:
    cls = registry.strategies.get(strategy)
    lacking = cls.needs - registry.encoders.get(encoder).offers
    if lacking:
        raise UserError(f"{strategy} cannot train {encoder}: it needs an encoder that offers {', '.join(lacking)}")
    resolved = _options(cls, strategy, options).model_dump(mode="json")
    spec = {
        "strategy": strategy,
        "strategy_version": cls.info.version,
        "options": resolved,
        "encoder": encoder,
        "encoder_version": registry.encoders.get(encoder).info.version,
        "seed": seed,
    }
    name = f"{'pretrain' if cls.trains else 'export'} {strategy} {encoder} seed {seed}"
    if not cls.trains:
        return result.add("pretrain", name, spec)
    budget = grid.pretrain.model_dump()
    return result.add("pretrain", name, {**spec, "budget": budget, "corpus": grid.corpus}, (waveforms,))
