"""What a training tells of itself and keeps while it goes on; nothing of it comes back into the training."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.files import replacing
from benchmark.modules import Encoder
from benchmark.pretraining.budget import PROGRESS
from benchmark.pretraining.monitor import monitors
from benchmark.pretraining.ranks import is_first
from benchmark.pretraining.readout import save_encoder, weights_file

#: seconds between two reports, and between two looks at held-out tracks, which cost a second each
_EVERY, _LOOK = 2.0, 60.0


class Tell(L.Callback):
    """Keeps `progress.json` in a folder up to date: step, steps, loss, and every minute the collapse monitors.

    Args:
        folder: where to.
        steps: in all.
        held_out: embeddings of a few tracks that are not heard.
    """

    def __init__(self, folder: Path, steps: int, held_out: Callable[[], Tensor]) -> None:
        self._path, self._steps, self._held_out = folder / PROGRESS, steps, held_out
        self._told = self._looked = time.monotonic()
        self._monitors: dict[str, float] = {}

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        """Write the file anew, now and then."""
        now = time.monotonic()
        if now - self._told < _EVERY or not is_first():
            return
        loss = float(module.curve[-1])
        if now - self._looked >= _LOOK and math.isfinite(loss):
            self._monitors = _look(module.strategy, self._held_out)
            self._looked = now
        self._told = now
        told = {"step": module.start + trainer.global_step, "steps": self._steps, "loss": loss}
        with contextlib.suppress(OSError), replacing(self._path) as draft:  # a full disk is not the training's matter
            draft.write_text(json.dumps({**told, **self._monitors}))


def _look(strategy: nn.Module, held_out: Callable[[], Tensor]) -> dict[str, float]:
    """Monitors of the encoder as it is; every module is in the mode in which it was, after."""
    modes = {module: module.training for module in strategy.modules()}
    try:
        found = monitors(held_out())
    finally:
        for module, mode in modes.items():
            module.training = mode
    return {name: found[name] for name in ("effective_rank", "mean_cosine")}


class Snapshots(L.Callback):
    """Keeps the encoder's weights at some shares of the training, in a folder that outlives a kill.

    They are of the one training, whose learning rate has not come down yet: a training of that budget alone may end
    better. It leaves them if they are asked for by then; else it is begun again, to the same weights, and ends there
    (`train_to`).

    Args:
        folder: where to.
        shares: between 0 and 1.
        steps: of the whole training.
    """

    def __init__(self, folder: Path, shares: Sequence[float], steps: int) -> None:
        self.paths = [folder / weights_file(share) for share in shares]
        self._steps = [max(1, round(share * steps)) for share in shares]
        #: the step after which all are there
        self.end = max(self._steps, default=0)

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        """Keep the encoder if one of the shares is reached."""
        done = module.start + trainer.global_step
        for step, path in zip(self._steps, self.paths, strict=True):
            if step == done and is_first():
                save_encoder(module.strategy.encoder, path)

    def settle(self, encoder: Encoder, settle: Callable[[Encoder], None]) -> None:
        """Estimate the statistics of what was kept, as those of the final encoder are.

        A training that goes on from a checkpoint behind a share which it was not asked for before has not kept it.

        Args:
            encoder: one of the same architecture, which stays as it is.
            settle: what to do to each.
        """
        if dist.is_initialized():
            dist.barrier()  # the last one may be of this very step
        for path in self.paths:
            kept = copy.deepcopy(encoder)
            try:
                kept.load_state_dict(load_file(path))
            except FileNotFoundError:
                continue
            except SafetensorError:  # a power cut leaves some empty
                if is_first():
                    path.unlink(missing_ok=True)
                continue
            torch.manual_seed(0)  # for dropout: whatever the training drew, and however long it was
            settle(kept)
            if is_first():
                save_encoder(kept, path)
