"""The waveform store: one memory-mapped int16 file per stem, and an index. A crop is a slice; nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.interfaces import UserError

INDEX, MIX = "tracks.parquet", "mix"
#: a stem sounds if its mean magnitude is above this share of the mixture's
ACTIVE = 0.05


class Chain:
    """Arrays of samples as one after the other, without a copy: tracks of several corpora."""

    def __init__(self, parts: Sequence[NDArray[np.int16]]) -> None:
        self._parts = parts
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, where: slice) -> NDArray[np.int16]:
        """Samples that lie in one of the arrays, as those of a track do, or all of them."""
        if where == slice(None):
            return np.concatenate(self._parts)
        part = int(np.searchsorted(self._starts, where.start, side="right")) - 1
        return self._parts[part][where.start - self._starts[part] : where.stop - self._starts[part]]


@dataclass(frozen=True)
class Waveforms:
    """All tracks of a corpus at one sample rate.

    Attributes:
        tracks: the index: `id`, `group`, `split`, labels, `offset` and `length` in samples, and for each stem
            `active_<stem>`, whether it sounds.
        stems: by name, `mix` among them: every track after the other, int16, memory-mapped (resident memory does not
            grow with the corpus).
        resident: those stems that lie in a device's memory besides, as tensors (`benchmark.audio.resident`).
    """

    tracks: pd.DataFrame
    stems: Mapping[str, NDArray[np.int16] | Chain]
    sample_rate: int
    resident: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, sample_rate: int) -> Waveforms:
        """Map the waveforms that `join_shards` left in `folder`."""
        stems = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
        return cls(pd.read_parquet(folder / INDEX), stems, sample_rate)

    @classmethod
    def beside(cls, corpora: Sequence[Waveforms]) -> Waveforms:
        """The tracks of several corpora, of one sample rate, as those of one; stems are those that all have.

        Columns that only some of them have are empty for the tracks of the others.
        """
        if len(corpora) == 1:
            return corpora[0]
        stems = {
            stem: Chain([np.asarray(corpus.stems[stem]) for corpus in corpora])
            for stem in corpora[0].stems
            if all(stem in corpus.stems for corpus in corpora)
        }
        starts = np.concatenate([[0], np.cumsum([len(corpus.stems[MIX]) for corpus in corpora])])
        shifted = [
            corpus.tracks.assign(offset=corpus.tracks["offset"] + start)
            for corpus, start in zip(corpora, starts, strict=False)
        ]
        return cls(pd.concat(shifted, ignore_index=True), stems, corpora[0].sample_rate)

    def crops(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64], length: int, stem: str = MIX
    ) -> NDArray[np.int16]:
        """Cut (B, length) crops: of track `rows[i]`, `starts[i]` samples in; short tracks are padded."""
        samples = self.stems[stem]
        offset = self.tracks["offset"].to_numpy()[rows]
        available = self.tracks["length"].to_numpy()[rows] - starts
        out = np.zeros((len(rows), length), np.int16)
        for i, (at, n) in enumerate(zip(offset + starts, np.minimum(available, length), strict=True)):
            out[i, :n] = samples[at : at + n]
        return out

    def select(self, rows: NDArray[np.int64]) -> Waveforms:
        """Some of the tracks, renumbered."""
        return replace(self, tracks=self.tracks.iloc[rows].reset_index(drop=True))

    def windows(self, seconds: float) -> Waveforms:
        """The same audio, each track divided into as few equal windows as fit into `seconds`: these become the tracks.

        Their index has the columns of the tracks, with `offset` and `length` of the window, and `track`, the number of
        the track that it is from.
        """
        length = self.tracks["length"].to_numpy()
        count = np.maximum(1, np.ceil(length / round(seconds * self.sample_rate))).astype(np.int64)
        owner = np.repeat(np.arange(len(length)), count)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        size = (length // count)[owner]
        index = self.tracks.iloc[owner].reset_index(drop=True)
        index = index.assign(track=owner, offset=index["offset"] + place * size, length=size)
        return replace(self, tracks=index)

    def active(self, stem: str) -> NDArray[np.bool_]:
        """Whether a stem sounds, by track; the mixture always does."""
        if stem == MIX:
            return np.ones(len(self.tracks), bool)
        return self.tracks[f"active_{stem}"].to_numpy(bool)


@contextmanager
def one_by_one(path: Path) -> Iterator[Callable[[NDArray[np.int16]], None]]:
    """A `.npy` of int16 samples to append to, byte for byte what `np.save` of all of them would write."""
    count = 0
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int16)), "fortran_order": False}
    with path.open("wb") as file:

        def begin() -> None:  # as long for any count: numpy leaves room for its digits
            file.seek(0)
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (count,)})

        def append(samples: NDArray[np.int16]) -> None:
            nonlocal count
            if samples.dtype != np.int16 or samples.ndim != 1:  # a cast would make silence of samples in [-1, 1]
                raise UserError(
                    f"audio is to be mono int16, (T,), not {samples.dtype} of shape {samples.shape}; of x in [-1, 1] "
                    "that is np.round(32767 * x).astype(np.int16)"
                )
            file.write(np.ascontiguousarray(samples, np.int16).data)
            count += len(samples)

        begin()
        yield append
        begin()


def join_shards(folders: list[Path], stems: list[str], tracks: pd.DataFrame, out: Path) -> None:
    """Concatenate the shards' `<stem>.npy` and `lengths.npy` into one file per stem, and write the index.

    Tracks without samples could not be read: they are left out.

    Args:
        stems: `mix` first.
    """
    lengths = np.concatenate([np.load(folder / "lengths.npy") for folder in folders])
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    index = tracks.assign(offset=offsets, length=lengths)[lengths > 0].reset_index(drop=True)
    offsets, lengths = offsets[lengths > 0], lengths[lengths > 0]
    loudness: dict[str, NDArray[np.float64]] = {}
    for stem in stems:
        joined = np.lib.format.open_memmap(out / f"{stem}.npy", mode="w+", dtype=np.int16, shape=(int(lengths.sum()),))
        at = 0
        for folder in folders:
            shard = np.load(folder / f"{stem}.npy", mmap_mode="r")
            joined[at : at + len(shard)] = shard
            at += len(shard)
        joined.flush()
        parts = (joined[o : o + n] for o, n in zip(offsets, lengths, strict=True))
        loudness[stem] = np.array([np.abs(part.astype(np.float32)).mean() for part in parts])
        if stem != MIX:
            index[f"active_{stem}"] = loudness[stem] > ACTIVE * loudness[MIX]
    index.to_parquet(out / INDEX, index=False)
