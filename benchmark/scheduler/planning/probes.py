"""The jobs that read a frozen encoder: embeddings of each corpus, and a probe per task."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning import conditions
from benchmark.scheduler.planning.checkpoints import Checkpoints
from benchmark.scheduler.planning.conditions import FONT_CORPORA, SECOND_FONT
from benchmark.scheduler.planning.exams import Exams
from benchmark.scheduler.planning.keys import ENGINE, Plan
from benchmark.scheduler.planning.rows import Row
from benchmark.store.artefacts import key_of

#: permutations of the labels in the control: a probe makes use of what a single one agrees with the truth by luck
SHUFFLES = 10


class Probes:
    """Probes of a grid's rows on its tasks: at the end of pre-training, on the way, and of shuffled labels."""

    def __init__(self, grid: Grid, plan: Plan, checkpoints: Checkpoints, exams: Exams) -> None:
        self._grid, self._plan, self._checkpoints, self._exams = grid, plan, checkpoints, exams

    def add(self, row: Row, encoder: str, seed: int) -> None:
        """Checkpoint, embeddings, a probe per task; only the probe knows the row's name: equal options share the rest.

        Clips and frames are embedded by jobs of their own, so that a task joins a grid without touching the others.
        """
        grid, tasks = self._grid, self._exams.tasks
        made = {n: self._checkpoints.of(row, encoder, seed, n) for n in self._checkpoints.budgets(row, seed)}
        for crops, checkpoint in made.items():
            for name in tasks:
                self._probe(row, encoder, seed, checkpoint, name, crops=crops)
        watched = [name for name in tasks if name in (grid.snapshots.tasks or tasks)] if grid.snapshots.at else []
        main = made.get(grid.main_budget, "")
        passed = self._checkpoints.on_the_way(row, encoder, seed, main) if watched and row.cls.trains else {}
        for share, snapshot in passed.items():
            for name in watched:
                self._probe(row, encoder, seed, snapshot, name, {"share": share})
        if row.name in grid.control and seed == row.checkpoints(grid)[0][1]:
            for name in tasks:
                self._probe(row, encoder, seed, main, name, control=True)

    def _probe(
        self,
        row: Row,
        encoder: str,
        seed: int,
        checkpoint: str,
        name: str,
        on_the_way: Mapping[str, float] = MappingProxyType({}),
        control: bool = False,
        crops: int = 0,
    ) -> None:
        """Read a task, from an encoder at the end of its training or, by a `share` of it, `on_the_way`.

        Args:
            crops: of its training, where there are several.
        """
        task, label = self._exams.tasks[name], row.label(encoder, seed)
        label += "".join(f" at {share:.3g}" for share in on_the_way.values())
        label += f", {crops:,} crops" if self._grid.budgets and row.cls.trains and crops else ""
        reads, tracks = "frames" if task.output.startswith("frame") else "clips", self._exams.waveforms(name)
        spec = {**_read(row.strategy, encoder, seed, tracks, task.corpus), **on_the_way}
        what = f"embed {reads} of {task.corpus} by {label}"
        embedded = self._embed(what, {**spec, "reads": reads}, checkpoint, tracks)
        others: list[str] = []
        chosen = [] if on_the_way or control else conditions.conditions_of(self._grid.corruptions, task)
        for condition in chosen:
            others += self._under(name, {**spec, "reads": reads}, checkpoint, what, *condition)
        probe = {**spec, "strategy": row.name, **self._exams.reading(name)}
        if task.output == "frame_multiclass":
            probe["path"] = 2  # how these are solved, and no others: which keep their keys
        probe |= {"pretrain_corpus": self._checkpoints.heard_by(row)}
        probe |= {"conditions": [list(condition) for condition in chosen]} if chosen else {}
        fractions = [[max(self._grid.fractions), 1]]
        probe |= {"fractions": fractions, "shuffle_labels": True, "shuffles": SHUFFLES} if control else {}
        kind, needs = "control" if control else "probe", (embedded, tracks, *others, *self._exams.labels(name))
        self._plan.add(kind, f"{kind} {label} on {name}", probe, needs, (self._exams.tried[name],))

    def _under(
        self, name: str, spec: dict[str, Any], checkpoint: str, what: str, condition: str, severity: int
    ) -> list[str]:
        """Embeddings of test tracks under a condition; before them, the other waveforms that they are of, if any."""
        if condition == SECOND_FONT:
            tracks = self._exams.second_font(name)
            spec |= {"waveforms": tracks, "corpus": FONT_CORPORA[self._exams.tasks[name].corpus]}
            return [tracks, self._embed(f"{what}, second font", spec, checkpoint, tracks)]
        tracks = self._exams.waveforms(name)
        spec |= {"corruption": [condition, severity], "version": conditions.CORRUPTION_VERSION}
        return [self._embed(f"{what}, {condition} {severity}", spec, checkpoint, tracks)]

    def _embed(self, what: str, spec: dict[str, Any], checkpoint: str, tracks: str) -> str:
        """Embeddings of clips or of frames; where both are wanted, the first one's forward makes the other's too."""
        key = self._plan.add("embed", what, spec, (checkpoint, tracks))
        made_from = {k: v for k, v in spec.items() if k != "reads"}
        self._plan.share(key, {"kind": "embed", "needs": [checkpoint, tracks], **made_from})
        return key


def embedding_keys(checkpoint: str, strategy: str, probe: dict[str, Any]) -> set[str]:
    """Keys of the embeddings that a probe would have read, had it been of this checkpoint, in any version.

    Embeddings are not kept, so that nothing else says which checkpoint a score is of.

    Args:
        checkpoint: key of a finished pre-training.
        strategy: the registered one that made it.
        probe: the specification of the probe.
    """
    spec = _read(strategy, *(probe[name] for name in ("encoder", "seed", "waveforms", "corpus")))
    needs = {"kind": "embed", "needs": [checkpoint, probe["waveforms"]]}
    engines = range(1, ENGINE["embed"] + 1)
    return {key_of({**needs, **spec, "engine": n, "reads": reads}) for n in engines for reads in ("clips", "frames")}


def _read(strategy: str, encoder: str, seed: int, tracks: str, corpus: str) -> dict[str, Any]:
    """What embeddings are of, but for whether clips or frames are wanted."""
    return {"strategy": strategy, "encoder": encoder, "seed": seed, "waveforms": tracks, "corpus": corpus}
