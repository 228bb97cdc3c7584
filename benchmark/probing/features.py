"""Embeddings of all tracks as one flat table: a track owns some rows, its windows or its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Rows of embeddings, which may be a float16 memory map.

    Attributes:
        data: (R, D) rows.
        offsets: (N + 1,): track i owns the rows from offsets[i] to offsets[i + 1].
        frame_level: rows are frames, read one by one; else windows, whose outputs are averaged to the track's.
    """

    data: NDArray[Any]
    offsets: NDArray[np.int64]
    frame_level: bool

    @classmethod
    def open(cls, folder: Path, frame_level: bool) -> Features:
        """Map what `embed` left in `folder`."""
        data = np.load(folder / "embeddings.npy", mmap_mode="r")
        return cls(data, np.load(folder / "offsets.npy"), frame_level)

    @classmethod
    def of(cls, data: NDArray[Any]) -> Features:
        """From (N, D), a row per track, or (N, F, D), F frames of each."""
        per_track = data.shape[1] if data.ndim == 3 else 1
        offsets = np.arange(0, len(data) * per_track + 1, per_track)
        return cls(data.reshape(-1, data.shape[-1]), offsets, data.ndim == 3)

    def select(self, tracks: NDArray[np.int64]) -> Features:
        """Some of the tracks, renumbered."""
        offsets = np.concatenate([[0], np.cumsum(self.counts(tracks))])
        return Features(self.data[self.rows(tracks)], offsets, self.frame_level)

    def counts(self, tracks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of each track."""
        return self.offsets[tracks + 1] - self.offsets[tracks]

    def rows(self, tracks: NDArray[np.int64]) -> NDArray[np.int64]:
        """All rows of some tracks, track after track."""
        counts = self.counts(tracks)
        ends = np.cumsum(counts)
        return np.arange(counts.sum()) + np.repeat(self.offsets[tracks] - ends + counts, counts)

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """Some rows, (n, D) float32."""
        return torch.from_numpy(self.data[rows]).float()  # numpy takes five times as long to widen float16

    def by_track(self, outputs: NDArray[np.float32], tracks: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Outputs (n, C) of all rows of `tracks`, in order: a (C,) mean for each, or its frames, (F,) or (F, C)."""
        counts = self.counts(tracks)
        ends = np.cumsum(counts)
        if self.frame_level:
            return np.split(outputs[:, 0] if outputs.shape[1] == 1 else outputs, ends[:-1])
        sums = np.add.reduceat(outputs, ends - counts, axis=0) if len(tracks) else outputs
        return list(sums / counts[:, None].astype(np.float32))
