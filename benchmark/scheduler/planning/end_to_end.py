"""The jobs that train encoder and head together: the supervised baseline, and fine-tuning of checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark import registry
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning import conditions
from benchmark.scheduler.planning.checkpoints import Checkpoints
from benchmark.scheduler.planning.conditions import SECOND_FONT
from benchmark.scheduler.planning.exams import Exams
from benchmark.scheduler.planning.keys import Plan, source
from benchmark.scheduler.planning.rows import Row

#: whose options say how labels are learned where checkpoints are fine-tuned and the grid has no such row
TEACHER = "supervised"


class EndToEnd:
    """A training per task, fraction and resample, which run side by side."""

    def __init__(self, grid: Grid, rows: Sequence[Row], plan: Plan, checkpoints: Checkpoints, exams: Exams) -> None:
        self._grid, self._plan, self._checkpoints, self._exams = grid, plan, checkpoints, exams
        self._teachers = [row for row in rows if row.cls.supervised]

    def add(self, row: Row, encoder: str, seed: int, checkpoint: str | None = None) -> None:
        """Train on every task, from scratch or from a checkpoint."""
        teacher = self._teacher(row)
        spec = {
            "strategy": row.name,
            "strategy_version": row.cls.info.version,
            "encoder": encoder,
            "encoder_version": registry.encoders.get(encoder).info.version,
            **source(registry.encoders, encoder),
            "seed": seed,
            "pretrain_corpus": self._checkpoints.heard_by(row) if checkpoint else "none",
            "teacher": teacher,
            "crops": min(self._grid.pretrain.crops, teacher["options"]["crops"] or math.inf),
            "precision": row.budget(self._grid).precision,
        }
        if checkpoint:
            spec["protocol"] = "finetune"
        label = f"{'finetune ' if checkpoint else ''}{row.label(encoder, seed)}"
        for name, task in self._exams.tasks.items():
            reading, others = self._reading(name)
            needs = (self._exams.waveforms(name), *((checkpoint,) if checkpoint else ()), *others)
            needs = (*needs, *self._exams.labels(name))
            for draw, own in self._draws(row):
                job = {**spec, "corpus": task.corpus, **reading, **own}
                self._plan.add("supervised", f"{label} on {name}, {draw}", job, needs, (self._exams.tried[name],))

    def _teacher(self, row: Row) -> dict[str, Any]:
        """Who knows how labels are learned: the row itself, or else the grid's first that does."""
        teacher = next((one for one in (row, *self._teachers) if one.cls.supervised), None) or Row.of(TEACHER, {})
        return {
            "strategy": teacher.strategy,
            "version": teacher.cls.info.version,
            "options": teacher.config.model_dump(mode="json"),
            **source(registry.strategies, teacher.strategy),
        }

    def _reading(self, name: str) -> tuple[dict[str, Any], list[str]]:
        """What reading a task depends on, and the other waveforms that it is read from under some conditions."""
        reading = self._exams.reading(name)
        chosen = conditions.conditions_of(self._grid.corruptions, self._exams.tasks[name])
        if chosen:
            reading["conditions"] = [list(condition) for condition in chosen]
            reading["version"] = conditions.CORRUPTION_VERSION
        return reading, [self._exams.second_font(name)] if (SECOND_FONT, 1) in chosen else []

    def _draws(self, row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each draw of labels, for people and for a specification."""
        for fraction, resamples in self._grid.draws_of(row.name).items():
            for resample in range(resamples):
                # draws of a fraction do not depend on the other ones, nor on later resamples
                own = {"fraction": fraction, "resample": resample, "fractions": [[fraction, resample + 1]]}
                yield f"{100 * fraction:.6g}% #{resample}", own
