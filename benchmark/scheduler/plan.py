"""Grid to jobs: a pure function. Each job's key is the hash of all that its result depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Audio, Grid
from benchmark.scheduler.store import content_key
from benchmark.scheduler.walk import Job

#: what each kind of job computes: bump it when that changes; what builds on it follows by its key
ENGINE = {"catalog": 3, "shard": 4, "waveforms": 4, "pretrain": 3, "embed": 4, "probe": 4, "supervised": 4}
#: bump when a corruption sounds different
CORRUPTION_VERSION = 1
TRACKS_PER_SHARD = 50
#: jobs whose artefacts belong to the data folder: shared by all grids
DATA_KINDS = ("catalog", "shard", "waveforms")


class Plan:
    """The jobs of a grid, by key."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def add(self, kind: str, name: str, spec: dict[str, Any], needs: tuple[str, ...] = ()) -> str:
        """Add a job (once) and return its key."""
        full = {"kind": kind, "engine": ENGINE[kind], "needs": list(needs), **spec}
        key = content_key(full)
        self.jobs[key] = Job(key, kind, name, full, needs)
        return key


@dataclass(frozen=True)
class Row:
    """A row of the leaderboard: a strategy with its options, under the name that the grid gives it."""

    name: str
    strategy: str
    cls: Any
    config: Any

    @classmethod
    def of(cls, name: str, options: dict[str, Any]) -> Row:
        """Resolve an entry of the grid; `strategy: NAME` among its options makes it a variant of that strategy.

        Raises:
            UserError: no such strategy, or a wrong option (each is named).
        """
        strategy = str(options.get("strategy", name))
        found = registry.strategies.get(strategy)
        try:
            config = found.Config.model_validate({k: v for k, v in options.items() if k != "strategy"})
        except ValidationError as error:
            lines = [f"strategies.{name}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise UserError("; ".join(lines)) from error
        return cls(name, strategy, found, config)

    def checkpoints(self, grid: Grid) -> list[tuple[str, int]]:
        """(encoder, seed) pairs; a strategy with its own handcrafted encoder has nothing to seed."""
        own = self.cls.encoder_name
        return [(own, 0)] if own is not None else [(e, seed) for e in grid.encoders for seed in grid.seeds]


def rows(grid: Grid) -> list[Row]:
    """The grid's strategies, resolved."""
    return [Row.of(name, options) for name, options in grid.strategies.items()]


def plan(grid: Grid) -> dict[str, Job]:
    """All jobs of `grid`, keyed by content.

    Raises:
        UserError: an unknown name, data that is not there, or a pair that cannot work together; nothing has run yet.
    """
    result, resolved = Plan(), rows(grid)
    stems = sorted({stem for row in resolved for stem in row.cls.crops(row.config).sources})
    trained = any(row.cls.trains and not row.cls.supervised for row in resolved)
    pretrain = prepare(result, audio_of(grid, grid.corpus), []) if trained else ""
    # only who listens to stems depends on them: all else stays what it is when such a strategy joins the grid
    with_stems = prepare(result, audio_of(grid, grid.corpus), stems) if stems else pretrain
    corpora = dict.fromkeys(registry.tasks.get(name).corpus for name in grid.tasks)
    waveforms = {corpus: prepare(result, audio_of(grid, corpus), []) for corpus in corpora}
    for row in resolved:
        for encoder, seed in row.checkpoints(grid):
            heard = with_stems if row.cls.crops(row.config).sources else pretrain
            if row.cls.supervised:
                _end_to_end(result, grid, row, encoder, seed, waveforms)
            elif grid.protocol == "finetune":
                checkpoint = _checkpoint(result, grid, row, encoder, seed, heard)
                _end_to_end(result, grid, row, encoder, seed, waveforms, checkpoint)
            else:
                _pretrained(result, grid, row, encoder, seed, heard, waveforms)
    return result.jobs


def prepare(result: Plan, audio: Audio, stems: list[str]) -> str:
    """Catalog, then shards, then one waveform store, of the mixture and of `stems`: the corpus's own, or separated.

    Raises:
        UserError: no such corpus or size, it is not on the disk, or nobody makes these stems.
    """
    name = audio.corpus
    corpus = registry.corpora.get(name)()
    if audio.size not in corpus.sizes:
        raise registry.unknown(f"sizes of {name}", audio.size, list(corpus.sizes))
    size = corpus.size(audio.size)
    base: dict[str, Any] = {"corpus": name, "size": size, "fingerprint": corpus.fingerprint()}
    catalog = result.add("catalog", f"catalog {name} {audio.size}", base)
    base |= {"stems": stems, **_separator(corpus, name, stems)}
    what = f"{name} {audio.size}{' with stems' if stems else ''}"
    shards = tuple(
        result.add(
            "shard",
            f"render {what} {at}-{min(at + TRACKS_PER_SHARD, size)}",
            {**base, "start": at, "stop": min(at + TRACKS_PER_SHARD, size)},
            (catalog,),
        )
        for at in range(0, size, TRACKS_PER_SHARD)
    )
    joined = {**base, "allow_missing": audio.allow_missing}
    return result.add("waveforms", f"join {what}", joined, (catalog, *shards))


def audio_of(grid: Grid, corpus: str) -> Audio:
    """A corpus as a grid wants it: in the size that it names, else as large as its own corpus, else whole."""
    sizes = registry.corpora.get(corpus).sizes
    size = grid.size if corpus == grid.corpus else grid.sizes.get(corpus)
    if size is None:
        size = grid.size if grid.size in sizes else list(sizes)[-1]
    return Audio(corpus=corpus, size=size, allow_missing=grid.allow_missing)


def _separator(corpus: Any, name: str, stems: list[str]) -> dict[str, list[str]]:
    """Who takes the mixture apart, and its version, where the corpus has no such stems of its own."""
    absent = set(stems) - set(corpus.stems)
    if not absent:
        return {}
    from benchmark.audio.separate import SEPARATORS, separator_for, separator_version

    separator = separator_for(absent)
    if separator is None:
        known = "; ".join(f"{', '.join(found)} ({by})" for by, found in {name: corpus.stems, **SEPARATORS}.items())
        raise UserError(f"nobody makes the stems {', '.join(sorted(absent))} of {name!r}; there are {known}")
    if not separator_version(separator):
        raise UserError(f"stems {', '.join(sorted(absent))} need demucs: pip install 'mir-pretext[separate]'")
    return {"separator": [separator, separator_version(separator)]}


def _pretrained(
    result: Plan, grid: Grid, row: Row, encoder: str, seed: int, heard: str, waveforms: dict[str, str]
) -> None:
    """Checkpoint, embeddings, a probe per task; only the probe knows the row's name: equal options share the rest.

    Clips and frames are embedded by jobs of their own, so that a task joins a grid without touching the others.
    """
    checkpoint = _checkpoint(result, grid, row, encoder, seed, heard)
    label = f"{row.name} {encoder} seed {seed}"
    pretrained_on = f"{grid.corpus}/{grid.size}" if row.cls.trains else "none"
    for name in grid.tasks:
        task = registry.tasks.get(name)
        reads, tracks = "frames" if task.output.startswith("frame") else "clips", waveforms[task.corpus]
        spec = {"strategy": row.strategy, "encoder": encoder, "seed": seed, "waveforms": tracks, "corpus": task.corpus}
        what = f"embed {reads} of {task.corpus} by {label}"
        embedded = result.add("embed", what, {**spec, "reads": reads}, (checkpoint, tracks))
        conditions = _conditions(grid, task)
        corrupted = tuple(
            result.add(
                "embed",
                f"{what}, {corruption} {severity}",
                {**spec, "reads": reads, "corruption": [corruption, severity], "version": CORRUPTION_VERSION},
                (checkpoint, tracks),
            )
            for corruption, severity in conditions
        )
        probe = {**spec, "strategy": row.name, **_reading(grid, name), "pretrain_corpus": pretrained_on}
        if conditions:
            probe["conditions"] = [list(condition) for condition in conditions]
        result.add("probe", f"probe {label} on {name}", probe, (embedded, tracks, *corrupted))


def _conditions(grid: Grid, task: Any) -> list[tuple[str, int]]:
    """The corruptions under which a task's labels still hold."""
    if not grid.corruptions:
        return []
    from benchmark.audio.corrupt import CORRUPTIONS

    chosen = []
    for name, severities in grid.corruptions.items():
        if name not in CORRUPTIONS:
            raise registry.unknown("corruptions", name, list(CORRUPTIONS))
        wrong = [severity for severity in severities if severity not in (1, 2, 3, 4)]
        if wrong:
            raise UserError(f"corruptions.{name}: {wrong[0]} is no severity; they are 1 to 4")
        moved_time = CORRUPTIONS[name].moves_time and (task.level == "time" or task.output.startswith("frame"))
        if not moved_time and not (CORRUPTIONS[name].moves_pitch and task.level == "pitch"):
            chosen += [(name, severity) for severity in severities]
    return chosen


def _checkpoint(result: Plan, grid: Grid, row: Row, encoder: str, seed: int, waveforms: str) -> str:
    loaded = registry.encoders.get(encoder)
    if row.cls.trains and not loaded.offers:
        raise UserError(f"{row.name} cannot train {encoder}: there is nothing to train in it")
    lacking = row.cls.needs - loaded.offers
    if lacking:
        raise UserError(f"{row.name} cannot train {encoder}: it needs an encoder that offers {', '.join(lacking)}")
    spec = {
        "strategy": row.strategy,
        "strategy_version": row.cls.info.version,
        "options": row.config.model_dump(mode="json"),
        "encoder": encoder,
        "encoder_version": loaded.info.version,
        "seed": seed,
    }
    source = registry.strategies.source_hash(row.strategy)
    if source:  # a plugin file that is being edited, whose version nobody bumps
        spec["source"] = source
    if not row.cls.trains:
        return result.add("pretrain", f"export {row.name} {encoder} seed {seed}", spec)
    spec |= {"budget": grid.pretrain.model_dump(), "corpus": grid.corpus}
    return result.add("pretrain", f"pretrain {row.name} {encoder} seed {seed}", spec, (waveforms,))


def _end_to_end(
    result: Plan,
    grid: Grid,
    row: Row,
    encoder: str,
    seed: int,
    waveforms: dict[str, str],
    checkpoint: str | None = None,
) -> None:
    """From scratch, or from a checkpoint: a training per task, fraction and resample, which run side by side."""
    spec = {
        "strategy": row.name,
        "strategy_version": row.cls.info.version,
        "encoder": encoder,
        "encoder_version": registry.encoders.get(encoder).info.version,
        "seed": seed,
        "pretrain_corpus": f"{grid.corpus}/{grid.size}" if checkpoint and row.cls.trains else "none",
    }
    if checkpoint:
        spec["protocol"] = "finetune"
    for name in grid.tasks:
        corpus = registry.tasks.get(name).corpus
        for fraction, resamples in grid.fractions.items():
            for resample in range(resamples):
                verb = "finetune " if checkpoint else ""
                label = f"{verb}{row.name} {encoder} seed {seed} on {name}, {fraction:.0%} #{resample}"
                # draws of a fraction do not depend on the other ones, nor on later resamples
                own = {"fraction": fraction, "resample": resample, "fractions": [[fraction, resample + 1]]}
                job = {**spec, "corpus": corpus, **_reading(grid, name), **own}
                needs = (waveforms[corpus], *((checkpoint,) if checkpoint else ()))
                result.add("supervised", label, job, needs)


def _reading(grid: Grid, task: str) -> dict[str, Any]:
    """What every reading of a task depends on, by a probe or end to end."""
    return {
        "task": task,
        "task_version": registry.tasks.get(task).info.version,
        "fractions": [[f, n] for f, n in grid.fractions.items()],
        "probes": grid.probes,
        "shuffle_labels": grid.shuffle_labels,
    }
