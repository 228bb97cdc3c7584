"""The contracts that every strategy, encoder, task, corpus and executor keeps.

Nothing here imports torch: `list`, `plan` and the tasks stay light. Types that need it are named only.
"""

from __future__ import annotations

import concurrent.futures
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

OutputKind = Literal["multiclass", "frame_activation"]
Level = Literal["timbre", "pitch", "time", "style", "affect"]


class UserError(Exception):
    """A mistake of the user's: shown without traceback, exit code 2. Says what is wrong, where, what to do."""


class Config(BaseModel):
    """A component's options: frozen, and an unknown key is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Info:
    """What a component says about itself, in listings, in the plan and on the leaderboard page."""

    name: str
    title: str
    citation: str
    version: int = 1


class Corpus(ABC):
    """Sound on disk: tracks in one fixed order, each with id, group, split and labels, and a way to get its audio.

    A size is a prefix of the order, so that `small` is contained in `standard`.
    """

    info: ClassVar[Info]
    licence: ClassVar[str]
    sample_rate: ClassVar[int]
    sizes: ClassVar[dict[str, int]]
    #: names of the stems whose sum is the mix; empty if the corpus has none
    stems: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def fingerprint(self) -> dict[str, str]:
        """Versions of everything the audio and the labels follow from (part of the content key)."""

    @abstractmethod
    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """List the first `size` tracks of the order: columns `id`, `group`, `split`, and one per label.

        `folder` is a place for files that `render` will need again (note tables, say).
        """

    @abstractmethod
    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]]]:
        """Yield each track's audio: `mix`, and one array per stem, mono int16 at `sample_rate`, sum(stems) = mix."""


class Task(ABC):
    """One downstream task: what is measured on a corpus's tracks, and how a prediction is scored."""

    info: ClassVar[Info]
    level: ClassVar[Level]
    corpus: ClassVar[str]
    output: ClassVar[OutputKind]
    #: main metric; `score` returns it among others
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    #: class names of a multiclass task
    classes: ClassVar[tuple[str, ...]] = ()
    #: columns of the corpus that its targets are made of: a strategy that heard one of them had this task's labels
    labels: ClassVar[tuple[str, ...]] = ()
    #: test splits by suffix of the metric's name: "" is the main one
    test_splits: ClassVar[dict[str, str]] = {"": "test"}

    @abstractmethod
    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """One target per track: a class index, a list of beat times in seconds ...; None where it has no label."""

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """Per-item values of the metrics that are means over items, by metric, through mir_eval or scikit-learn."""
        return {}

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Score decoded predictions against targets; override for metrics that are not means over items."""
        return {name: float(values.mean()) for name, values in self.item_scores(predictions, targets).items()}

    @abstractmethod
    def decode(self, outputs: NDArray[np.float32], frame_rate: float) -> list[Any]:
        """Turn probe outputs into predictions.

        Args:
            outputs: logits, (N, C) for clip-level tasks, (N, F) for a frame activation.
            frame_rate: frames per second of a frame activation.
        """

    def frame_targets(self, targets: list[Any], n_frames: int, frame_rate: float) -> NDArray[np.float32]:
        """Training targets of a frame-level task: (N, F) in [0, 1]."""
        raise NotImplementedError(f"{self.info.name} has no frame-level targets")


class Executor(Protocol):
    """Runs jobs somewhere. Only keys and paths pass through; the walk owns order, failures and retries."""

    def submit(self, fn: Callable[..., Any], *args: Any) -> concurrent.futures.Future[Any]:
        """Run `fn(*args)` in a worker."""

    def shutdown(self) -> None:
        """Stop all workers."""
