"""One step before hours of them: a strategy on its encoder, a task with its probe, on made-up input."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmark.interfaces import Task
from benchmark.modules import Batch, Encoder, Strategy
from benchmark.probing.evaluate import Trial, evaluate
from benchmark.probing.features import Features
from benchmark.probing.items import check_items, check_scale
from benchmark.testing import random_batch

#: tracks of the step: whether a whole batch fits into a GPU is the training's affair, which can halve it
FEW = 8
_FRAMES, _FRAME_RATE = 16, 25.0
#: by how much two passes may differ, as a share
_ROUNDING = 1e-3
#: characters of an error
_LONGEST = 300


def try_strategy(strategy: Strategy, precision: str, device: str) -> None:
    """Take one training step without its update.

    Raises:
        ModuleNotFoundError: Lightning, which is to train it, is not installed.
        ValueError: the encoder cannot take the views (too short for its strides, say), the loss is not finite, or no
            gradient reaches the encoder, or it draws anew in evaluation.
    """
    if find_spec("lightning") is None:  # found out without its import, which takes seconds
        raise ModuleNotFoundError("pre-training needs lightning", name="lightning")
    strategy.to(device).train()
    spec = strategy.crops(strategy.config)
    batch = _to(random_batch(spec, strategy.encoder.sample_rate, FEW), device)
    views = strategy.views(batch, torch.Generator(device).manual_seed(0))
    if not isinstance(views, dict):
        raise ValueError(f"views() of {strategy.info.name} gives no dict of tensors, but a {type(views).__name__}")
    try:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            compared = strategy.loss(strategy.embed(views))
    except RuntimeError as error:
        if not _lines(error, strategy.encoder):
            where = "; ".join(_lines(error, strategy)[-1:])
            raise ValueError(f"a step of {strategy.info.name} fails{where and f' in {where}'}: {error}") from error
        name, shapes = strategy.encoder.info.name, {view: tuple(value.shape) for view, value in views.items()}
        raise ValueError(
            f"{name} cannot take the views of {strategy.info.name}, {shapes}, from crops of {spec.seconds} s: {error}"
        ) from error
    if not isinstance(compared, dict) or "loss" not in compared:
        raise ValueError(f"loss() of {strategy.info.name} gives no dict with 'loss' in it, but {compared!r}"[:_LONGEST])
    loss = compared["loss"]
    if not isinstance(loss, torch.Tensor) or loss.ndim:
        raise ValueError(f"the loss of {strategy.info.name} is no scalar tensor, but {loss!r}"[:_LONGEST])
    loss.backward()  # type: ignore[no-untyped-call]
    if not torch.isfinite(loss):
        raise ValueError(f"the loss of the first step is {loss.item()}")
    gradients = {name: p.grad for name, p in strategy.encoder.named_parameters() if p.grad is not None}
    if not any(bool(gradient.any()) for gradient in gradients.values()):
        raise ValueError("no gradient reaches the encoder")
    for name, gradient in gradients.items():
        if not gradient.isfinite().all():
            raise ValueError(f"the gradient of the encoder's {name} is not finite in the first step")
    _check_evaluation(strategy.encoder, batch.crops[:, 0])


@torch.no_grad()
def _check_evaluation(encoder: Encoder, waveform: torch.Tensor) -> None:
    """Two passes in evaluation mode are the same, but for a GPU's rounding."""
    encoder.eval()
    first, again = encoder(waveform), encoder(waveform)
    if not first.isfinite().all():
        raise ValueError(f"{encoder.info.name} gives embeddings that are not finite, in evaluation mode")
    if not (first - again).norm() <= _ROUNDING * first.norm():
        raise ValueError(
            f"{encoder.info.name} embeds the same sound otherwise each time, in evaluation mode too: dropout, or "
            "whatever else it draws, has to follow self.training"
        )


def _lines(error: BaseException, module: torch.nn.Module) -> list[str]:
    """The lines that were reached in a module's own methods, outermost first."""
    found, at = [], error.__traceback__
    while at is not None:
        if at.tb_frame.f_locals.get("self") is module and "torch" not in Path(at.tb_frame.f_code.co_filename).parts:
            found.append(f"{Path(at.tb_frame.f_code.co_filename).name}, line {at.tb_lineno}")
        at = at.tb_next
    return found


def _to(batch: Batch, device: str) -> Batch:
    return Batch(batch.crops.to(device), batch.active.to(device), batch.labels.to(device))


def try_task(task: Task, tracks: pd.DataFrame, fraction: float) -> None:
    """Probe noise at one fraction: targets, draws, decoding and metrics all run.

    Raises:
        UserError: there are too few labels in a split, or its metric does not know the truth from noise.
        Exception: whatever the task raises.
    """
    check_items(task, tracks)
    check_scale(task, tracks)
    rng = np.random.default_rng(0)
    shape = (len(tracks), _FRAMES, 4) if task.frame_level else (len(tracks), 4)
    features = Features.of(rng.normal(size=shape).astype(np.float32))
    evaluate(Trial.of(task, tracks, {fraction: 1}, False), features, _FRAME_RATE, ["linear"], 0, "cpu")
