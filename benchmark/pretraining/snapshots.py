"""Encoders on the way: how good is one that has heard a quarter of the crops?

They are of the one training, whose learning rate has not come down yet: a training of that budget alone may end better.
It leaves them if they are asked for by then; else it is begun again, to the same weights, and ends there (`train_to`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from benchmark.files import replacing
from benchmark.modules import Encoder
from benchmark.pretraining.ranks import is_first


def weights_file(share: float = 1.0) -> str:
    """The file of an encoder's weights after a share of its pre-training."""
    return "encoder.safetensors" if share == 1 else f"encoder-{share:g}.safetensors"


def save_encoder(encoder: Encoder, path: Path) -> None:
    """Write an encoder's weights and statistics."""
    with replacing(path) as draft:
        save_file({name: x.detach().cpu().contiguous() for name, x in encoder.state_dict().items()}, draft)


class Snapshots(L.Callback):
    """Keeps the encoder's weights at some shares of the training, in a folder that outlives a kill.

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
