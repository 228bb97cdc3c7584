"""Data sets on the user's disk: what their readers have in common."""

from __future__ import annotations

import hashlib
import math
import os
from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.interfaces import Corpus, Unreadable, UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

DATA_HOME = "MIR_DATA_HOME"
SPLITS = ("train", "val", "test")


class Absent(UserError):
    """A data set is not on the disk."""


class DataSet(Corpus):
    """Audio files with their own annotation files, in the layout in which they are distributed.

    A reader is `index`, and says how to get the data. Audio is decoded by the plan's jobs, once, in parallel.

    Class attributes:
        folder: its folder within the data home.
        get: how to get it, in a sentence or two that names where it comes from.
        disk: how much space it needs, in words.
        expected: how many tracks a complete copy has, where that is documented: by split, or by splits (`train+val`)
            where the border between them is the reader's own; without the tracks that the reader leaves out.
    """

    sample_rate = 16_000
    sizes: ClassVar[dict[str, int]] = {"all": 0}
    folder: ClassVar[str]
    get: ClassVar[str]
    disk: ClassVar[str]
    expected: ClassVar[dict[str, int]] = {}

    @classmethod
    def home(cls) -> Path:
        """Its folder.

        Raises:
            Absent: nobody said where data sets are, or it is not there; says how to get it.
        """
        root = os.environ.get(DATA_HOME)
        hint = f"{cls.get} ({cls.disk}; {cls.licence})"
        if not root:
            raise Absent(f"{cls.info.name}: say where your data sets are: --data-home or {DATA_HOME}. {hint}")
        home = Path(root).expanduser() / cls.folder
        if not home.is_dir():
            raise Absent(f"{cls.info.name}: there is no {home}. {hint}")
        return home

    @abstractmethod
    def index(self, home: Path) -> pd.DataFrame:
        """List the tracks in a fixed order, from the annotation files alone.

        Returns:
            Columns `id` (unique), `path` (relative to `home`), `group` (artist, singer, player ...: whatever should
            not straddle a split; some official splits do cut it), `split` (train, val, test; others are used by no
            task), and the labels; perhaps `start` and `seconds`, of the excerpt to hear (NaN: to the end).

        Raises:
            OSError, LookupError, ValueError, AttributeError: an annotation file is missing or malformed.
        """

    def tracks(self) -> pd.DataFrame:
        """The index, checked and remembered.

        Raises:
            UserError: it is not there, or damaged.
        """
        return _tracks(type(self), self.home())

    def size(self, name: str) -> int:
        """All its tracks."""
        return len(self.tracks())

    def require(self, labels: tuple[str, ...]) -> None:
        """Make sure that some track has these labels: those of annotations that come on their own may be missing.

        Raises:
            UserError: none has.
        """
        tracks = self.tracks()
        for label in labels:
            if tracks[label].isna().all():
                raise UserError(f"{self.info.name}: no track in {self.home()} has the label {label!r}. {self.get}")

    def known_tracks(self) -> pd.DataFrame:
        """The index: annotation files need no preparation."""
        return self.tracks()

    def lengths(self) -> list[int | None]:
        """The length in bytes of each track's file, None where there is no file."""
        home = self.home()
        return [_length(self.file(home, path)) for path in self.tracks()["path"]]

    def file(self, home: Path, path: str) -> str:
        """Where a track's file lies."""
        return f"{home}/{path}"

    def fingerprint(self) -> dict[str, str]:
        """Of the index, of the length in bytes of each audio file, and of the decoders.

        Lengths only: times of change differ between two copies of a data set, and hashing what the files hold would
        read 200 GB before every run. So a file that another one of its length replaces is not noticed.
        """
        return {
            "index": _index_digest(type(self), self.home()),
            "audio": _digest(" ".join(str(length or 0) for length in self.lengths())),
            "reader": str(self.info.version),
            **{name: version(name) for name in ("soundfile", "soxr")},
        }

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """The index."""
        return self.tracks().iloc[:size]

    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]] | Unreadable]:
        """Decode each track's file, or its excerpt."""
        from benchmark.audio.decode import decode

        home = self.home()
        for track in tracks.to_dict("records"):
            seconds = track.get("seconds", math.nan)
            excerpt = (track.get("start", 0.0), None if math.isnan(seconds) else seconds)
            sound = decode(Path(self.file(home, track["path"])), self.sample_rate, *excerpt)
            yield sound if isinstance(sound, Unreadable) else {"mix": sound}


def _length(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:  # why, its decoder will say
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache
def _index_digest(cls: type[DataSet], home: Path) -> str:
    return _digest(_tracks(cls, home).to_json(orient="split", double_precision=15))


@lru_cache  # a plan comes back to each data set: for its size, its fingerprint, and the labels of every task
def _tracks(cls: type[DataSet], home: Path) -> pd.DataFrame:
    name = cls.info.name
    try:
        index = cls().index(home)
    except (OSError, LookupError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{name}: {home} is not what the reader expects: {what}. {cls.get}") from error
    required = {"id", "path", "group", "split"}
    assert required <= set(index.columns), f"{name}: its reader gives no {required - set(index.columns)}"
    if index.empty:
        raise UserError(f"{name}: {home} holds no annotated track. {cls.get}")
    twice = index["id"][index["id"].duplicated()]
    if len(twice):
        raise UserError(f"{name}: {len(twice)} ids occur twice in {home} ({twice.iloc[0]}, ...)")
    return index.reset_index(drop=True)


def held_out(groups: pd.Series[str], share: float, salt: str) -> pd.Series[bool]:
    """Whether each group falls into a part of about `share` of all groups, from its name alone.

    For data sets that come without a validation split: a group is never cut, and a new track changes no other's place.
    """
    return groups.map(lambda group: _uniform(f"{salt}/{group}") < share).astype(bool)


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") / 2**64
