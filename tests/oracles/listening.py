"""What oracles hear: clips, stems played again without their room, beats; and how they learn and are scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmark.audio.waveforms import Waveforms
from benchmark.corpora.rendered.arrange import Arrangement, arrange
from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, play
from benchmark.corpora.rendered.works.note_tables import load_notes
from benchmark.interfaces import Task
from benchmark.probing.evaluate import Trial, evaluate
from benchmark.probing.features import Features

HOP = 160
FRAME_RATE = SAMPLE_RATE / HOP


@dataclass(frozen=True)
class Music:
    """A corpus: all clips, rendered, and where it keeps its note tables; remembers what was made of a clip."""

    waves: Waveforms
    catalog: Path
    memory: dict[tuple[str, int], NDArray[Any]] = field(default_factory=dict)

    @cached_property
    def arrangements(self) -> list[Arrangement]:
        """How each clip of rendered scores is played."""
        works, version = load_notes(self.catalog, set(self.waves.tracks["work"])), RenderedScores.info.version
        return [arrange(works[t.work], t.id, t.split, version) for t in self.waves.tracks.itertuples()]

    def clip(self, row: int) -> NDArray[np.float32]:
        """A clip's mix."""
        length = int(self.waves.tracks["length"].iloc[row])
        return self.waves.crops(np.array([row]), np.array([0]), length)[0].astype(np.float32) / 32768

    def dry(self, row: int) -> NDArray[np.float32]:
        """Lead and accompaniment of a clip, (2, T), played again without a room, and equally loud."""
        heard = self.arrangements[row]
        sound = play([(heard.notes[stem], heard.programs[stem], False) for stem in ("lead", "accompaniment")])
        loudness = np.sqrt(np.square(sound).mean(axis=1, keepdims=True))
        return sound * np.where(loudness > 1e-6, 0.05 / np.maximum(loudness, 1e-6), 0).astype(np.float32)

    def remembered(self, what: str, row: int, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """`make()`, made once."""
        if (what, row) not in self.memory:
            self.memory[what, row] = make()
        return self.memory[what, row]


@dataclass(frozen=True)
class Exam:
    """A task and its corpus."""

    task: Task
    music: Music

    @cached_property
    def truth(self) -> list[Any]:
        return self.task.targets(self.music.waves.tracks)

    def rows(self, *splits: str) -> list[int]:
        """Labelled clips of some splits."""
        there = self.music.waves.tracks["split"].isin(splits).tolist()
        return [i for i, (inside, y) in enumerate(zip(there, self.truth, strict=True)) if inside and y is not None]

    def labelled(self) -> list[int]:
        """Labelled clips, those that are learned from first."""
        return [*self.rows("train", "val"), *self.rows("test")]

    def column(self, name: str) -> NDArray[Any]:
        return self.music.waves.tracks[name].to_numpy()

    def score(self, rows: list[int], predictions: list[Any]) -> float:
        """The task's main metric."""
        return float(self.task.score(predictions, [self.truth[i] for i in rows])[self.task.metric])

    def probed(self, features: Any) -> float:
        """The better of the benchmark's own two probes on features of the `labelled` clips, in their order."""
        trial = Trial.of(self.task, self.music.waves.tracks, {1.0: 1}, shuffle_labels=False)
        table = Features.of(np.zeros((len(trial.tracks), np.shape(features)[1]), np.float32))
        table.data[self.labelled()] = features
        scores, _ = evaluate(trial, table, FRAME_RATE, ["linear", "mlp"], 0, "cpu")
        return float(scores.loc[scores["metric"] == self.task.metric, "value"].max())

    def grown(self, features: Any) -> float:
        """Gradient-boosted trees on features of the `labelled` clips, in their order."""
        table, learned = np.asarray(features), len(self.rows("train", "val"))
        trees = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=150, class_weight="balanced", early_stopping=False, random_state=0
        )
        trees.fit(table[:learned], [self.truth[row] for row in self.labelled()[:learned]])
        return self.score(self.rows("test"), trees.predict(table[learned:]).tolist())
