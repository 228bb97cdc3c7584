"""HEAR's rules for a model, as its validator states them, restated here for every encoder that we have."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.encoders import buildable
from torch import Tensor, nn

from benchmark import hear, registry
from benchmark.interfaces import UserError
from benchmark.pretrained.encoder import PretrainedEncoder

#: rates that HEAR has its data sets in
RATES = (16_000, 22_050, 32_000, 44_100, 48_000)
each_encoder = pytest.mark.parametrize("name", buildable())


@functools.cache
def model(name: str) -> hear.HearModel:
    """With untrained weights where there are any: rules are about shapes and times."""
    torch.manual_seed(0)
    found = hear.load_model()
    pretrained = PretrainedEncoder(registry.encoders.get(name)())
    found.pretrained, found.sample_rate = pretrained, pretrained.sample_rate
    found.scene_embedding_size, found.timestamp_embedding_size = pretrained.clip_dim, pretrained.frame_dim
    return found


def white(found: hear.HearModel, count: int, seconds: float, seed: int = 0) -> Tensor:
    samples = int(seconds * found.sample_rate)
    return torch.rand(count, samples, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@each_encoder
def test_a_model_says_what_it_is(name: str) -> None:
    found = model(name)
    assert isinstance(found, nn.Module)
    assert found.sample_rate in RATES
    assert type(found.scene_embedding_size) is int
    assert type(found.timestamp_embedding_size) is int


@each_encoder
def test_a_scene_is_one_row(name: str) -> None:
    found = model(name)
    audio = white(found, 4, 2.74)
    scenes = hear.get_scene_embeddings(audio, found)
    assert scenes.shape == (4, found.scene_embedding_size)
    assert scenes.dtype == torch.float32
    assert torch.isfinite(scenes).all()
    assert not scenes.requires_grad
    assert torch.equal(scenes, hear.get_scene_embeddings(audio, found)), "the same again"
    torch.testing.assert_close(scenes[2:3], hear.get_scene_embeddings(audio[2:3], found), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [(name, seconds) for name in buildable() for seconds in (1.07, 1.98, 4.0)] + [("vit", 12.3)],
)
def test_timestamps_are_regular_and_reach_from_one_end_to_the_other(name: str, seconds: float) -> None:
    found = model(name)
    audio = white(found, 2, seconds)
    embeddings, stamps = hear.get_timestamp_embeddings(audio, found)
    assert embeddings.dtype == stamps.dtype == torch.float32
    assert embeddings.shape == (*stamps.shape, found.timestamp_embedding_size)
    assert len(stamps) == 2
    assert torch.isfinite(embeddings).all()
    assert torch.equal(stamps[0], stamps[1])
    times = stamps[0].double().numpy()
    steps = np.diff(times)
    assert (steps > 0).all()
    assert np.abs(steps - steps.mean()).max() <= 1, "milliseconds"
    assert times[0] <= steps.mean()
    assert 1000 * seconds - steps.mean() <= times[-1] <= 1000 * seconds


def test_times_do_not_drift_over_minutes() -> None:
    found = model("sample_cnn")  # 30.2 frames per second: a rounded hop would be off by seconds
    _, stamps = hear.get_timestamp_embeddings(white(found, 1, 60.0), found)
    rate = found.pretrained.frame_rate
    np.testing.assert_allclose(stamps[0], 1000 * np.arange(stamps.shape[1]) / rate, atol=0.01)
    assert stamps[0, -1] >= 1000 * (60 - 1 / rate)


def test_an_event_is_in_the_frame_of_its_time() -> None:
    found = model("mfcc_chroma")
    audio = torch.zeros(1, 3 * found.sample_rate)
    audio[0, int(1.3 * found.sample_rate) :] = white(found, 1, 1.7)[0, : 3 * found.sample_rate]
    embeddings, stamps = hear.get_timestamp_embeddings(audio, found)
    onset = embeddings[0, :, -1]  # half-wave rectified flux
    assert abs(float(stamps[0, onset.argmax()]) - 1300) <= 150


def test_default_folder_and_weights_file_are_ways_to_load(tiny_run: Path, tmp_path: Path) -> None:
    from benchmark.pretrained.choose import choose
    from benchmark.pretrained.export import export

    export(choose(tiny_run, "byol"), tmp_path / "byol")
    found = [hear.load_model(str(path)) for path in (tmp_path / "byol", tmp_path / "byol" / "encoder.safetensors")]
    scenes = [hear.get_scene_embeddings(white(one, 2, 1.0), one) for one in found]
    assert torch.equal(*scenes)
    audio = white(found[0], 2, 1.0)[:1]
    ours = found[0].pretrained.embed(audio, 16_000)
    np.testing.assert_array_equal(hear.get_scene_embeddings(audio, found[0])[0].numpy(), ours)
    assert hear.load_model().sample_rate == 16_000
    with pytest.raises(UserError, match="no such folder"):
        hear.load_model("nowhere.pt")
    with pytest.raises(UserError, match="n_sounds"):
        hear.get_scene_embeddings(torch.zeros(16_000), found[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_embeddings_are_where_the_audio_is() -> None:
    found = model("cnn_small")
    audio = white(found, 2, 2.0)
    here = hear.get_scene_embeddings(audio, found)
    there = hear.get_scene_embeddings(audio.cuda(), found.cuda())
    frames, stamps = hear.get_timestamp_embeddings(audio.cuda(), found)
    found.cpu()
    assert there.is_cuda
    assert frames.is_cuda
    assert stamps.is_cuda
    torch.testing.assert_close(there.cpu(), here, rtol=1e-2, atol=1e-2)
