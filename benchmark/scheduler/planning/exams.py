"""What a grid's encoders are examined on: each task, the sound that it is read from, and a trial of it."""

from __future__ import annotations

from typing import Any

from benchmark import registry
from benchmark.probing.items import check_items
from benchmark.scheduler.grid import Audio, Grid
from benchmark.scheduler.planning.conditions import FONT_CORPORA
from benchmark.scheduler.planning.keys import Plan, source
from benchmark.scheduler.planning.labels import read_labels
from benchmark.scheduler.planning.waveforms import audio_of, prepare


class Exams:
    """A grid's tasks.

    Attributes:
        tasks: classes by name.
        tried: by name, the job that probes noise first, which needs no more than the labels.
    """

    def __init__(self, grid: Grid, plan: Plan) -> None:
        self._grid, self._plan = grid, plan
        self.tasks: dict[str, Any] = {name: registry.tasks.get(name) for name in grid.tasks}
        corpora = dict.fromkeys(task.corpus for task in self.tasks.values())
        self._waveforms = {corpus: prepare(plan, audio_of(grid, corpus), []) for corpus in corpora}
        for task in self.tasks.values():
            corpus = registry.corpora.get(task.corpus)()
            corpus.require(task.labels)
            if (tracks := corpus.known_tracks()) is not None:
                check_items(task(), tracks)
        self._labels = {
            name: read_labels(plan, [task.corpus], (*task.labels, *task.context, *task.crossed))
            for name, task in self.tasks.items()
        }
        self.tried = {name: self._try(name) for name in self.tasks}

    def waveforms(self, task: str) -> str:
        """The waveforms that a task is read from."""
        return self._waveforms[self.tasks[task].corpus]

    def labels(self, task: str) -> tuple[str, ...]:
        """The job that reads a task's labels, where its corpus's catalog does not have them."""
        return tuple(self._labels[task].values())

    def second_font(self, task: str) -> str:
        """The waveforms of a task's test tracks by the second font."""
        corpus = self.tasks[task].corpus
        audio = Audio(corpus=FONT_CORPORA[corpus], size=audio_of(self._grid, corpus).size)
        return prepare(self._plan, audio, [])

    def reading(self, task: str) -> dict[str, Any]:
        """What every reading of a task depends on, by a probe or end to end."""
        return {
            **self._identity(task),
            "fractions": [[f, n] for f, n in sorted(self._grid.fractions.items())],
            "probes": sorted(self._grid.probes),
            "shuffle_labels": self._grid.shuffle_labels,
        }

    def _identity(self, task: str) -> dict[str, Any]:
        labels = self._labels[task]
        version = {"task_version": self.tasks[task].info.version, **source(registry.tasks, task)}
        return {"task": task, **version, **({"labels": labels} if labels else {})}

    def _try(self, task: str) -> str:
        catalog = self._plan.jobs[self.waveforms(task)].needs[0]
        spec = {**self._identity(task), "fraction": min(self._grid.fractions)}
        return self._plan.add("preflight", f"preflight {task}", spec, (catalog, *self.labels(task)))
