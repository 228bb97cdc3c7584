"""The contracts that every strategy, encoder, task, corpus and executor keeps.

Nothing here imports torch: `list`, `plan` and the tasks stay light. Types that need it are named only.
"""

from __future__ import annotations

import concurrent.futures
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: what a probe has to predict for a clip: a class, a set of tags, numbers; or for each frame: activations, a class
OutputKind = Literal["multiclass", "multilabel", "regression", "frame_activation", "frame_multiclass"]
#: what is heard; `own`: nobody knows what, for a label is the user's; `apart`: whatever it is, it counts for no level
Level = Literal["timbre", "pitch", "time", "style", "affect", "own", "apart"]
#: characters that steer a terminal, and that HTML forbids even when escaped
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class UserError(Exception):
    """A mistake of the user's: shown without traceback, exit code 2. Says what is wrong, where, what to do."""


class WorkerDied(Exception):
    """The process that ran a job is gone (killed, out of memory, segmentation fault); the job may be fine."""


def human(seconds: float) -> str:
    """A duration in two units at most."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def many(count: int, what: str, plural: str = "") -> str:
    """`1 track`, `2 tracks`; a plural without an s of its own is to be given."""
    return f"{count} {what if count == 1 else plural or f'{what}s'}"


def visible(text: str) -> str:
    """Somebody's text as it may be shown: no control characters, but for tabs and line breaks."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(error: BaseException) -> str:
    """An error's kind and text, without line breaks; of a package that is not there, what installs it."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    return f"{text}; {install(module)}" if module and install(module) else text


def install(module: str) -> str:
    """How to get one of the packages that we use only where they are needed; empty if it is none of ours."""
    try:
        wanted = [line for line in requires("mir-pretext") or [] if "extra ==" not in line]
    except PackageNotFoundError:  # the code without its metadata
        return ""
    found = [line for line in wanted if re.split(r"[^\w.-]", line)[0].lower() == module.partition(".")[0]]
    return f"install it: pip install '{found[0]}'" if found else ""


class Config(BaseModel):
    """A component's options: frozen, and an unknown key is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    @property
    def version(self) -> int:
        """Of what these very options stand for: where that changes, those of other options keep their results."""
        return 1

    @property
    def of_the_whole(self) -> tuple[str, ...]:
        """Options in use that are counted in shares of the training: a longer one is then no shorter one, continued."""
        return ()


@dataclass(frozen=True)
class Info:
    """What a component says about itself, in listings, in the plan and on the leaderboard page."""

    name: str
    title: str
    citation: str
    version: int = 1


@dataclass(frozen=True)
class Verdict:
    """What is odd about a track's sound: which kind of oddity, in a word or two, and what was found and done."""

    kind: str
    what: str


@dataclass(frozen=True)
class Unreadable:
    """In place of a track's audio: why there is none."""

    reason: str
    kind: str = "unreadable"


class Odd(dict[str, Any]):
    """A track's audio, by stem, about which there is something to say."""

    def __init__(self, stems: Mapping[str, NDArray[np.int16]], verdicts: Sequence[Verdict]) -> None:
        super().__init__(stems)
        self.verdicts = tuple(verdicts)

    @classmethod
    def unless_fine(cls, stems: dict[str, NDArray[np.int16]], verdicts: Sequence[Verdict]) -> dict[str, Any]:
        """The audio alone, if there is nothing to say about it."""
        return cls(stems, verdicts) if verdicts else stems


@dataclass(frozen=True)
class Finding:
    """Something that is odd or wrong about the user's data: a sentence, and the lines of the table that it is about."""

    what: str
    rows: tuple[int, ...] = ()

    @property
    def where(self) -> str:
        """The lines as they follow a name: `, lines 3, 5`; empty without any."""
        if not self.rows:
            return ""
        listed, more = ", ".join(map(str, self.rows[:10])), len(self.rows) - 10
        return f", line{'s' if len(self.rows) > 1 else ''} {listed}{f' and {more} more' if more > 0 else ''}"


def check_declared(cls: type, kinds: Mapping[str, type], one_of: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Make sure, when a class with an `info` is defined, that it says all that is asked of its kind.

    Args:
        kinds: of what type attributes have to be.
        one_of: which values others may have.

    Raises:
        TypeError: one is missing, or is something else.
    """
    if "info" not in vars(cls):  # an intermediate
        return
    for name, kind in {"info": Info, **kinds}.items():
        value = getattr(cls, name, None)
        if not isinstance(value, kind):
            raise TypeError(f"{cls.__name__}: `{name}` is {value!r}; it must be of type {kind.__name__}")
    for name, legal in one_of.items():
        if (value := getattr(cls, name, None)) not in legal:
            raise TypeError(f"{cls.__name__}: `{name}` is {value!r}; it must be one of {', '.join(legal)}")


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
    #: of every track alike; None where they differ, or nobody knows before they are decoded
    track_seconds: ClassVar[float | None] = None

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        check_declared(cls, {"sample_rate": int, "sizes": dict, "stems": tuple})

    def size(self, name: str) -> int:
        """How many tracks a size has."""
        return self.sizes[name]

    def require(self, labels: tuple[str, ...]) -> None:  # noqa: B027 (most corpora have all of theirs)
        """Make sure that some track has each of these labels, as far as that is known before `catalog`.

        Raises:
            UserError: none has.
        """

    def inspect(self) -> list[Finding]:
        """Look at what is there before anything runs; what a run would take, but the user may not mean.

        Raises:
            UserError: no run could take it.
        """
        return []

    def require_readable(self) -> None:  # noqa: B027 (who makes its own sound can read it)
        """Make sure that enough of its files can be read, as far as that is known before they are decoded.

        Raises:
            UserError: more cannot than a run takes unless it is told to (`allow_missing`).
        """

    def training_seconds(self) -> list[float] | None:
        """The lengths that its training tracks have; None if nobody knows before they are decoded."""
        return None if self.track_seconds is None else [self.track_seconds]

    def known_tracks(self) -> pd.DataFrame | None:
        """All tracks with their splits and labels, as `catalog` will list them; None if nobody knows before it has."""
        return None

    @abstractmethod
    def fingerprint(self) -> dict[str, str]:
        """Versions of everything that the catalog and the audio follow from (part of their content keys)."""

    def label_fingerprint(self, columns: tuple[str, ...]) -> dict[str, str]:
        """What labels follow from that are no part of the catalog, so that no audio depends on them; empty if all are.

        Args:
            columns: their names.
        """
        return {}

    def labels(self, columns: tuple[str, ...]) -> pd.DataFrame:
        """Those labels: `id` and these columns, of all tracks."""
        raise NotImplementedError(f"{self.info.name} has its labels in its catalog")

    def file_digests(self, tracks: pd.DataFrame) -> list[str | None]:
        """SHA-256 of the file that each track is decoded from, None where there is none; empty if it has no files."""
        return []

    @abstractmethod
    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """List the first `size` tracks of the order: columns `id`, `group`, `split`, and labels that `render` needs.

        `folder` is a place for files that `render` will need again (note tables, say).
        """

    @abstractmethod
    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]] | Unreadable]:
        """Yield each track's audio: `mix`, and one array per stem, mono int16 at `sample_rate`, sum(stems) = mix.

        `Odd` is such audio, too, with what was odd about it.
        """


class Task(ABC):
    """One downstream task: what is measured on a corpus's tracks, and how a prediction is scored.

    Outputs of a probe are logits (or, in regression, numbers), one array per track: (C,) for a clip, where the outputs
    of a long track's windows have been averaged; (F,) or (F, C) for its frames.
    """

    info: ClassVar[Info]
    level: ClassVar[Level]
    corpus: ClassVar[str]
    output: ClassVar[OutputKind]
    #: main metric; `score` returns it among others
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    #: names of the outputs: classes, tags, or what is regressed on; empty for a single activation
    classes: ClassVar[tuple[str, ...]] = ()
    #: whether the classes are steps of a scale: small subsets then hold some of each fifth of it, not one of each class
    ordered: ClassVar[bool] = False
    #: columns of the corpus that its targets are made of: a strategy that heard one of them had this task's labels
    labels: ClassVar[tuple[str, ...]] = ()
    #: other columns that tell some of these labels (dance tells metre): who heard one of them had labels of this task
    told_by: ClassVar[tuple[str, ...]] = ()
    #: further columns, which say what its test sets are
    context: ClassVar[tuple[str, ...]] = ()
    #: further columns, of whose values test tracks are a sample as of their groups: intervals are about others of them,
    #: too (other programs, where instruments are told apart)
    crossed: ClassVar[tuple[str, ...]] = ()
    #: test splits by suffix of the metric's name: "" is the main one
    test_splits: ClassVar[dict[str, str]] = {"": "test"}

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        check_declared(
            cls,
            {
                "corpus": str,
                "metric": str,
                "higher_is_better": bool,
                "classes": tuple,
                "labels": tuple,
                "crossed": tuple,
            },
            {"level": get_args(Level), "output": get_args(OutputKind)},
        )

    @property
    def frame_level(self) -> bool:
        """Whether it is read from frames, not from whole clips."""
        return self.output.startswith("frame")

    @abstractmethod
    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """One target per track, None where it has no label.

        A class index; (C,) float32 of tags in {0, 1}, NaN where nobody looked; (C,) float32 numbers; beat times in
        seconds; or whatever `frame_targets` understands.
        """

    def test_sets(self, tracks: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Which tracks each test set holds, (N,) by suffix; sets may overlap."""
        splits = tracks["split"].to_numpy()
        return {suffix: splits == split for suffix, split in self.test_splits.items()}

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, NDArray[np.float64]]:
        """Per-item values of the metrics that are means over items, by metric, through mir_eval or scikit-learn."""
        return {}

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """Score decoded predictions against targets; override for metrics that are not means over items."""
        return {name: float(values.mean()) for name, values in self.item_scores(predictions, targets).items()}

    def main_score(self, predictions: list[Any], targets: list[Any]) -> float:
        """The main metric alone, by which settings are chosen; override where that can be had faster."""
        return self.score(predictions, targets)[self.metric]

    def resampled_scores(
        self, predictions: list[Any], targets: list[Any], draws: list[NDArray[np.int64]]
    ) -> list[dict[str, float]]:
        """`score` of each bootstrap draw of the items; override where that can be had faster."""
        return [self.score([predictions[i] for i in draw], [targets[i] for i in draw]) for draw in draws]

    @abstractmethod
    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """Turn outputs into predictions, which are stored: each a plain number, or a list of numbers or of records.

        Args:
            outputs: an array per track, see above.
            frame_rate: frames per second.
        """

    def frame_targets(self, target: Any, n_frames: int, frame_rate: float) -> NDArray[np.float32] | NDArray[np.int64]:
        """What the frames of a track should say.

        `frame_activation`: (F,) or (F, C) float32 in [0, 1]; `frame_multiclass`: (F,) class indices, -1 to ignore.
        Frame i is at i / frame_rate seconds.
        """
        raise NotImplementedError(f"{self.info.name} has no frame-level targets")


@dataclass(frozen=True)
class Resources:
    """What jobs may use; nothing here changes a result.

    Args:
        devices: GPUs of each job; CPU processes of each, where there is no GPU.
        threads: threads of each process's numeric libraries.
        workers: jobs side by side; by default as many as there is room for.
        jobs_per_gpu: jobs that share a GPU, where each needs only one.
        time_limit: seconds after which a job is killed and has failed.
    """

    devices: int = 1
    threads: int = 1
    workers: int | None = None
    jobs_per_gpu: int = 1
    time_limit: float = math.inf


class Executor(Protocol):
    """Runs jobs somewhere. Only keys and paths pass through; the walk owns order, failures and retries.

    A class that is registered also has `open(resources, log_dir)`, which finds the machines; what a job prints goes to
    `<key>.log` in `log_dir`.
    """

    @property
    def capacity(self) -> int:
        """Jobs that can run at once; it may change."""

    def submit(self, fn: Callable[..., Any], *args: Any) -> concurrent.futures.Future[Any]:
        """Run `fn(*args)` in a worker."""

    def shutdown(self) -> None:
        """Stop all workers."""
