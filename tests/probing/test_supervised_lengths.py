"""Clips of unequal length: each is learned from at its own, and a short one changes nothing for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.audio.waveforms import Waveforms
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.encoders.mfcc_chroma import MFCCChroma
from benchmark.interfaces import Info, Task
from benchmark.modules import Batch, Crops
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream, to_batch
from benchmark.pretraining.train import held_out_embeddings
from benchmark.probing import supervised
from benchmark.probing.embed import read, summary
from benchmark.probing.evaluate import Trial
from benchmark.probing.search import Recipe

RATE = 16_000


class Loud(Task):
    """A made-up class."""

    info = Info("loud", "Loud", "planted")
    level = "timbre"
    corpus = "planted"
    output = "multiclass"
    metric = "accuracy"
    classes = ("no", "yes")

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return (np.arange(len(tracks)) % 2).tolist()

    def decode(self, outputs: list[np.ndarray], frame_rate: float) -> list[Any]:
        return [int(logits.argmax()) for logits in outputs]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, np.ndarray]:
        return {"accuracy": np.equal(predictions, targets).astype(float)}


class LoudFrames(Loud):
    """The same, frame by frame: the class of a frame is whether its second is odd."""

    info = Info("loud_frames", "Loud by frames", "planted")
    output = "frame_multiclass"

    def frame_targets(self, target: Any, n_frames: int, frame_rate: float) -> np.ndarray:
        return (np.arange(n_frames) / frame_rate).astype(np.int64) % 2


def corpus(seconds: list[float]) -> Waveforms:
    """Eight tracks to train, two to choose, two to test; noise, each of its own level."""
    lengths = np.array([round(RATE * s) for s in seconds])
    noise = np.random.default_rng(0).standard_normal(lengths.sum())
    tracks = pd.DataFrame({"id": [f"t{i}" for i in range(12)], "group": np.arange(12)})
    tracks["split"] = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    tracks["offset"], tracks["length"] = np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths
    return Waveforms(tracks, {"mix": (3000 * noise).clip(-32768, 32767).astype(np.int16)}, RATE)


def stream_of(waves: Waveforms, task: Task, monkeypatch: pytest.MonkeyPatch) -> tuple[CropStream, Crops]:
    """What the supervised baseline would hear."""
    seen: list[Any] = []

    def search(recipe: Any, taught: Any, stream: CropStream, *rest: Any) -> Any:
        seen.append(stream)
        return taught(recipe.settings[0]), 0.0, {"lr": 1e-3}

    monkeypatch.setattr(supervised, "search", search)
    trial = Trial.of(task, waves.tracks, {1.0: 1}, shuffle_labels=False)
    recipe = Recipe(rates=(1e-3,), crops=64, batch=8)
    supervised.train_supervised(trial, waves, CNNSmall(), trial.subsets[0], 0, "cpu", recipe)
    return seen[0], seen[0].spec


def test_one_short_clip_changes_nothing_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [4.0] * 12
    short = [4.0, 4.0, 0.6, *[4.0] * 9]
    (plain, _), (mixed, spec) = (stream_of(corpus(s), Loud(), monkeypatch) for s in (long, short))
    assert spec.seconds == 3.0
    assert plain.step(0).keys() == {"crops", "active", "labels"}, "where none is short, nothing is masked"
    rows = [np.random.default_rng((0, t)).choice(np.arange(8), 8, replace=False) for t in range(5)]
    for t, order in enumerate(rows):
        one, other = plain.step(t), mixed.step(t)
        others = order != 2
        starts = [stream._starts(np.random.default_rng(t), order) for stream in (plain, mixed)]
        np.testing.assert_array_equal(starts[0][0][others], starts[1][0][others])
        assert torch.equal(one["labels"], other["labels"])
        np.testing.assert_allclose(other["sounding"], np.where(others, 1, 0.2))
        heard = other["crops"][int(np.flatnonzero(~others)[0]), 0]
        clip = mixed.waves.stems["mix"][8 * RATE :][: round(0.6 * RATE)]
        np.testing.assert_array_equal(heard, np.tile(clip, 5))
    assert mixed.heard == pytest.approx(8 * (7 + 0.2) / 8), "what is repeated is not heard twice"


def test_a_short_clip_is_read_from_its_own_frames() -> None:
    embedded = torch.randn(3, 50, 7)
    found = summary(embedded, torch.tensor([1.0, 0.2, 0.001]))
    expected = [summary(embedded[i : i + 1, :n])[0] for i, n in enumerate((50, 10, 1))]
    torch.testing.assert_close(found, torch.stack(expected))
    model = supervised.Classifier(CNNSmall(), 2, frames=False, kind="softmax").eval()
    batch = {"crops": torch.randint(-3000, 3000, (2, 1, RATE)), "active": torch.ones(2), "labels": torch.eye(2)}
    views = model.views(to_batch({**batch, "sounding": torch.tensor([1.0, 0.5])}), torch.Generator())
    logits, whole = (model.embed(v)["logits"] for v in (views, {k: x for k, x in views.items() if k != "sounding"}))
    torch.testing.assert_close(logits[0], whole[0])
    assert not torch.allclose(logits[1], whole[1])


def test_frames_have_targets_to_the_end_of_each_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until now all were cut to the shortest."""
    stream, spec = stream_of(corpus([4.0, 4.0, 0.6, *[4.0] * 9]), LoudFrames(), monkeypatch)
    assert spec.seconds == 4.0
    table = stream.labels.reshape(8, 100, 2)  # 25 frames per second
    known = ~np.isnan(table).any(axis=2)
    assert known.sum(axis=1).tolist() == [100, 100, 15, *[100] * 5]
    np.testing.assert_array_equal(table[0].argmax(axis=1), np.arange(100) // 25 % 2)


def test_monitors_hear_each_clip_at_its_own_length() -> None:
    waves = corpus([4.0] * 8 + [0.1, 3.0] + [4.0] * 2)
    encoder = MFCCChroma().eval()
    found = held_out_embeddings(encoder, waves, "cpu")
    for row, track in enumerate(waves.tracks.iloc[8:10].itertuples()):
        audio = torch.from_numpy(waves.stems["mix"][track.offset : track.offset + track.length] / 32768).float()
        padded = torch.nn.functional.pad(audio, (0, max(0, encoder.shortest - len(audio))))
        torch.testing.assert_close(found[row], encoder(padded[None])[0].mean(dim=0))


def test_what_is_too_short_for_an_encoder_is_padded_with_silence() -> None:
    waves, encoder = corpus([0.1, *[1.0] * 11]), MFCCChroma().eval()
    with pytest.raises(RuntimeError):
        encoder(torch.zeros(1, 1600))
    table = read(
        encoder,
        waves,
        encoder.frame_rate,
        lambda n: np.zeros((n, encoder.embedding_dim), np.float32),
        "cpu",
        None,
        2049,
    )
    assert np.diff(table.offsets)[:2].tolist() == [2, 25], "its frames are those of its own time"
    padded = torch.zeros(1, 2049)
    padded[0, :1600] = torch.from_numpy(waves.stems["mix"][:1600] / 32768)
    expected = encoder(padded)[0]
    np.testing.assert_allclose(table.data[:2], expected[[0, min(1, len(expected) - 1)]], rtol=1e-4, atol=1e-4)


def test_a_stream_counts_the_tracks_that_its_crops_do_not_fit_into() -> None:
    waves = corpus([4.0, 4.0, 0.6, 1.0, *[4.0] * 8])
    stream = CropStream(waves, Crops(count=2, seconds=1.5, placement="adjacent"), PretrainConfig(crops=8), 0)
    assert (stream.too_short, len(stream.rows)) == (2, 6)


@pytest.mark.parametrize(("frames", "lead"), [(True, 8000), (False, 0)])
def test_frames_that_begin_with_the_audio_are_taught_and_asked_at_their_middle(frames: bool, lead: int) -> None:
    class Late(CNNSmall):
        first_frame = 8000

    audio = torch.randn(2, 1, RATE, generator=torch.Generator().manual_seed(0))
    batch = Batch(audio, torch.ones(2, dtype=torch.bool), torch.zeros(2, 1))
    model = supervised.Classifier(Late(), 2, frames, "softmax")
    heard = model.views(batch, torch.Generator())["features"]
    expected = model.encoder.features(torch.nn.functional.pad(audio[:, 0], (lead, 0)))
    torch.testing.assert_close(heard, expected)
    waves = corpus([1.0] * 12)
    (one, _) = supervised.predict(model, waves, np.array([10, 11]), None, "cpu")
    (at, length) = waves.tracks[["offset", "length"]].to_numpy()[10]
    sound = torch.from_numpy(waves.stems["mix"][at : at + length].astype(np.float32) / 32768)[None]
    with torch.no_grad():
        asked = model.eval().logits(model.encoder.features(torch.nn.functional.pad(sound, (lead, 0))))[0].numpy()
    np.testing.assert_allclose(one, asked[: len(one)] if frames else asked, atol=1e-4)
