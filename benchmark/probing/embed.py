"""Embedding: the frozen encoder turns every track into rows of a table, streamed to disk."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.audio.corrupt import corrupt
from benchmark.audio.waveforms import Waveforms
from benchmark.modules import Encoder
from benchmark.probing.features import Features

BATCH = 16
#: a longer track is divided into equal windows of at most this
WINDOW_SECONDS = 10.0


#: (B, T) audio to (B, D), what to keep of each window, or (B, F, D), of each of its frames
Network = Callable[[Tensor], Tensor]
#: the number of rows to an empty table for them
NewTable = Callable[[int], NDArray[Any]]


def embed(
    encoder: Encoder,
    waves: Waveforms,
    out: Path,
    reads: Literal["clips", "frames"],
    device: str,
    corruption: tuple[str, int] | None = None,
) -> dict[str, float]:
    """Write `embeddings.npy`, and `offsets.npy`, where each track's rows begin.

    Args:
        encoder: put into evaluation mode; its state is not changed.
        waves: all tracks.
        out: folder to write into.
        reads: `clips`: a row per window, (R, 2D) float32, mean and standard deviation over its frames; `frames`: a row
            per frame, (R, D) float16, row i of a track at i / frame_rate seconds.
        device: where to compute.
        corruption: name and severity of what is done to the audio first.
    """
    encoder.to(device).eval()
    dim, clips = encoder.embedding_dim, reads == "clips"

    def new_table(rows: int) -> NDArray[Any]:
        shape, kind = (rows, 2 * dim if clips else dim), np.float32 if clips else np.float16
        return np.lib.format.open_memmap(out / "embeddings.npy", mode="w+", dtype=kind, shape=shape)

    def network(audio: Tensor) -> Tensor:
        embedded: Tensor = encoder(audio).float()
        return summary(embedded) if clips else embedded

    features = read(network, waves, None if clips else encoder.frame_rate, new_table, device, corruption)
    np.save(out / "offsets.npy", features.offsets)
    return {"frame_rate": encoder.frame_rate, "dim": dim}


def summary(embedded: Tensor) -> Tensor:
    """What probes see of a window: mean and deviation over its frames, (B, F, D) to (B, 2D)."""
    return torch.cat([embedded.mean(dim=1), embedded.std(dim=1, correction=0)], dim=1)


@torch.no_grad()
def read(
    network: Network,
    waves: Waveforms,
    frame_rate: float | None,
    new_table: NewTable,
    device: str,
    corruption: tuple[str, int] | None = None,
) -> Features:
    """What `network` makes of all tracks, window by window.

    Args:
        network: see `Network`.
        waves: the tracks.
        frame_rate: of its frames; None if it gives one row per window.
        new_table: makes the table that is filled.
        device: where audio goes.
        corruption: name and severity of what is done to the audio first; a window's draw follows from its track's id.
    """
    windows = waves.windows(WINDOW_SECONDS)
    per_track = np.bincount(windows.tracks["track"], minlength=len(waves.tracks))
    if frame_rate is not None:
        seconds = waves.tracks["length"].to_numpy() / waves.sample_rate
        per_track = np.maximum(1, np.floor(seconds * frame_rate)).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(per_track)]).astype(np.int64)
    table = new_table(int(offsets[-1]))
    for rows in _batches(windows):
        length = int(windows.tracks["length"].iloc[rows[0]])
        audio = torch.from_numpy(windows.crops(rows, np.zeros(len(rows), np.int64), length)).to(device)
        heard = audio.float() / 32768
        if corruption is not None:
            heard = corrupt(heard, waves.sample_rate, *corruption, _seeds(windows, rows))
        given = network(heard).cpu().numpy()
        if frame_rate is None:
            table[rows] = given
        else:
            _place_frames(table, given, windows, rows, offsets, frame_rate)
    return Features(table, offsets, frame_rate is not None)


def _seeds(windows: Waveforms, rows: NDArray[np.int64]) -> Tensor:
    owners = windows.tracks["track"].to_numpy()
    places = rows - np.searchsorted(owners, owners[rows])
    names = windows.tracks["id"].to_numpy(str)[rows]
    return torch.tensor([zlib.crc32(f"{name} {place}".encode()) for name, place in zip(names, places, strict=True)])


def _batches(windows: Waveforms) -> Iterator[NDArray[np.int64]]:
    """Windows of equal length, up to BATCH at a time, in the order of the tracks."""
    lengths = windows.tracks["length"].to_numpy()
    for length in dict.fromkeys(lengths.tolist()):
        rows = np.flatnonzero(lengths == length)
        yield from np.array_split(rows, -(-len(rows) // BATCH))


def _place_frames(
    table: NDArray[Any],
    embedded: NDArray[np.float32],
    windows: Waveforms,
    rows: NDArray[np.int64],
    offsets: NDArray[np.int64],
    rate: float,
) -> None:
    """Write the frames of some windows where the track's clock puts them: encoders give one or two too many."""
    tracks = windows.tracks["track"].to_numpy()[rows]
    first = np.searchsorted(windows.tracks["track"].to_numpy(), tracks)
    begins = (rows - first) * windows.tracks["length"].to_numpy()[rows] / windows.sample_rate
    lasts = np.append(windows.tracks["track"].to_numpy(), -1)[rows + 1] != tracks
    for frames, track, begin, last in zip(embedded, tracks, begins, lasts, strict=True):
        seconds = windows.tracks["length"].to_numpy()[rows[0]] / windows.sample_rate
        total = offsets[track + 1] - offsets[track]
        here = np.arange(np.ceil(begin * rate - 1e-9), total if last else np.ceil((begin + seconds) * rate - 1e-9))
        local = np.clip(np.round(here - begin * rate), 0, len(frames) - 1).astype(np.int64)
        table[offsets[track] + here.astype(np.int64)] = frames[local]
