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

from benchmark.corpora.datasets.signatures import mark_changed, sha256, sign
from benchmark.corpora.download.sources import Source
from benchmark.files import ABSENT, patiently
from benchmark.interfaces import Corpus, Finding, Unreadable, UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

DATA_HOME = "MIR_DATA_HOME"
SPLITS = ("train", "val", "test")
#: of what is made of files: bump it when that changes
DECODING = 2
#: columns of an index that its sound depends on, its splits and groups among them; all others are labels
SOUND = ("id", "path", "group", "split", "start", "seconds")


class Absent(UserError):
    """A data set, or the part of it that is asked for, is not on the disk."""


class DataSet(Corpus):
    """Audio files with their own annotation files, in the layout in which they are distributed.

    A reader is `index`, and says how to get the data. Audio is decoded by the plan's jobs, once, in parallel.

    Class attributes:
        folder: its folder within the data home.
        aliases: what others call that folder (mirdata, for one); `*` stands for anything.
        sources: of its files, for `data get`; none where its licence does not allow it, or nobody keeps checksums.
        get: how to get it, in a sentence or two that names where it comes from.
        disk: how much space it needs, in words.
        expected: how many tracks a complete copy has, where that is documented: by split, or by splits (`train+val`)
            where nobody could count the reader's own parts; without the tracks that the reader leaves out.
        shares: of the parts that the reader draws, as its documentation has them: of all tracks that it draws from.
    """

    sample_rate = 16_000
    sizes: ClassVar[dict[str, int]] = {"all": 0}
    folder: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    get: ClassVar[str]
    sources: ClassVar[tuple[Source, ...]] = ()
    disk: ClassVar[str]
    expected: ClassVar[dict[str, int]] = {}
    shares: ClassVar[dict[str, float]] = {}

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
        above = Path(root).expanduser()
        named = (path for name in (cls.folder, *cls.aliases) for path in sorted(above.glob(name)))
        home = next(filter(Path.is_dir, named), None)
        if home is None:
            raise Absent(f"{cls.info.name}: there is no {above / cls.folder}. {hint}")
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
            Absent: none has.
            UserError: this data set has no such labels.
        """
        tracks = self.tracks()
        if unknown := [label for label in labels if label not in tracks]:
            there = ", ".join(map(str, tracks.columns))
            raise UserError(f"{self.info.name} has no labels {unknown[0]!r}; its columns are {there}")
        for label in labels:
            if tracks[label].isna().all():
                raise Absent(f"{self.info.name}: no track in {self.home()} has the label {label!r}. {self.get}")

    def drawn(self, groups: pd.Series[str]) -> pd.Series[str]:
        """The part of each track by its `shares`."""
        return drawn(groups, self.shares, self.info.name)

    def known_tracks(self) -> pd.DataFrame:
        """The index: annotation files need no preparation."""
        return self.tracks()

    def inspect(self) -> list[Finding]:
        """Groups on both sides of the split, which some official ones have."""
        from benchmark.corpora.leaks import words_of_groups

        return [Finding(sentence) for sentence in words_of_groups(self.tracks())]

    def lengths(self) -> list[int | None]:
        """The length in bytes of each track's file, None where there is no file."""
        home = self.home()
        return [_length(self.file(home, path)) for path in self.tracks()["path"]]

    def file(self, home: Path, path: str) -> str:
        """Where a track's file lies."""
        return f"{home}/{path}"

    def signatures(self) -> list[str | None]:
        """What tells each track's file from others, None where there is no file."""
        home = self.home()
        return sign([self.file(home, path) for path in self.tracks()["path"]], f"{self.info.name} {home}")

    def mark_changed(self, files: list[str]) -> None:
        """Sign files anew that hold something else, although their signatures do not say so."""
        mark_changed(files, f"{self.info.name} {self.home()}")

    def file_digests(self, tracks: pd.DataFrame) -> list[str | None]:
        """SHA-256 of each track's file: of a file of many excerpts, once."""
        home = self.home()
        known = {path: sha256(self.file(home, path)) for path in dict.fromkeys(tracks["path"])}
        return [known[path] for path in tracks["path"]]

    def fingerprint(self) -> dict[str, str]:
        """Of the index but for its labels, of each audio file, and of the decoders.

        Raises:
            Absent: there is no audio at all: nothing can be made of it.

        Times of change differ between two copies of a data set, and hashing what the files hold would read 200 GB
        before every run: so it is the length and some blocks of each that tell it from others.
        """
        name, found = self.info.name, self.signatures()
        if not any(found):
            home = self.home()
            raise Absent(
                f"{name}: none of its {len(found)} files is in {home}; 'data check {name}' looks further. {self.get}"
            )
        return {
            "index": _digest(_json(_sound(type(self), self.home()))),
            "audio": _digest(" ".join(signature or "0" for signature in found)),
            "reader": str(self.info.version),
            "decoding": str(DECODING),
            **{name: version(name) for name in ("soundfile", "soxr")},
        }

    def label_fingerprint(self, columns: tuple[str, ...]) -> dict[str, str]:
        """Of these columns and the ids."""
        found = self.labels(columns)
        known = {"labels": _digest(_json(found)), "reader": str(self.info.version)}
        return known if len(found.columns) > 1 else {}

    def labels(self, columns: tuple[str, ...]) -> pd.DataFrame:
        """Those of these columns that the index has."""
        tracks = self.tracks()
        return tracks[["id", *(column for column in columns if column in tracks)]]

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """The index without its labels, and `reach`: until when those refer to the sound, in seconds."""
        return _sound(type(self), self.home()).iloc[:size]

    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]] | Unreadable]:
        """Decode each track's file, or its excerpt."""
        from benchmark.audio.decode import decode

        home = self.home()
        for track in tracks.to_dict("records"):
            seconds = track.get("seconds", math.nan)
            excerpt = (track.get("start", 0.0), None if math.isnan(seconds) else seconds)
            yield decode(Path(self.file(home, track["path"])), self.sample_rate, *excerpt, track.get("reach", 0.0))


def _length(path: str) -> int | None:
    try:
        return patiently(os.stat, Path(path)).st_size
    except ABSENT:  # any other error is no answer: taken for one, it would make another corpus of this
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _json(table: pd.DataFrame) -> str:
    return str(table.to_json(orient="split", double_precision=15))


@lru_cache
def _sound(cls: type[DataSet], home: Path) -> pd.DataFrame:
    from benchmark.corpora.datasets.annotated import reach

    tracks = _tracks(cls, home)
    ends = [reach(track) for track in tracks.to_dict("records")]
    for track, end in zip(tracks["id"], ends, strict=True):
        if not math.isfinite(end):
            raise UserError(f"{cls.info.name}: {track} is annotated up to {end} s: its reader lets a damaged time pass")
    # in whole seconds: a label that is corrected by less is none of the sound's business
    whole = [float(math.floor(end)) for end in ends]
    return tracks[[column for column in SOUND if column in tracks]].assign(reach=whole)


def forget() -> None:
    """Read data sets anew where they are asked for next: files have come or gone."""
    _tracks.cache_clear()


@lru_cache  # a plan comes back to each data set: for its size, its fingerprint, and the labels of every task
def _tracks(cls: type[DataSet], home: Path) -> pd.DataFrame:
    name = cls.info.name
    try:
        index = cls().index(home)
    except (OSError, LookupError, ValueError, AttributeError, TypeError) as error:
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


def drawn(groups: pd.Series[str], shares: dict[str, float], salt: str) -> pd.Series[str]:
    """The part of each track, for data sets that come without: whole groups, in the order of a hash of their names.

    Counted in tracks, not in groups, of which a few may hold most tracks: in turn a part takes each group that brings
    it nearer to its share.

    Args:
        groups: of each track.
        shares: of the parts, among these tracks; the rest is `train`.
        salt: makes the order a data set's own.
    """
    sizes = groups.value_counts()
    order = sorted(sizes.index, key=lambda group: _number(f"{salt}/{group}"))
    part_of = dict.fromkeys(order, "train")
    for part, share in shares.items():
        room = share * len(groups)
        for group in order:
            if part_of[group] == "train" and sizes[group] / 2 <= room:
                part_of[group], room = part, room - sizes[group]
    return groups.map(part_of)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
