"""Pre-training: crops to views to loss under Lightning's loop, and what is recorded of it."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmark.audio.resident import crops_on, resident
from benchmark.audio.waveforms import MIX, Waveforms
from benchmark.modules import Encoder, Strategy
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.checkpoint import Checkpoints, Place
from benchmark.pretraining.crops import CropStream, to_batch
from benchmark.pretraining.distributed import gather, shard, world_size
from benchmark.pretraining.lars import LARS
from benchmark.pretraining.memory import crowded, forget_peak, free, peak_mb
from benchmark.pretraining.micro_batch import MicroBatches
from benchmark.pretraining.monitor import monitors, trend
from benchmark.pretraining.ranks import is_first
from benchmark.pretraining.readout import settle_statistics
from benchmark.pretraining.tell import Snapshots, Tell

#: seconds between tries on a device whose memory others hold, a quarter of an hour in all
PATIENCE = (10.0, 30.0, 60.0, 200.0, 600.0)


class TrainingDiverged(RuntimeError):
    """The loss is not finite."""


class Pretraining(L.LightningModule):
    """A strategy under its optimizer and schedule.

    Args:
        steps: of the whole training, of which `start` are behind it.
        parts: micro-batches in which each batch is embedded.
    """

    def __init__(
        self, strategy: Strategy, config: PretrainConfig, seed: int, steps: int, start: int = 0, parts: int = 1
    ) -> None:
        super().__init__()
        self.strategy, self.config, self.seed = strategy, config, seed
        self.steps, self.start, self.parts = steps, start, parts
        self.rate = config.learning_rate or strategy.learning_rate
        self.curve: list[Tensor] = []

    def training_step(self, batch: tuple[int, dict[str, Tensor]], _: int) -> Tensor:
        """Crops to views to loss; views are float32, the network runs in the trainer's precision."""
        t, heard = batch
        device = heard["crops"].device
        with torch.autocast(device.type, enabled=False):
            generator = torch.Generator(device).manual_seed(self.seed * 1_000_003 + t)
            views = self.strategy.views(to_batch(heard), generator)
        loss = self.strategy.loss(gather(self._embed(shard(views))))["loss"]
        self.curve.append(loss.detach())  # read after training: reading it here would wait for the device
        if t % 50 == 49 and not torch.isfinite(loss):
            raise TrainingDiverged(f"the loss is {loss.item()} at step {t} of {self.steps}")
        return loss

    def _embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.parts == 1:
            return self.strategy.embed(views)
        self.micro_batches = MicroBatches(self.strategy.embed, views, self.parts)
        return self.micro_batches.embeddings

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The gradient of the loss; with micro-batches it stops at their embeddings, and goes on part by part."""
        super().backward(loss, *args, **kwargs)
        if self.parts > 1:
            with self.trainer.precision_plugin.forward_context():
                self.micro_batches.backward(self.strategy.embed)
            del self.micro_batches  # the views, which the next step would find in its way

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clip here: Lightning refuses to where AdamW is fused, whatever the precision."""
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.config.gradient_clip)

    def on_train_batch_end(self, *_: Any) -> None:
        """EMA teachers move after the optimizer."""
        self.strategy.after_step(self.start + self.global_step, self.steps)

    def configure_optimizers(self) -> Any:
        """AdamW or LARS; weight decay spares norms and biases."""
        parameters = [p for p in self.strategy.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.config.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        lars = self.config.optimizer == "lars"
        optimizer: torch.optim.Optimizer = (
            LARS(groups, lr=self.rate) if lars else torch.optim.AdamW(groups, lr=self.rate, fused=True)
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._rate(self.start + step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def finite_curve(self) -> Tensor:
        """The loss at each step so far.

        Raises:
            TrainingDiverged: it is not finite.
        """
        curve = torch.stack(self.curve).float().cpu() if self.curve else torch.zeros(0)
        bad = (~torch.isfinite(curve)).nonzero()
        if len(bad):
            raise TrainingDiverged(f"the loss is {float(curve[bad[0, 0]])} at step {int(bad[0, 0])} of {self.steps}")
        return curve

    def _rate(self, step: int) -> float:
        """The learning rate's factor at a step."""
        return self.config.rate(step, self.steps, self.strategy.step_crops)


def pretrain(
    strategy: Strategy,
    waves: Waveforms,
    config: PretrainConfig,
    seed: int,
    device: str,
    place: Place | None = None,
    shares: Sequence[float] = (),
) -> dict[str, Any]:
    """Train `strategy` (and so its encoder) in place; on from the last checkpoint, if there is one.

    If a GPU's memory does not suffice, training goes on with the batch embedded in two halves (`MicroBatches`).

    Args:
        strategy: initialized.
        waves: the corpus.
        config: the budget.
        seed: of crops and views.
        device: `cpu` or `cuda:N`.
        place: for checkpoints; without one there are none.
        shares: of the training after which the encoder is kept besides, in the place's folder as `weights_file` says;
            but for those that a checkpoint is behind already from which training goes on.

    Returns:
        What the record keeps: crops heard, steps of how many tracks, epochs, learning rate, seconds (`price_clock`),
        how often it was resumed, how many rows were embedded at once on each device, loss curve (at most 100 points),
        whether it was still moving, and collapse monitors.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
        torch.OutOfMemoryError: half a batch does not fit either, or ranks share the batch.
    """
    training = _Training.of(strategy, waves, config, seed, device, place)
    stream, checkpoints = training.stream, training.checkpoints
    peak_is_ours = forget_peak(device)
    kept = [Snapshots(place.folder, shares, stream.steps)] if place else []
    module = training.run([*training.tell(stream.steps), *kept], stream.steps)
    settle = partial(settle_statistics, stream=stream, device=device)
    settle(strategy.encoder)
    for snapshots in kept:
        snapshots.settle(strategy.encoder, settle)
    seconds = checkpoints.seconds()
    curve = module.finite_curve()
    points = torch.linspace(0, len(curve) - 1, min(100, len(curve))).long()
    return {
        "crops": round(stream.steps * stream.heard),
        "steps": stream.steps,
        "batch": stream.batch,
        "epochs": round(stream.steps * stream.batch / len(stream.rows), 2),
        "tracks": len(stream.rows),
        "too_short": stream.too_short,
        "learning_rate": module.rate,
        "seconds": round(seconds, 1),
        "resumed": checkpoints.begin.resumed,
        "micro_batch": -(-stream.batch // (world_size() * module.parts)),
        "parameters": sum(p.numel() for p in strategy.parameters() if p.requires_grad),
        "peak_mb": peak_mb(device) if peak_is_ours else None,
        "loss": float(curve[-min(20, len(curve)) :].mean()),
        "trend": trend(curve),
        "curve": [round(float(v), 4) for v in curve[points]],
        **monitors(held_out_embeddings(strategy.encoder, stream.waves, device)),
    }


def grow(
    strategy: Strategy, waves: Waveforms, config: PretrainConfig, seed: int, device: str, place: Place, out: Path
) -> dict[str, Any]:
    """Train as `pretrain` does with the schedule `wsd`, up to where its rate begins to fall, and keep that in `out`.

    From there on `pretrain` goes on with the same budget, and `grow` with a longer one.

    Raises:
        As `pretrain` does.
    """
    training = _Training.of(strategy, waves, config, seed, device, place)
    end = config.branch(training.stream.steps)
    module = training.run(training.tell(end), end)
    module.finite_curve()
    if is_first():
        training.checkpoints.keep(module, end, out)
    return {"steps": end, "seconds": round(training.checkpoints.seconds(), 1)}


def train_to(
    strategy: Strategy,
    waves: Waveforms,
    config: PretrainConfig,
    seed: int,
    device: str,
    place: Place,
    shares: Sequence[float],
) -> dict[str, Any]:
    """Train as `pretrain` does, up to the last of some shares of the whole, and keep what it would have kept there.

    Raises:
        As `pretrain` does.
    """
    training = _Training.of(strategy, waves, config, seed, device, place)
    stream = training.stream
    kept = Snapshots(place.folder, shares, stream.steps)
    training.run([*training.tell(kept.end), kept], kept.end).finite_curve()
    kept.settle(strategy.encoder, partial(settle_statistics, stream=stream, device=device))
    seconds = round(training.checkpoints.seconds(), 1)
    return {"crops": round(stream.steps * stream.heard), "steps": kept.end, "seconds": seconds}


@dataclass(frozen=True)
class _Training:
    """A training that can be begun again from its last checkpoint."""

    strategy: Strategy
    stream: CropStream
    config: PretrainConfig
    device: str
    checkpoints: Checkpoints
    place: Place | None

    @classmethod
    def of(
        cls,
        strategy: Strategy,
        waves: Waveforms,
        config: PretrainConfig,
        seed: int,
        device: str,
        place: Place | None,
    ) -> _Training:
        """Say what is heard, and what tells this training from others."""
        spec = strategy.crops(strategy.config)
        stream = CropStream(resident(waves, device, [MIX, *spec.sources]), spec, config, seed)
        strategy.step_crops = stream.heard
        if config.compile:  # the network alone: views draw from generators, and the loss is small
            strategy.embed = torch.compile(strategy.embed)  # type: ignore[method-assign]
        beginning = {"config": config.model_dump(mode="json", exclude={"crops"}), "seed": seed}
        length = {"crops": config.crops, "steps": stream.steps}
        checkpoints = Checkpoints(strategy, beginning, length, place, price_clock(device))
        return cls(strategy, stream, config, device, checkpoints, place)

    def tell(self, end: int) -> list[L.Callback]:
        """What tells of a training of so many steps meanwhile, if it has a place."""
        told = partial(held_out_embeddings, self.strategy.encoder, self.stream.waves, self.device, 64)
        return [Tell(self.place.folder, end, told)] if self.place else []

    def run(self, callbacks: list[L.Callback], end: int) -> Pretraining:
        """Train; where the memory does not suffice, once more, from the last checkpoint on, in halves.

        Where other jobs share the device, as a whole first: halves have other BatchNorm statistics, and neighbors end.
        """
        for pause in [*PATIENCE, None]:
            try:
                return self._go_on(callbacks, end, parts=1)
            except torch.OutOfMemoryError as error:
                if self.checkpoints.begin.parts > 1:
                    raise
                if world_size() > 1:  # the other ranks are waiting for this one's rows
                    advice = "devices that share a batch do not halve it further: take more, or a smaller batch_size"
                    error.add_note(advice)
                    raise
            # out of the handler, since the error's traceback holds on to all that is to be freed
            self.strategy.zero_grad()
            free(self.device)
            forget_peak(self.device)
            if pause is None or not crowded(self.device):
                break
            logging.getLogger(__name__).warning("out of memory on %s, which others use: waiting", self.device)
            time.sleep(pause)
        logging.getLogger(__name__).warning("out of memory on %s: going on with half the micro-batch", self.device)
        return self._go_on(callbacks, end, parts=2)

    def _go_on(self, callbacks: list[L.Callback], end: int, parts: int) -> Pretraining:
        begin = self.checkpoints.go_on(parts)
        self.stream.start = begin.step
        module = Pretraining(self.strategy, self.config, self.stream.seed, self.stream.steps, begin.step, begin.parts)
        fit(module, self.stream, self.device, [self.checkpoints, *callbacks], end)
        return module


def price_clock(device: str) -> Callable[[], float]:
    """What a training's seconds are read from.

    On one core, the time that it had it: a machine with other work to do would make a training three times as dear as
    it is, and rows that are not computed side by side could not be compared. Else the time on the wall.
    """
    return time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter


def fit(
    module: Pretraining,
    stream: CropStream,
    device: str,
    callbacks: list[L.Callback] | None = None,
    end: int | None = None,
) -> None:
    """Run Lightning's loop, silently: the driver shows progress. Among `ranks`, all of them run it together.

    Args:
        end: the step to end before; by default all are done.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as empty, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning advises more loader workers; slicing needs none
        trainer = _trainer(module, stream, device, callbacks, end, Path(empty))
        trainer.fit(module, DataLoader(stream, batch_size=None))


def _trainer(
    module: Pretraining,
    stream: CropStream,
    device: str,
    callbacks: list[L.Callback] | None,
    end: int | None,
    empty: Path,
) -> L.Trainer:
    """Lightning's trainer, for its loop alone: whatever batch system we are in, it is to take no notice of it.

    Args:
        empty: it would go on from a checkpoint that another training under Slurm has left in its folder.
    """
    world, on_gpu = world_size(), device.startswith("cuda")
    return L.Trainer(
        plugins=[LightningEnvironment()],
        default_root_dir=empty,
        accelerator="gpu" if on_gpu else "cpu",
        devices=world,
        strategy="ddp" if world > 1 else "auto",
        sync_batchnorm=world > 1 and on_gpu,  # torch has none for the CPU: there each rank normalizes its part
        use_distributed_sampler=False,
        max_epochs=1,
        max_steps=(stream.steps if end is None else end) - stream.start,
        precision=module.config.network,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


@torch.no_grad()
def held_out_embeddings(encoder: Encoder, waves: Waveforms, device: str, limit: int = 256) -> Tensor:
    """Clip embeddings of the first validation tracks, each at its own length, (N, D)."""
    encoder.to(device).eval()
    rows = np.flatnonzero(waves.tracks["split"].to_numpy() == "val")[:limit]
    lengths = waves.tracks["length"].to_numpy()[rows]
    embedded = torch.zeros(len(rows), encoder.embedding_dim)
    for length in dict.fromkeys(lengths.tolist()):
        alike = np.flatnonzero(lengths == length)
        for part in np.array_split(alike, max(1, len(alike) // 32)):
            starts = np.zeros(len(part), np.int64)
            audio = crops_on(device, waves, rows[part], starts, max(length, encoder.shortest))
            embedded[part] = encoder(audio.float() / 32768).float().mean(dim=1).cpu()
    return embedded
