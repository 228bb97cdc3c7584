"""The supervised baseline: encoder and head learn a task's labels from scratch, subset by subset."""

from __future__ import annotations

import copy
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.audio.waveforms import Waveforms
from benchmark.experiment.budget import PretrainConfig
from benchmark.experiment.crops import CropStream
from benchmark.experiment.evaluate import Trial
from benchmark.experiment.fractions import Subset
from benchmark.experiment.probe import ProbeResult
from benchmark.experiment.train import Pretraining, fit
from benchmark.modules import Batch, Crops, Encoder, Strategy

#: epochs over the labelled tracks, but this many steps at least; validation is looked at so many times
EPOCHS, MIN_STEPS, CHECKS = 60, 100, 10
HIDDEN = 512


class Classifier(Strategy):
    """An encoder with a head, trained end to end: a strategy like others, whose loss compares with labels."""

    learning_rate = 1e-3

    def __init__(self, encoder: Encoder, outputs: int, frames: bool, probe: str) -> None:
        super().__init__(encoder, None)
        inside = encoder.embedding_dim * (1 if frames else 2)
        hidden = [nn.Linear(inside, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)]
        self.frames = frames
        self.head = nn.Sequential(nn.LayerNorm(inside), *(hidden if probe == "mlp" else [nn.Linear(inside, outputs)]))

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features as they are, and targets."""
        return {"features": self.encoder.features(batch.crops[:, 0]), "targets": batch.labels}

    def logits(self, features: Tensor) -> Tensor:
        """(B, C) from mean and deviation over frames, as probes see them, or (B, F) of a frame-level task."""
        embedded = self.encoder.body(features).float()
        if self.frames:
            per_frame: Tensor = self.head(embedded)[..., 0]
            return per_frame
        whole: Tensor = self.head(torch.cat([embedded.mean(dim=1), embedded.std(dim=1)], dim=1))
        return whole

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits beside their targets."""
        return {"logits": self.logits(views["features"]), "targets": views["targets"]}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy of clips, binary cross-entropy of frames."""
        logits, targets = embeddings["logits"].float(), embeddings["targets"]
        if self.frames:
            return {"loss": F.binary_cross_entropy_with_logits(logits, targets)}
        return {"loss": F.cross_entropy(logits, targets)}


class _KeepBest(L.Callback):
    """Scores validation a few times in training, and keeps the best moment."""

    def __init__(self, every: int, score: Any) -> None:
        self.every, self.score = every, score
        self.best = -np.inf
        self.state: dict[str, Tensor] = {}

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            score = self.score(module.strategy)
            if score > self.best:
                self.best, self.state = score, copy.deepcopy(module.strategy.state_dict())


def train_supervised(
    trial: Trial,
    waves: Waveforms,
    encoder: Encoder,
    subset: Subset,
    probe: Literal["linear", "mlp"],
    seed: int,
    device: str,
) -> ProbeResult:
    """Train on the subset's training tracks, keep the best moment on its validation tracks, read test once.

    Args:
        encoder: untrained; changed in place.
        probe: the head on top: one layer, or two.
    """
    seconds = float(waves.tracks["length"].min()) / waves.sample_rate
    frames = encoder.body(encoder.features(torch.zeros(2, round(seconds * waves.sample_rate)))).shape[1]
    targets = trial.targets(frames, encoder.frame_rate)
    frame_level = targets.ndim == 2
    table = targets if frame_level else np.eye(len(trial.task.classes), dtype=np.float32)[np.maximum(targets, 0)]
    # frames are labelled in whole clips; 3 s are enough for a clip's class
    spec = Crops(count=1, seconds=seconds if frame_level else 3.0)
    batch = 16 if frame_level else 64
    steps = max(MIN_STEPS, EPOCHS * len(subset.train) // batch)
    config = PretrainConfig(crops=10**9, batch_size=batch, precision="32-true" if device == "cpu" else "bf16-mixed")
    stream = CropStream(waves, spec, config, seed, targets=table.astype(np.float32), rows=subset.train)
    stream.steps = steps
    model = Classifier(encoder, 1 if frame_level else table.shape[1], frame_level, probe)

    def score(current: Classifier) -> float:
        return trial.select(predict(current, waves, subset.val, device), subset.val, encoder.frame_rate)

    best = _KeepBest(max(1, steps // CHECKS), score)
    fit(Pretraining(model, config, seed, steps), stream, device, [best])
    model.load_state_dict(best.state)
    return ProbeResult(subset, predict(model, waves, trial.test, device), {}, float(best.best))


@torch.no_grad()
def predict(model: Classifier, waves: Waveforms, rows: NDArray[np.int64], device: str) -> NDArray[np.float32]:
    """Logits of whole clips, (N, C) or (N, F)."""
    model.to(device).eval()
    length = int(waves.tracks["length"].min())
    outputs = []
    for part in np.array_split(rows, max(1, len(rows) // 16)):
        audio = torch.from_numpy(waves.crops(part, np.zeros(len(part), np.int64), length)).to(device)
        outputs.append(model.logits(model.encoder.features(audio.float() / 32768)).float().cpu().numpy())
    model.train()
    return np.concatenate(outputs)
