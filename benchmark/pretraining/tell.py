"""What a training tells of itself while it goes on; nothing of it comes back into the training."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor, nn

from benchmark.files import replacing
from benchmark.pretraining.budget import PROGRESS
from benchmark.pretraining.monitor import monitors
from benchmark.pretraining.ranks import is_first

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
