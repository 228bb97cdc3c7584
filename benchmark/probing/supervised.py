"""End to end: encoder and head learn a task's labels, from scratch or from a checkpoint, subset by subset."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.audio.corrupt import CORRUPTIONS
from benchmark.audio.resident import resident
from benchmark.audio.waveforms import Waveforms
from benchmark.modules import CROP_SECONDS, Batch, Crops, Encoder, Strategy
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.readout import settle_statistics
from benchmark.probing.embed import WINDOW_SECONDS, read, summary
from benchmark.probing.evaluate import CLEAN, Condition, Trial
from benchmark.probing.features import Features
from benchmark.probing.fractions import Subset
from benchmark.probing.layers import Loss, row_loss
from benchmark.probing.probe import LOSSES, Outputs, ProbeResult, Targets
from benchmark.probing.search import Recipe, Setting, Views, search


class Classifier(Strategy):
    """An encoder with a linear head, trained end to end: a strategy like others, whose loss compares with labels.

    Attributes:
        augmented: makes features of crops in training, if they are not to be as they are.
    """

    augmented: Views | None = None

    def __init__(self, encoder: Encoder, outputs: int, frames: bool, kind: Loss) -> None:
        super().__init__(encoder, None)
        inside = encoder.embedding_dim * (1 if frames else 2)
        self.frames, self.kind = frames, kind
        self.head = nn.Sequential(nn.LayerNorm(inside), nn.Linear(inside, outputs))

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features, and targets."""
        known = {"targets": batch.labels} | ({} if batch.sounding is None else {"sounding": batch.sounding})
        batch = replace(batch, crops=self.heard(batch.crops))
        if self.augmented:
            return {"features": self.augmented(batch, generator)["features"], **known}
        return {"features": self.encoder.features(batch.crops[:, 0]), **known}

    def heard(self, audio: Tensor) -> Tensor:
        """(..., T) waveforms, whose frames are where their targets are if the task is of frames."""
        encoder: Encoder = self.encoder
        return encoder.led_in(audio) if self.frames else audio

    def logits(self, features: Tensor, sounding: Tensor | None = None) -> Tensor:
        """(B, C) from mean and deviation over frames, as probes see them, or (B, F, C) of a frame-level task."""
        embedded = self.encoder.body(features).float()
        outputs: Tensor = self.head(embedded if self.frames else summary(embedded, sounding))
        return outputs

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits beside their targets."""
        return {"logits": self.logits(views["features"], views.get("sounding")), "targets": views["targets"]}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss that probes minimise, without their penalty; targets that are not known count for nothing."""
        logits, targets = embeddings["logits"].float(), embeddings["targets"]
        targets = targets.view(len(targets), -1, logits.shape[-1]) if self.frames else targets
        logits = logits[:, : targets.shape[1]] if self.frames else logits
        known = ~targets.isnan().all(dim=-1)
        # multiplied rather than picked, whose number a GPU would have to tell first
        losses = row_loss(logits, torch.where(known[..., None], targets, 0.0), self.kind) * known
        return {"loss": losses.sum() / known.sum().clamp_min(1)}  # a batch may know nothing


class Audible(NamedTuple):
    """Test tracks under a condition: `at` in `waves`, which are `rows` of the catalog."""

    waves: Waveforms
    at: NDArray[np.int64]
    rows: NDArray[np.int64]


def train_supervised(
    trial: Trial,
    waves: Waveforms,
    encoder: Encoder,
    subset: Subset,
    seed: int,
    device: str,
    recipe: Recipe,
    conditions: Mapping[Condition, Audible] = MappingProxyType({}),
) -> ProbeResult:
    """Train on the subset's training tracks as its validation tracks say, read test once.

    An encoder is read out, on validation too, as pre-trained ones are: with settled BatchNorm statistics.

    Args:
        encoder: untrained or pre-trained; it stays as it is.
        recipe: what to try.
        conditions: under which test tracks are read as well.
    """
    task, columns, kind = trial.task, max(1, len(trial.task.classes)), LOSSES[trial.task.output]
    untaught = Classifier(encoder, columns, task.frame_level, kind)
    waves = resident(waves, device)
    lesson = _frames if task.frame_level else _clips
    heard, targets, spec, scale = lesson(trial, waves, encoder, subset)
    config = PretrainConfig(crops=recipe.crops, batch_size=recipe.batch, precision=recipe.precision)
    stream = CropStream(heard, spec, config, seed, targets=targets, rows=np.arange(len(heard.tracks)))

    def taught(setting: Setting) -> Classifier:
        model = copy.deepcopy(untaught)
        if setting.augmented and recipe.views:
            model.augmented = recipe.views(model.encoder)
        return model

    def score(model: Classifier) -> float:
        settle_statistics(model.encoder, stream, device)
        outputs = predict(model, waves, subset.val, scale, device)
        return trial.select(outputs, subset.val, encoder.frame_rate)

    model, val_score, chosen = search(recipe, taught, stream, score, config, device, blind(targets, columns, kind))
    clean = predict(model, waves, trial.test, scale, device)
    corrupted = [predict(model, heard.waves, heard.at, scale, device, how) for how, heard in conditions.items()]
    return ProbeResult(subset, clean, chosen, val_score, corrupted)


#: mean and deviation of the numbers that are regressed on
Scale = tuple[NDArray[np.float32], NDArray[np.float32]]
#: tracks to hear, their targets (N, ...), crops, scale
Lesson = tuple[Waveforms, NDArray[np.float32], Crops, Scale | None]


def _clips(trial: Trial, waves: Waveforms, encoder: Encoder, subset: Subset) -> Lesson:
    """Crops of 3 s from anywhere in a track have its label; shorter tracks are heard whole."""
    heard = waves.select(subset.train)
    targets = trial.targets(Features.of(np.zeros((len(trial.tracks), 1))), encoder.frame_rate)
    table = targets.read(subset.train).numpy()
    longest = max(encoder.shortest, int(heard.tracks["length"].max())) / waves.sample_rate
    spec = Crops(count=1, seconds=min(CROP_SECONDS, longest), pads_to=encoder.shortest)
    if targets.loss != "squares":
        return heard, table, spec, None
    mean, std = (moment.astype(np.float32) for moment in (table.mean(axis=0), table.std(axis=0) + 1e-6))
    return heard, ((table - mean) / std).astype(np.float32), spec, (mean, std)


def _frames(trial: Trial, waves: Waveforms, encoder: Encoder, subset: Subset) -> Lesson:
    """Whole windows have a target for each frame, and none beyond a window's own."""
    rate = encoder.frame_rate
    seconds = waves.tracks["length"].to_numpy() / waves.sample_rate
    offsets = np.concatenate([[0], np.cumsum(np.maximum(1, np.floor(seconds * rate)))]).astype(np.int64)
    targets = trial.targets(Features(np.zeros((int(offsets[-1]), 0)), offsets, frame_level=True), rate)
    windows = waves.windows(WINDOW_SECONDS)
    windows = windows.select(np.flatnonzero(np.isin(windows.tracks["track"], subset.train)))
    length = windows.tracks["length"].to_numpy()
    longest = max(encoder.shortest, int(length.max()))
    owner = windows.tracks["track"].to_numpy()
    first = offsets[owner] + np.round(
        (windows.tracks["offset"].to_numpy() - waves.tracks["offset"].to_numpy()[owner]) / waves.sample_rate * rate
    ).astype(np.int64)
    frames = np.arange(max(1, int(longest / waves.sample_rate * rate)))
    rows = np.minimum(first[:, None] + frames, offsets[owner + 1][:, None] - 1)
    table = np.stack([_known(targets, row) for row in rows])
    table[frames >= np.maximum(1, (length / waves.sample_rate * rate).astype(np.int64))[:, None]] = np.nan
    return (
        windows,
        table.reshape(len(rows), -1),
        Crops(count=1, seconds=longest / waves.sample_rate, pads_to=encoder.shortest),
        None,
    )


def blind(targets: NDArray[np.float32], columns: int, kind: Loss) -> float:
    """What the best constant outputs lose on targets (N, ...) of so many columns, on average over known rows."""
    rows = torch.from_numpy(targets).view(-1, columns)
    rows = rows[~rows.isnan().all(dim=1)]
    mean = rows.nanmean(dim=0)
    constant = {"softmax": mean.clamp_min(1e-12).log(), "sigmoid": mean.logit(1e-6), "squares": mean}[kind]
    return float(row_loss(constant.expand_as(rows), rows, kind).mean())


def _known(targets: Targets, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """(F, C) targets, NaN for frames to ignore."""
    if targets.loss != "softmax":
        return targets.read(rows).numpy()
    ignored = targets.rows[rows] < 0
    table: NDArray[np.float32] = np.eye(targets.columns, dtype=np.float32)[np.maximum(targets.rows[rows], 0)]
    table[ignored] = np.nan
    return table


def predict(
    model: Classifier,
    waves: Waveforms,
    rows: NDArray[np.int64],
    scale: Scale | None,
    device: str,
    condition: Condition = CLEAN,
) -> Outputs:
    """Outputs of some tracks, as probes give them."""
    model.to(device).eval()

    def network(audio: Tensor) -> Tensor:
        return model.logits(model.encoder.features(model.heard(audio))).float()

    columns = int(model.head[-1].out_features)  # type: ignore[arg-type]
    heard, rate = waves.select(rows), model.encoder.frame_rate if model.frames else None
    corruption = condition if condition.corruption in CORRUPTIONS else None
    shortest = model.encoder.shortest
    features = read(network, heard, rate, lambda n: np.zeros((n, columns), np.float32), device, corruption, shortest)
    model.train()
    outputs = features.by_track(features.data, np.arange(len(rows)))
    return [scale[0] + scale[1] * numbers for numbers in outputs] if scale else outputs
