"""The supervised baseline on a planted problem: it learns what labels say, and nothing from shuffled ones."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.audio.waveforms import Waveforms
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.interfaces import Info, Task
from benchmark.modules import Crops, Encoder
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream, to_batch
from benchmark.probing import supervised
from benchmark.probing.evaluate import Condition, Trial
from benchmark.probing.search import Recipe, Views
from tasks.kinds.regression import Regression
from tasks.kinds.tagging import Tagging

RATE, SECONDS, TRACKS = 16_000, 3.2, 60
SPLITS = np.array(["train"] * 24 + ["val"] * 12 + ["test"] * 24)


def steps(count: int) -> Recipe:
    """One setting, for so many steps of 24 crops."""
    return Recipe(rates=(1e-3,), crops=24 * count, batch=24)


class Octave(Task):
    """Is the tone at 440 or at 880 Hz?"""

    info = Info("octave", "Octave", "planted")
    level = "pitch"
    corpus = "planted"
    output = "multiclass"
    metric = "accuracy"
    classes = ("low", "high")

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return tracks["octave"].tolist()

    def decode(self, outputs: list[np.ndarray], frame_rate: float) -> list[Any]:
        return [int(logits.argmax()) for logits in outputs]

    def item_scores(self, predictions: list[Any], targets: list[Any]) -> dict[str, np.ndarray]:
        return {"accuracy": np.equal(predictions, targets).astype(float)}


@pytest.fixture
def waves() -> Waveforms:
    rng = np.random.default_rng(0)
    n = int(RATE * SECONDS)
    octave = np.arange(TRACKS) % 2
    t = np.arange(n) / RATE
    tone = np.sin(2 * np.pi * 440 * (1 + octave[:, None]) * t + rng.uniform(0, 6, (TRACKS, 1)))
    audio = rng.uniform(0.05, 0.3, (TRACKS, 1)) * (tone + 0.3 * rng.standard_normal((TRACKS, n)))
    tracks = pd.DataFrame(
        {
            "id": [f"t{i}" for i in range(TRACKS)],
            "group": np.arange(TRACKS),
            "split": SPLITS,
            "octave": octave,
            "offset": np.arange(TRACKS) * n,
            "length": n,
        }
    )
    return Waveforms(tracks, {"mix": (audio * 32767).astype(np.int16).reshape(-1)}, RATE)


@pytest.mark.parametrize("shuffled", [False, True])
def test_it_learns_the_labels_and_only_them(waves: Waveforms, shuffled: bool) -> None:
    trial = Trial.of(Octave(), waves.tracks, {1.0: 1}, shuffle_labels=shuffled)
    torch.manual_seed(0)
    result = supervised.train_supervised(trial, waves, CNNSmall(), trial.subsets[0], 0, "cpu", steps(12))
    assert np.stack(result.outputs).shape == (24, 2)
    scores, predictions = trial.scored([("linear", result)], CNNSmall.frame_rate)
    accuracy = float(scores["value"].iloc[0])
    assert accuracy < 0.8 if shuffled else accuracy > 0.9
    assert scores["n_train"].iloc[0] == 24
    assert len(predictions) == 24


def deaf(encoder: Encoder) -> Views:
    """Augmentation that leaves nothing to learn from."""
    return lambda batch, generator: {"features": torch.zeros_like(encoder.features(batch.crops[:, 0]))}


def test_what_validation_prefers_is_chosen_recorded_and_read_out_with_settled_statistics(
    waves: Waveforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two settings, one hears nothing but silence. BatchNorm's statistics are those of the crops as they are."""
    last: list[supervised.Classifier] = []
    real = supervised.predict
    monkeypatch.setattr(supervised, "predict", lambda model, *args: (last.append(model), real(model, *args))[1])
    trial, encoder = Trial.of(Octave(), waves.tracks, {1.0: 1}, shuffle_labels=False), CNNSmall()
    before = copy.deepcopy(encoder.state_dict())
    recipe = dataclasses.replace(steps(12), views=deaf)
    result = supervised.train_supervised(trial, waves, encoder, trial.subsets[0], 0, "cpu", recipe)
    assert all(torch.equal(x, before[name]) for name, x in encoder.state_dict().items()), "it stays as it is"
    scores, _ = trial.scored([("linear", result)], CNNSmall.frame_rate)
    told = {"lr": 1e-3, "augmented": 0, "steps": 12, "epochs": 12, "heard": 288, "heard_by_all": 576}
    assert scores.iloc[0][list(told)].to_dict() == told
    assert scores["value"].iloc[0] > 0.9
    stem = last[-1].encoder.stem
    stream = CropStream(waves, Crops(count=1, seconds=3.0), PretrainConfig(crops=288, batch_size=24), seed=0)
    crops = torch.cat([to_batch(stream.step(t)).crops[:, 0] for t in range(20)])
    with torch.no_grad():
        heard = torch.cat([stem[0](last[-1].encoder.features(part).unsqueeze(1)) for part in crops.split(48)])
    torch.testing.assert_close(stem[1].running_mean, heard.mean(dim=(0, 2, 3)), rtol=1e-3, atol=1e-4)


def test_corrupted_test_tracks_are_read_by_the_model_that_learned_from_clean_ones(waves: Waveforms) -> None:
    """A steady tone played backwards stays itself; under heavy noise the outputs move, and more than under light."""
    trial = Trial.of(Octave(), waves.tracks, {1.0: 1}, shuffle_labels=False)
    conditions = {
        Condition(*how): supervised.Audible(waves, trial.test, trial.test)
        for how in (("reverse", 4), ("noise", 1), ("noise", 4))
    }
    torch.manual_seed(0)
    result = supervised.train_supervised(trial, waves, CNNSmall(), trial.subsets[0], 0, "cpu", steps(12), conditions)
    scores, predictions = trial.scored(
        [("linear", result)], CNNSmall.frame_rate, {c: a.rows for c, a in conditions.items()}
    )
    by = scores.set_index(["corruption", "severity"])["value"]
    assert by["reverse", 4] == by["", 0] > 0.9
    clean = np.stack(result.outputs)
    light, heavy = (np.abs(np.stack(outputs) - clean).mean() for outputs in result.corrupted[1:])
    assert 0 < light < heavy
    assert len(predictions) == 24


class OctaveTags(Tagging):
    """The same as a tag, beside one that no validation clip has: its scores there are undefined."""

    info = Info("octave_tags", "Octave as tags", "planted")
    level = "pitch"
    corpus = "planted"
    labels = ("tags",)
    classes = ("high", "never")

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return [np.array([octave, np.nan], np.float32) for octave in tracks["octave"]]


class OctaveNumber(Regression):
    """The same as a number far from zero."""

    info = Info("octave_number", "Octave as a number", "planted")
    level = "pitch"
    corpus = "planted"
    labels = ("hertz",)
    classes = ("hertz",)

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return [np.array([440 * (1 + octave)], np.float32) for octave in tracks["octave"]]


class OctaveFrames(Octave):
    """The same in each frame of the first second; the rest is not scored."""

    output = "frame_multiclass"

    def frame_targets(self, target: Any, n_frames: int, frame_rate: float) -> np.ndarray:
        return np.where(np.arange(n_frames) < frame_rate, target, -1)

    def decode(self, outputs: list[np.ndarray], frame_rate: float) -> list[Any]:
        return [int(logits[: int(frame_rate)].mean(axis=0).argmax()) for logits in outputs]


@pytest.mark.parametrize(
    ("task", "metric", "least"),
    [(OctaveTags, "roc_auc", 0.95), (OctaveNumber, "r2", 0.7), (OctaveFrames, "accuracy", 0.9)],
)
def test_it_learns_every_kind_of_target(task: type[Task], metric: str, least: float, waves: Waveforms) -> None:
    trial = Trial.of(task(), waves.tracks, {1.0: 1}, shuffle_labels=False)
    torch.manual_seed(0)
    result = supervised.train_supervised(trial, waves, CNNSmall(), trial.subsets[0], 0, "cpu", steps(25))
    scores, _ = trial.scored([("linear", result)], CNNSmall.frame_rate)
    assert scores.set_index("metric")["value"][metric] > least


def test_constant_outputs_lose_the_entropy_or_the_variance_of_what_is_known() -> None:
    nan = np.nan
    classes = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [nan, nan, nan], [0, 1, 0]], np.float32)
    assert supervised.blind(classes, 3, "softmax") == pytest.approx(np.log(2), rel=1e-5)
    tags = np.array([[1, 0], [0, 0], [0, 0], [0, 0]], np.float32)
    assert supervised.blind(tags, 2, "sigmoid") == pytest.approx(-0.25 * np.log(0.25) - 0.75 * np.log(0.75), rel=1e-3)
    frames = np.array([[1, 3], [nan, 5]], np.float32)  # two tracks of two frames of one number
    assert supervised.blind(frames, 1, "squares") == pytest.approx(np.var([1, 3, 5]) / 2)


def test_a_score_that_is_never_defined_still_ends_in_a_model(waves: Waveforms, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial.of(OctaveTags(), waves.tracks, {1.0: 1}, shuffle_labels=False)
    monkeypatch.setattr(Trial, "select", lambda *_: float("nan"))
    result = supervised.train_supervised(trial, waves, CNNSmall(), trial.subsets[0], 0, "cpu", steps(5))
    assert np.isfinite(np.stack(result.outputs)).all()
