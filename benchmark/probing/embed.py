"""Embedding: the frozen encoder turns every track into rows of a table, streamed to disk."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.audio.corrupt import corrupt
from benchmark.audio.resident import crops_on, resident
from benchmark.audio.waveforms import Waveforms
from benchmark.interfaces import UserError
from benchmark.modules import Encoder
from benchmark.probing.features import Features

#: windows at once: what stays in a core's cache, or keeps a GPU busy
BATCH, GPU_BATCH = 16, 256
#: a longer track is divided into equal windows of at most this
WINDOW_SECONDS = 10.0


#: (B, T) audio to (B, D), what to keep of each window, or (B, F, D), of each of its frames
Network = Callable[[Tensor], Tensor]
#: what probes read: a row per window, or per frame
Reads = Literal["clips", "frames"]
Name = TypeVar("Name", bound=str)
#: the number of rows to an empty table for them
NewTable = Callable[[int], NDArray[Any]]


def embed(
    encoder: Encoder,
    waves: Waveforms,
    out: Mapping[Reads, Path],
    device: str,
    corruption: tuple[str, int] | None = None,
) -> dict[str, float]:
    """Write `embeddings.npy`, and `offsets.npy`, where each track's rows begin.

    Args:
        encoder: put into evaluation mode; its state is not changed.
        waves: all tracks.
        out: folders to write into, by what they are to hold: `clips`: a row per window, (R, 2D) float32, mean and
            standard deviation over its frames; `frames`: a row per frame, (R, D) float16, the middle of row i of a
            track at i / frame_rate seconds. One forward serves both, where frames are centered.
        device: where to compute.
        corruption: name and severity of what is done to the audio first.
    """
    encoder.to(device).eval()
    dim, kinds = encoder.embedding_dim, {"clips": np.float32, "frames": np.float16}

    def new_table(reads: Reads, rows: int) -> NDArray[Any]:
        shape = (rows, 2 * dim if reads == "clips" else dim)
        return np.lib.format.open_memmap(out[reads] / "embeddings.npy", mode="w+", dtype=kinds[reads], shape=shape)

    networks: dict[Reads, Network] = {"clips": summary, "frames": lambda embedded: embedded}
    rates = {reads: None if reads == "clips" else encoder.frame_rate for reads in out}

    def write(which: Collection[Reads], network: Network) -> None:
        wanted = {reads: (networks[reads], rates[reads], partial(new_table, reads)) for reads in which}
        tables = read_all(lambda x: network(x).float(), wanted, waves, device, corruption, encoder.shortest)
        for reads, features in tables.items():
            np.save(out[reads] / "offsets.npy", features.offsets)

    for which in [[reads] for reads in out] if encoder.first_frame else [list(out)]:
        write(which, encoder.timed if "frames" in which else encoder)
    return {"frame_rate": encoder.frame_rate, "dim": dim}


def summary(embedded: Tensor, sounding: Tensor | None = None) -> Tensor:
    """What probes see of a window: mean and deviation over its frames, (B, F, D) to (B, 2D).

    Args:
        sounding: (B,) the share of each that counts, of crops that shorter clips do not fill; by default all.
    """
    if sounding is not None:
        return _summary_of_some(embedded, sounding)
    mean = embedded.mean(dim=1)
    # an eighth of the time of torch.std over a dimension that is not the last; where all frames are equal, the
    # gradient of a root of zero would be NaN
    deviation = (embedded - mean[:, None]).square().mean(dim=1).clamp_min(1e-20).sqrt()
    return torch.cat([mean, deviation], dim=1)


def _summary_of_some(embedded: Tensor, sounding: Tensor) -> Tensor:
    frames = embedded.shape[1]
    kept = torch.arange(frames, device=embedded.device) < (sounding[:, None] * frames).round().clamp_min(1)
    weight = (kept / kept.sum(dim=1, keepdim=True))[..., None]
    mean = (embedded * weight).sum(dim=1)
    deviation = ((embedded - mean[:, None]).square() * weight).sum(dim=1).clamp_min(1e-20).sqrt()
    return torch.cat([mean, deviation], dim=1)


def read(
    network: Network,
    waves: Waveforms,
    frame_rate: float | None,
    new_table: NewTable,
    device: str,
    corruption: tuple[str, int] | None = None,
    shortest: int = 1,
    tail: int = 0,
) -> Features:
    """What `network` makes of all tracks, window by window.

    Args:
        network: see `Network`.
        waves: the tracks.
        frame_rate: of its frames; None if it gives one row per window.
        new_table: makes the table that is filled.
        device: where audio goes.
        corruption: name and severity of what is done to the audio first; a window's draw follows from its track's id.
        shortest: samples that `network` needs; shorter tracks are padded with silence.
        tail: frames of each track beyond those that it fills.
    """
    wanted = {"": (lambda given: given, frame_rate, new_table)}
    return read_all(network, wanted, waves, device, corruption, shortest, tail)[""]


@torch.no_grad()
def read_all(
    network: Network,
    wanted: Mapping[Name, tuple[Network, float | None, NewTable]],
    waves: Waveforms,
    device: str,
    corruption: tuple[str, int] | None = None,
    shortest: int = 1,
    tail: int = 0,
) -> dict[Name, Features]:
    """What is made of all tracks for several tables at once, by one forward of `network`.

    Args:
        network: audio to what all tables are made from.
        wanted: by name, what a table takes of that, at which rate its frames come, and the table; as in `read`.
    """
    windows = resident(waves, device).windows(WINDOW_SECONDS)
    places = {name: _offsets(waves, windows, rate, tail) for name, (_, rate, _) in wanted.items()}
    tables = {name: new_table(int(places[name][-1])) for name, (_, _, new_table) in wanted.items()}
    for rows in _batches(windows, GPU_BATCH if device.startswith("cuda") else BATCH):
        length = max(shortest, int(windows.tracks["length"].iloc[rows[0]]))
        heard = crops_on(device, windows, rows, np.zeros(len(rows), np.int64), length).float() / 32768
        if corruption is not None:
            heard = corrupt(heard, waves.sample_rate, *corruption, _seeds(windows, rows))
        made = network(heard)
        for name, (take, rate, _) in wanted.items():
            given = take(made).cpu().numpy()
            if rate is None:
                tables[name][rows] = given
            else:
                check_frames(given.shape[1], length / waves.sample_rate, rate)
                _place_frames(tables[name], given, windows, rows, places[name], rate)
    return {name: Features(tables[name], places[name], rate is not None) for name, (_, rate, _) in wanted.items()}


def check_frames(count: int, seconds: float, rate: float) -> None:
    """Make sure that frames come at the rate that their encoder declares, but for what edges and a lead-in explain.

    Raises:
        UserError: they do not: labels would be learned from other places than they are of.
    """
    said, edges = seconds * rate, 4
    if not 0.8 * said - edges <= count <= 1.25 * said + edges + rate:  # a second of silence may lead in
        raise UserError(
            f"the encoder gives {count} frames of {seconds:.2f} s of audio, where its frame_rate of {rate:g} says "
            f"{said:.0f}; see benchmark.testing.check_encoder"
        )


def _offsets(waves: Waveforms, windows: Waveforms, rate: float | None, tail: int) -> NDArray[np.int64]:
    """Where each track's rows begin: its windows, or its frames."""
    per_track = np.bincount(windows.tracks["track"], minlength=len(waves.tracks))
    if rate is not None:
        seconds = waves.tracks["length"].to_numpy() / waves.sample_rate
        per_track = np.maximum(1, np.floor(seconds * rate)).astype(np.int64) + tail
    return np.concatenate([[0], np.cumsum(per_track)]).astype(np.int64)


def _seeds(windows: Waveforms, rows: NDArray[np.int64]) -> Tensor:
    owners = windows.tracks["track"].to_numpy()
    places = rows - np.searchsorted(owners, owners[rows])
    names = windows.tracks["id"].to_numpy(str)[rows]
    return torch.tensor([zlib.crc32(f"{name} {place}".encode()) for name, place in zip(names, places, strict=True)])


def _batches(windows: Waveforms, size: int) -> Iterator[NDArray[np.int64]]:
    """Windows of equal length, up to `size` at a time, in the order of the tracks."""
    lengths = windows.tracks["length"].to_numpy()
    for length in dict.fromkeys(lengths.tolist()):
        rows = np.flatnonzero(lengths == length)
        yield from np.array_split(rows, -(-len(rows) // size))


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
