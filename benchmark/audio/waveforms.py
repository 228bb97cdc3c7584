"""The waveform store: one memory-mapped int16 file per stem, and an index. A crop is a slice; nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

INDEX = "tracks.parquet"


@dataclass(frozen=True)
class Waveforms:
    """All tracks of a corpus at one sample rate.

    Attributes:
        tracks: the index: `id`, `group`, `split`, labels, and `offset` and `length` in samples.
        samples: every track after the other, int16, memory-mapped (resident memory does not grow with the corpus).
    """

    tracks: pd.DataFrame
    samples: NDArray[np.int16]
    sample_rate: int

    @classmethod
    def open(cls, folder: Path, sample_rate: int, stem: str = "mix") -> Waveforms:
        """Map the waveforms that `write` left in `folder`."""
        tracks = pd.read_parquet(folder / INDEX)
        return cls(tracks, np.load(folder / f"{stem}.npy", mmap_mode="r"), sample_rate)

    def crops(self, rows: NDArray[np.int64], starts: NDArray[np.int64], length: int) -> NDArray[np.int16]:
        """Cut (B, length) crops: of track `rows[i]`, `starts[i]` samples in; short tracks are padded."""
        offset = self.tracks["offset"].to_numpy()[rows]
        available = self.tracks["length"].to_numpy()[rows] - starts
        out = np.zeros((len(rows), length), np.int16)
        for i, (at, n) in enumerate(zip(offset + starts, np.minimum(available, length), strict=True)):
            out[i, :n] = self.samples[at : at + n]
        return out

    def random_starts(self, rows: NDArray[np.int64], length: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Uniform crop starts within each track."""
        room = np.maximum(self.tracks["length"].to_numpy()[rows] - length, 0)
        return np.asarray(rng.integers(0, room + 1), np.int64)


def join_shards(folders: list[Path], stems: list[str], tracks: pd.DataFrame, out: Path) -> None:
    """Concatenate the shards' `<stem>.npy` and `lengths.npy` into one file per stem, and write the index."""
    lengths = np.concatenate([np.load(folder / "lengths.npy") for folder in folders])
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    for stem in stems:
        joined = np.lib.format.open_memmap(out / f"{stem}.npy", mode="w+", dtype=np.int16, shape=(int(lengths.sum()),))
        at = 0
        for folder in folders:
            shard = np.load(folder / f"{stem}.npy", mmap_mode="r")
            joined[at : at + len(shard)] = shard
            at += len(shard)
        joined.flush()
    tracks.assign(offset=offsets, length=lengths).to_parquet(out / INDEX, index=False)
