"""Pre-training: crops to views to loss under Lightning's loop, and what is recorded of it."""

from __future__ import annotations

import logging
import math
import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmark.audio.waveforms import Waveforms
from benchmark.experiment.budget import PretrainConfig
from benchmark.experiment.crops import CROP_SECONDS, CropStream, to_batch
from benchmark.experiment.distributed import gather, shard, world_size
from benchmark.experiment.lars import LARS
from benchmark.experiment.monitor import monitors
from benchmark.modules import Encoder, Strategy

PROCESS = Path("/proc/self")


class TrainingDiverged(RuntimeError):
    """The loss is not finite."""


class Pretraining(L.LightningModule):
    """A strategy under its optimizer with warm-up and cosine decay."""

    def __init__(self, strategy: Strategy, config: PretrainConfig, seed: int, steps: int) -> None:
        super().__init__()
        self.strategy, self.config, self.seed, self.steps = strategy, config, seed, steps
        self.curve: list[Tensor] = []

    def training_step(self, batch: tuple[int, dict[str, Tensor]], _: int) -> Tensor:
        """Crops to views to loss; views are float32, the network runs in the trainer's precision."""
        t, heard = batch
        device = heard["crops"].device
        with torch.autocast(device.type, enabled=False):
            generator = torch.Generator(device).manual_seed(self.seed * 1_000_003 + t)
            views = self.strategy.views(to_batch(heard), generator)
        loss = self.strategy.loss(gather(self.strategy.embed(shard(views))))["loss"]
        self.curve.append(loss.detach())  # read after training: reading it here would wait for the device
        if t % 50 == 49 and not torch.isfinite(loss):
            raise TrainingDiverged(f"the loss is {loss.item()} at step {t} of {self.steps}")
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """EMA teachers move after the optimizer."""
        self.strategy.after_step(self.global_step, self.steps)

    def configure_optimizers(self) -> Any:
        """AdamW or LARS; weight decay spares norms and biases."""
        parameters = [p for p in self.strategy.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.config.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        rate = self.config.learning_rate or self.strategy.learning_rate
        optimizer: torch.optim.Optimizer = (
            LARS(groups, lr=rate) if self.config.optimizer == "lars" else torch.optim.AdamW(groups, lr=rate)
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        warmup = max(1, round(self.config.warmup * self.steps))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, self.steps - warmup)))


def pretrain(strategy: Strategy, waves: Waveforms, config: PretrainConfig, seed: int, device: str) -> dict[str, Any]:
    """Train `strategy` (and so its encoder) in place.

    Returns:
        What the record keeps: crops heard, steps, seconds, loss curve (at most 100 points) and collapse monitors.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
    """
    stream = CropStream(waves, strategy.crops(strategy.config), config, seed)
    if config.compile:  # the network alone: views draw from generators, and the loss is small
        strategy.embed = torch.compile(strategy.embed)  # type: ignore[method-assign]
    module = Pretraining(strategy, config, seed, stream.steps)
    peak_is_ours = _forget_peak(device)
    started = time.perf_counter()
    fit(module, stream, device)
    settle_statistics(strategy.encoder, stream, device)
    seconds = time.perf_counter() - started
    curve = torch.stack(module.curve).float().cpu()
    bad = (~torch.isfinite(curve)).nonzero()
    if len(bad):
        raise TrainingDiverged(f"the loss is {float(curve[bad[0, 0]])} at step {int(bad[0, 0])} of {stream.steps}")
    points = torch.linspace(0, len(curve) - 1, min(100, len(curve))).long()
    return {
        "crops": round(stream.steps * stream.batch * stream.count * stream.spec.seconds / CROP_SECONDS),
        "steps": stream.steps,
        "seconds": round(seconds, 1),
        "parameters": sum(p.numel() for p in strategy.parameters() if p.requires_grad),
        "peak_mb": _peak_mb(device) if peak_is_ours else None,
        "loss": float(curve[-min(20, len(curve)) :].mean()),
        "curve": [round(float(v), 4) for v in curve[points]],
        **monitors(held_out_embeddings(strategy.encoder, waves, device)),
    }


def _forget_peak(device: str) -> bool:
    """Start `_peak_mb` anew, since a worker runs many jobs; whether the system lets us (most Linux machines do)."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        (PROCESS / "clear_refs").write_text("5")  # the high-water mark becomes what the process holds now
    except OSError:
        return False
    return True


def _peak_mb(device: str) -> int:
    """Most memory that this process has held since: on the GPU, or resident."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated() >> 20)
    status = (PROCESS / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def fit(module: Pretraining, stream: CropStream, device: str, callbacks: list[L.Callback] | None = None) -> None:
    """Run Lightning's loop, silently: the driver shows progress. Among `ranks`, all of them run it together."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    world, on_gpu = world_size(), device.startswith("cuda")
    trainer = L.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=world,
        strategy="ddp" if world > 1 else "auto",
        sync_batchnorm=world > 1 and on_gpu,  # torch has none for the CPU: there each rank normalizes its part
        use_distributed_sampler=False,
        max_epochs=1,
        max_steps=stream.steps,
        precision=module.config.precision,
        gradient_clip_val=1.0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning advises more loader workers; slicing needs none
        trainer.fit(module, DataLoader(stream, batch_size=None))


@torch.no_grad()
def settle_statistics(encoder: Encoder, stream: CropStream, device: str, batches: int = 20) -> None:
    """Estimate BatchNorm's running statistics anew, on crops as they are.

    They are what an encoder is read out with. After training they describe augmented, masked or separated views, some
    strategies' far more than others' (masked ones: variances five times off), which would be compared as well.
    """
    norms = [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
    encoder.to(device).train()
    for t in range(batches if norms else 0):
        encoder(to_batch(stream.step(t)).crops[:, 0].to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def held_out_embeddings(encoder: Encoder, waves: Waveforms, device: str, limit: int = 256) -> Tensor:
    """Clip embeddings of the first validation tracks, (N, D)."""
    encoder.to(device).eval()
    rows = np.flatnonzero(waves.tracks["split"].to_numpy() == "val")[:limit]
    length = int(waves.tracks["length"].to_numpy()[rows].min())
    chunks = []
    for part in np.array_split(rows, max(1, len(rows) // 32)):
        audio = torch.from_numpy(waves.crops(part, np.zeros(len(part), np.int64), length)).to(device)
        chunks.append(encoder(audio.float() / 32768).float().mean(dim=1).cpu())
    return torch.cat(chunks)
