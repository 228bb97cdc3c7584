"""Grid to jobs: a pure function. Each job's key is the hash of all that its result depends on."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.conditions import FONT_CORPORA, SECOND_FONT, conditions_of
from benchmark.scheduler.grid import Audio, Grid
from benchmark.store.artefacts import content_key
from benchmark.store.job import DATA_KINDS, Job

#: what each kind of job computes: bump it when that changes; what builds on it follows by its key
ENGINE = {
    "catalog": 3,
    "shard": 4,
    "waveforms": 4,
    "pretrain": 3,
    "embed": 4,
    "probe": 6,
    "control": 8,
    "supervised": 5,
    "preflight": 1,
}
#: bump when a corruption sounds different
CORRUPTION_VERSION = 1
TRACKS_PER_SHARD = 50
#: permutations of the labels in the control: a probe makes use of what a single one agrees with the truth by luck
SHUFFLES = 10


class Plan:
    """The jobs of a grid, by key."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def add(
        self,
        kind: str,
        name: str,
        spec: dict[str, Any],
        needs: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        aside: dict[str, Any] | None = None,
    ) -> str:
        """Add a job (once) and return its key.

        Args:
            needs: what it reads; its result depends on those.
            after: what has to succeed first, although nothing of it is read.
            aside: said to the job, but no part of its key.
        """
        full = {"kind": kind, "engine": ENGINE[kind], "needs": list(needs), **spec}
        key = content_key(full)
        # equal jobs are one, under the name of the first
        self.jobs.setdefault(key, Job(key, kind, name, {**full, **(aside or {})}, needs + after, kind in DATA_KINDS))
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
    return _Planner(grid).jobs()


def select(jobs: dict[str, Job], only: Sequence[str] = (), exclude: Sequence[str] = ()) -> dict[str, Job]:
    """The jobs whose names match a pattern of `only` (all, if there is none), with all that they need.

    Args:
        exclude: patterns of jobs to leave out, and with them whatever needs them.

    Raises:
        UserError: a pattern matches no job.
    """
    names = [job.name for job in jobs.values()]
    for pattern in (*only, *exclude):
        if not fnmatch.filter(names, pattern):
            raise UserError(f"{pattern!r} matches no job; 'plan' lists them all, and * stands for anything")
    out: set[str] = set()
    for key, job in jobs.items():  # a plan lists a job after all that it needs
        if any(fnmatch.fnmatchcase(job.name, p) for p in exclude) or not out.isdisjoint(job.needs):
            out.add(key)
    keep = {
        key
        for key, job in jobs.items()
        if key not in out and (not only or any(fnmatch.fnmatchcase(job.name, p) for p in only))
    }
    if not keep:
        raise UserError(f"nothing is left to run: --exclude {' '.join(exclude)} takes out all")
    for key in reversed(jobs):
        if key in keep:
            keep.update(jobs[key].needs)
    return {key: job for key, job in jobs.items() if key in keep}


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
    base |= _source(registry.corpora, name)
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
    lenient = {"allow_missing": audio.allow_missing}  # decides whether there is a result, not what it is
    return result.add("waveforms", f"join {what}", base, (catalog, *shards), aside=lenient)


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


class _Planner:
    """One grid on its way to jobs: the sound, then a trial of each part, then row by row."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.rows, self.plan = grid, rows(grid), Plan()
        self.tasks = {name: registry.tasks.get(name) for name in grid.tasks}
        for name in grid.snapshots.tasks:
            registry.tasks.get(name)  # a slip of the pen is named
        self.watched = [name for name in self.tasks if name in (grid.snapshots.tasks or self.tasks)]
        own = audio_of(grid, grid.corpus)
        stems = sorted({stem for row in self.rows for stem in row.cls.crops(row.config).sources})
        trained = any(row.cls.trains and not row.cls.supervised for row in self.rows)
        self.heard = prepare(self.plan, own, []) if trained else ""
        # only who listens to stems depends on them: all else stays what it is when such a strategy joins the grid
        self.heard_with_stems = prepare(self.plan, own, stems) if stems else self.heard
        corpora = dict.fromkeys(task.corpus for task in self.tasks.values())
        self.waveforms = {corpus: prepare(self.plan, audio_of(grid, corpus), []) for corpus in corpora}
        for task in self.tasks.values():
            registry.corpora.get(task.corpus)().require(task.labels)
        self.tried = {name: self._try_task(name) for name in self.tasks}

    def jobs(self) -> dict[str, Job]:
        """All of them."""
        for row in self.rows:
            for encoder, seed in row.checkpoints(self.grid):
                if row.cls.supervised:
                    self._end_to_end(row, encoder, seed)
                elif self.grid.protocol == "finetune":
                    self._end_to_end(row, encoder, seed, self._checkpoint(row, encoder, seed))
                else:
                    self._probed(row, encoder, seed)
        return self.plan.jobs

    def _try_task(self, name: str) -> str:
        """A probe of noise, which needs no more than the labels."""
        catalog = self.plan.jobs[self.waveforms[self.tasks[name].corpus]].needs[0]
        version, fraction = self.tasks[name].info.version, min(self.grid.fractions)
        spec = {"task": name, "task_version": version, "fraction": fraction, **_source(registry.tasks, name)}
        return self.plan.add("preflight", f"preflight {name}", spec, (catalog,))

    def _probed(self, row: Row, encoder: str, seed: int) -> None:
        """Checkpoint, embeddings, a probe per task; only the probe knows the row's name: equal options share the rest.

        Clips and frames are embedded by jobs of their own, so that a task joins a grid without touching the others.
        """
        checkpoint = self._checkpoint(row, encoder, seed)
        for name in self.tasks:
            self._probe(row, encoder, seed, checkpoint, name)
        for share in self.grid.snapshots.at if row.cls.trains else ():
            for name in self.watched:
                self._probe(row, encoder, seed, checkpoint, name, {"share": share})
        if row.name in self.grid.control and seed == row.checkpoints(self.grid)[0][1]:
            for name in self.tasks:
                self._probe(row, encoder, seed, checkpoint, name, control=True)

    def _probe(
        self,
        row: Row,
        encoder: str,
        seed: int,
        checkpoint: str,
        name: str,
        on_the_way: Mapping[str, float] = MappingProxyType({}),
        control: bool = False,
    ) -> None:
        """Read a task, from an encoder at the end of its training or, by a `share` of it, `on_the_way`."""
        task, label = self.tasks[name], f"{row.name} {encoder} seed {seed}"
        label += "".join(f" at {share:.3g}" for share in on_the_way.values())
        reads, tracks = "frames" if task.output.startswith("frame") else "clips", self.waveforms[task.corpus]
        heard = {"waveforms": tracks, "corpus": task.corpus}
        spec = {"strategy": row.strategy, "encoder": encoder, "seed": seed, **heard, **on_the_way}
        what = f"embed {reads} of {task.corpus} by {label}"
        embedded = self.plan.add("embed", what, {**spec, "reads": reads}, (checkpoint, tracks))
        conditions, others = [] if on_the_way or control else conditions_of(self.grid.corruptions, task), list[str]()
        for condition in conditions:
            others += self._heard(task, {**spec, "reads": reads}, checkpoint, what, *condition)
        probe = {**spec, "strategy": row.name, **self._reading(name), "pretrain_corpus": self._pretrained_on(row)}
        probe |= {"conditions": [list(condition) for condition in conditions]} if conditions else {}
        fractions = [[max(self.grid.fractions), 1]]
        probe |= {"fractions": fractions, "shuffle_labels": True, "shuffles": SHUFFLES} if control else {}
        kind, needs = "control" if control else "probe", (embedded, tracks, *others)
        self.plan.add(kind, f"{kind} {label} on {name}", probe, needs, (self.tried[name],))

    def _heard(
        self, task: Any, spec: dict[str, Any], checkpoint: str, what: str, condition: str, severity: int
    ) -> list[str]:
        """Embeddings of test tracks under a condition; before them, the other waveforms that they are of, if any."""
        if condition == SECOND_FONT:
            tracks = self._second_font(task)
            spec |= {"waveforms": tracks, "corpus": FONT_CORPORA[task.corpus]}
            return [tracks, self.plan.add("embed", f"{what}, second font", spec, (checkpoint, tracks))]
        tracks = self.waveforms[task.corpus]
        spec |= {"corruption": [condition, severity], "version": CORRUPTION_VERSION}
        return [self.plan.add("embed", f"{what}, {condition} {severity}", spec, (checkpoint, tracks))]

    def _second_font(self, task: Any) -> str:
        """The waveforms of a task's test tracks by the second font."""
        size = audio_of(self.grid, task.corpus).size
        return prepare(self.plan, Audio(corpus=FONT_CORPORA[task.corpus], size=size), [])

    def _checkpoint(self, row: Row, encoder: str, seed: int) -> str:
        """The encoder's weights, pre-trained after one step has succeeded; or as they are initialized."""
        loaded = _compatible(row, encoder)
        module = {
            "strategy": row.strategy,
            "strategy_version": row.cls.info.version,
            "options": row.config.model_dump(mode="json"),
            "encoder": encoder,
            "encoder_version": loaded.info.version,
            **_source(registry.strategies, row.strategy),
            **_source(registry.encoders, encoder),
        }
        if not row.cls.trains:
            return self.plan.add("pretrain", f"export {row.name} {encoder} seed {seed}", {**module, "seed": seed})
        self._check_length(row)
        budget = self.grid.pretrain.model_dump()
        step = {**module, "precision": budget["precision"]}
        tried = self.plan.add("preflight", f"preflight {row.name} on {encoder}", step)
        spec = {**module, "seed": seed, "budget": budget, "corpus": self.grid.corpus}
        if self.grid.snapshots.at:
            spec["snapshots"] = self.grid.snapshots.at
        heard = self.heard_with_stems if row.cls.crops(row.config).sources else self.heard
        return self.plan.add("pretrain", f"pretrain {row.name} {encoder} seed {seed}", spec, (heard,), (tried,))

    def _check_length(self, row: Row) -> None:
        """Refuse crops that no track of the corpus can hold, where it says how long its tracks are."""
        longest, spec = registry.corpora.get(self.grid.corpus).track_seconds, row.cls.crops(row.config)
        apart = spec.count if spec.placement in ("adjacent", "disjoint") else 1
        if longest is not None and apart * spec.seconds > longest:
            raise UserError(
                f"strategies.{row.name}: {apart} x {spec.seconds} s do not fit into the tracks of {self.grid.corpus}, "
                f"which last {longest} s: ask for shorter crops, or place them at random"
            )

    def _end_to_end(self, row: Row, encoder: str, seed: int, checkpoint: str | None = None) -> None:
        """From scratch, or from a checkpoint: a training per task, fraction and resample, which run side by side."""
        spec = {
            "strategy": row.name,
            "strategy_version": row.cls.info.version,
            "encoder": encoder,
            "encoder_version": registry.encoders.get(encoder).info.version,
            **_source(registry.encoders, encoder),
            "seed": seed,
            "pretrain_corpus": self._pretrained_on(row) if checkpoint else "none",
        }
        if checkpoint:
            spec["protocol"] = "finetune"
        for name, task in self.tasks.items():
            conditions = [list(condition) for condition in conditions_of(self.grid.corruptions, task)]
            second = (self._second_font(task),) if [SECOND_FONT, 1] in conditions else ()
            for fraction, resamples in self.grid.fractions.items():
                for resample in range(resamples):
                    verb = "finetune " if checkpoint else ""
                    label = f"{verb}{row.name} {encoder} seed {seed} on {name}, {fraction:.0%} #{resample}"
                    # draws of a fraction do not depend on the other ones, nor on later resamples
                    own = {"fraction": fraction, "resample": resample, "fractions": [[fraction, resample + 1]]}
                    job = {**spec, "corpus": task.corpus, **self._reading(name), **own}
                    job |= {"conditions": conditions, "version": CORRUPTION_VERSION} if conditions else {}
                    needs = (self.waveforms[task.corpus], *((checkpoint,) if checkpoint else ()), *second)
                    self.plan.add("supervised", label, job, needs, (self.tried[name],))

    def _pretrained_on(self, row: Row) -> str:
        return f"{self.grid.corpus}/{self.grid.size}" if row.cls.trains else "none"

    def _reading(self, task: str) -> dict[str, Any]:
        """What every reading of a task depends on, by a probe or end to end."""
        return {
            "task": task,
            "task_version": self.tasks[task].info.version,
            **_source(registry.tasks, task),
            "fractions": [[f, n] for f, n in sorted(self.grid.fractions.items())],
            "probes": sorted(self.grid.probes),
            "shuffle_labels": self.grid.shuffle_labels,
        }


def _source(axis: registry.Registry[Any], name: str) -> dict[str, str]:
    """The hash of a plugin file: it is being edited, and nobody bumps its version."""
    source = axis.source_hash(name)
    return {f"{axis.axis}_source": source} if source else {}


def _compatible(row: Row, encoder: str) -> Any:
    """The encoder's class.

    Raises:
        UserError: the strategy cannot train it.
    """
    loaded = registry.encoders.get(encoder)
    if row.cls.trains and not loaded.offers:
        raise UserError(f"{row.name} cannot train {encoder}: there is nothing to train in it")
    lacking = row.cls.needs - loaded.offers
    if lacking:
        raise UserError(f"{row.name} cannot train {encoder}: it needs an encoder that offers {', '.join(lacking)}")
    return loaded
