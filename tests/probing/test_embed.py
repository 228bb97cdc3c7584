"""Embeddings know whose they are and when: tracks of any length, in windows, on one clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from benchmark.audio.waveforms import Waveforms
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.interfaces import Info
from benchmark.modules import Encoder
from benchmark.probing.embed import WINDOW_SECONDS, embed
from benchmark.probing.features import Features

RATE = 1000
LENGTHS = (800, 25_300, 10_000, 10_001, 800, 31_417)


class Clock(Encoder):
    """Frames at 20 Hz, each the mean of the 50 samples after it; one frame too many, as centered spectrograms give."""

    info = Info("clock", "Clock", "this test")
    sample_rate, embedding_dim, frame_rate = RATE, 1, 20.0

    def features(self, waveform: Tensor) -> Tensor:
        return torch.nn.functional.pad(waveform, (0, 100))[:, None]

    def body(self, features: Tensor) -> Tensor:
        return features[:, 0].unfold(1, 50, 50).mean(dim=2)[..., None]


@pytest.fixture
def waves() -> Waveforms:
    """Track i ramps up: sample t is t / 2 + i, so that a value says where it is from."""
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)[:-1]])
    tracks = pd.DataFrame({"id": [f"t{i}" for i in range(6)], "offset": offsets, "length": LENGTHS})
    mix = np.concatenate([np.arange(n) // 2 + i for i, n in enumerate(LENGTHS)]).astype(np.int16)
    return Waveforms(tracks, {"mix": mix}, RATE)


def test_windows_divide_each_track_equally(waves: Waveforms) -> None:
    windows = waves.windows(WINDOW_SECONDS).tracks
    assert windows.groupby("track")["length"].agg(["size", "first", "nunique"]).to_numpy().tolist() == [
        [1, 800, 1],
        [3, 8433, 1],
        [1, 10_000, 1],
        [2, 5000, 1],
        [1, 800, 1],
        [4, 7854, 1],
    ]
    ends = (windows["offset"] + windows["length"]).to_numpy()
    inside = np.diff(windows["track"]) == 0
    assert (np.diff(windows["offset"])[inside] == windows["length"][:-1][inside]).all()
    assert (ends <= np.cumsum(LENGTHS)[windows["track"]]).all()


def test_clips_are_statistics_of_their_windows(waves: Waveforms, tmp_path: Path) -> None:
    embed(Clock(), waves, {"clips": tmp_path}, "cpu")
    features = Features.open(tmp_path, frame_level=False)
    assert np.diff(features.offsets).tolist() == [1, 3, 1, 2, 1, 4]
    windows = waves.windows(WINDOW_SECONDS)
    for row, (offset, length) in enumerate(windows.tracks[["offset", "length"]].to_numpy()):
        heard = torch.from_numpy(windows.stems["mix"][offset : offset + length].astype(np.float32) / 32768)
        frames = Clock()(heard[None])[0, :, 0]
        expected = [float(frames.mean()), float(frames.std(correction=0))]
        assert features.data[row] == pytest.approx(expected, rel=1e-4)


def test_frames_are_on_the_clock_of_their_track(waves: Waveforms, tmp_path: Path) -> None:
    embed(Clock(), waves, {"frames": tmp_path}, "cpu")
    features = Features.open(tmp_path, frame_level=True)
    for track, length in enumerate(LENGTHS):
        frames = features.data[features.rows(np.array([track]))][:, 0].astype(np.float64) * 32768
        assert len(frames) == length * 20 // 1000
        whole = np.arange(len(frames)) * 50  # frame i begins at sample 50 i
        expected = (whole + 24.5) / 2 + track
        inside = expected < expected[-1] - 25  # the very last frame of a window may run into its end
        assert np.median(np.abs(frames - expected)[inside]) < 15
        assert np.abs(frames - expected)[inside].mean() < 40


def test_frames_that_begin_with_the_audio_are_moved_to_their_middle(waves: Waveforms, tmp_path: Path) -> None:
    """Of a ramp, frame i is what sounds at i / rate, not what follows; clips hear no silence before them."""

    class Late(Clock):
        first_frame = 25

    folders: dict[Any, Path] = {reads: tmp_path / reads for reads in ("clips", "frames")}
    for folder in (*folders.values(), tmp_path / "as they were"):
        folder.mkdir()
    embed(Late(), waves, folders, "cpu")
    embed(Clock(), waves, {"clips": tmp_path / "as they were"}, "cpu")
    was = np.load(tmp_path / "as they were" / "embeddings.npy")
    np.testing.assert_array_equal(np.load(folders["clips"] / "embeddings.npy"), was)
    features = Features.open(folders["frames"], frame_level=True)
    (row,) = (i for i, length in enumerate(LENGTHS) if length == 10_000)  # one window
    frames = features.data[features.rows(np.array([row]))][:, 0].astype(np.float64) * 32768
    assert frames[1:] == pytest.approx(np.arange(1, len(frames)) * 25 + row, abs=2.5)


def test_one_forward_makes_both_tables_as_each_alone(waves: Waveforms, tmp_path: Path) -> None:
    counted, forward = [], Clock.forward

    class Counted(Clock):
        def forward(self, waveform: torch.Tensor) -> torch.Tensor:
            counted.append(len(waveform))
            return forward(self, waveform)

    folders: dict[Any, Path] = {reads: tmp_path / reads for reads in ("clips", "frames")}
    for reads, folder in folders.items():
        for place in (folder, folder / "alone"):
            place.mkdir()
        embed(Clock(), waves, {reads: folder / "alone"}, "cpu")
    embed(Counted(), waves, folders, "cpu")
    assert sum(counted) == len(waves.windows(WINDOW_SECONDS).tracks)
    for folder in folders.values():
        for name in ("embeddings.npy", "offsets.npy"):
            np.testing.assert_array_equal(np.load(folder / name), np.load(folder / "alone" / name))


def test_outputs_of_windows_are_averaged_and_frames_kept() -> None:
    offsets = np.array([0, 1, 4, 6])
    outputs = np.arange(12, dtype=np.float32).reshape(6, 2)
    some = np.array([2, 1])
    clips = Features(np.zeros((6, 1)), offsets, frame_level=False)
    assert clips.rows(some).tolist() == [4, 5, 1, 2, 3]
    means = clips.by_track(outputs[clips.rows(some)], some)
    assert [m.tolist() for m in means] == [[9.0, 10.0], [4.0, 5.0]]
    frames = Features(np.zeros((6, 1)), offsets, frame_level=True).by_track(outputs[clips.rows(some)], some)
    assert [f.shape for f in frames] == [(2, 2), (3, 2)]


@pytest.mark.parametrize("reads", ["clips", "frames"])
def test_frozen_means_frozen(reads: Any, tmp_path: Path) -> None:
    """Statistics of BatchNorm included, although the encoder comes fresh from training."""
    rate, n = 16_000, 16_000
    tracks = pd.DataFrame({"id": ["a", "b"], "offset": [0, n], "length": n})
    noise = np.random.default_rng(0).integers(-3000, 3000, 2 * n, dtype=np.int16)
    encoder = CNNSmall().train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embed(encoder, Waveforms(tracks, {"mix": noise}, rate), {reads: tmp_path}, "cpu")
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
