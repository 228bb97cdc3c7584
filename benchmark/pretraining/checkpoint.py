"""A training that was cut off goes on where it stood, to the same weights as one that was not.

Batch t follows from (seed, t) and the learning rate from t. What has to be kept is the strategy's state (teachers,
centers and statistics in it), the optimizer's, torch's own generators (only dropout and the like draw from them), and
what the record tells: the loss curve and the seconds.

All of it is one safetensors file with JSON in its header, never a pickle. A new one takes the place of the last by a
rename, so that a kill leaves either; one that is damaged, or of another training, is passed over.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmark.files import patiently, read_through
from benchmark.pretraining.micro_batch import random_state, set_random_state
from benchmark.pretraining.ranks import is_first

FILE = "checkpoint.safetensors"
#: seconds of training between two checkpoints, and so what a kill costs at most; it never changes the result
SAVE_EVERY = 60.0

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Place:
    """Where a training keeps its checkpoints, and what it may begin with.

    Attributes:
        folder: of this very training (same strategy, options and corpus).
        every: seconds between two checkpoints.
        trunk: a folder with a checkpoint of a shorter training, which this one begins as.
    """

    folder: Path
    every: float = SAVE_EVERY
    trunk: Path | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A training between two steps.

    Attributes:
        step: the one to go on with.
        seconds: of training so far.
        resumed: how often it has gone on from a file so far.
        parts: micro-batches in which each batch is embedded.
        tensors: on the CPU: `strategy.*`, `optimizer.<parameter>.*`, `random.*` and the loss `curve`.
    """

    step: int = 0
    seconds: float = 0.0
    resumed: int = 0
    parts: int = 1
    tensors: Tensors = field(default_factory=dict)


class Checkpoints(L.Callback):
    """Has a training go on from its last checkpoint, and saves the next ones.

    It acts before a step begins: then all that earlier steps change is in place (an EMA teacher moves last).

    Attributes:
        begin: where training goes on from; its tensors are let go once they are in place.
    """

    def __init__(
        self,
        strategy: nn.Module,
        training: dict[str, Any],
        length: dict[str, Any],
        place: Place | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Remember how training begins.

        Args:
            strategy: initialized.
            training: what tells this training from others that begin otherwise, as JSON.
            length: and from others that end elsewhere.
            place: of this training alone; without one, nothing is kept.
            clock: the seconds that a training costs.
        """
        shapes = {name: [str(x.dtype), list(x.shape)] for name, x in strategy.state_dict().items()}
        training = {**training, "shapes": shapes, "torch": torch.__version__}
        self._beginning = json.dumps(training, sort_keys=True)
        self._identity = json.dumps({**training, **length}, sort_keys=True)
        self._folder = place.folder if place else None
        self._every = place.every if place else math.inf
        self._trunk = place.trunk if place else None
        state = _under("strategy", strategy.state_dict()) | _under("random", random_state(torch.device("cpu")))
        self._clock = clock
        self._untrained = self.begin = Checkpoint(tensors=_copied(state))

    def go_on(self, parts: int) -> Checkpoint:
        """Where to begin: the last checkpoint or, without one, the start; with at least `parts` micro-batches."""
        last = load(self._folder, self._identity) if self._folder else None
        trunk = load(self._trunk, self._beginning) if self._trunk and not last else None
        self.begin = replace(last, resumed=last.resumed + 1) if last else trunk or self._untrained
        self.begin = replace(self.begin, parts=max(parts, self.begin.parts))
        self._started, self._saved = self._clock(), time.perf_counter()
        return self.begin

    def keep(self, module: Any, step: int, out: Path) -> None:
        """Save where this training stands in `out`, for longer ones to begin with."""
        tensors = self.begin.tensors or _state(module, module.trainer.optimizers[0])  # unless no step was left to do
        save(replace(self.begin, step=step, seconds=self.seconds(), tensors=tensors), out, self._beginning)

    def seconds(self) -> float:
        """Of training until now, before an interruption and since."""
        return self.begin.seconds + self._clock() - self._started

    def on_train_batch_start(self, trainer: L.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        """Put the beginning in place, then save now and then."""
        if self.begin.tensors:
            _restore(self.begin.tensors, module, trainer.optimizers[0])
            self.begin = replace(self.begin, tensors={})
        elif self._folder and is_first() and time.perf_counter() - self._saved >= self._every:
            tensors = _state(module, trainer.optimizers[0])
            now = replace(self.begin, step=batch[0], seconds=self.seconds(), tensors=tensors)
            save(now, self._folder, self._identity)
            self._saved = time.perf_counter()


def save(checkpoint: Checkpoint, folder: Path, identity: str) -> None:
    """Put a checkpoint in the place of the last one."""
    facts = {name: value for name, value in vars(checkpoint).items() if name != "tensors"}
    header = {"identity": identity, "facts": json.dumps(facts)}
    draft = folder / f"{FILE}.tmp"  # one name: what a kill leaves of it, the next one overwrites
    save_file(checkpoint.tensors, draft, {**header, "sha256": _digest(header, checkpoint.tensors)})
    draft.replace(folder / FILE)


def load(folder: Path, identity: str) -> Checkpoint | None:
    """The checkpoint in a folder; None if there is none, or none to go on from, which a line in the log explains.

    Raises:
        OSError: there is one, which cannot be read at the moment.
    """
    path = folder / FILE
    if not path.exists():
        return None
    patiently(read_through, path)  # a disk that fails is no reason to train anew
    try:
        with safe_open(path, "pt") as file:
            header, tensors = dict(file.metadata() or {}), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.pop("sha256", "") != _digest(header, tensors):
            raise ValueError("it has changed since it was written (checksum)")
        if header["identity"] != identity:
            raise ValueError("it is of another training: other shapes, budget, seed or torch")
        return Checkpoint(**json.loads(header["facts"]), tensors=tensors)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        logging.getLogger(__name__).warning("%s cannot be used, training starts anew: %s", path, error)
        return None


def _state(module: Any, optimizer: torch.optim.Optimizer) -> Tensors:
    states = optimizer.state_dict()["state"]
    flat = {f"optimizer.{i}.{name}": x for i, state in states.items() for name, x in state.items()}
    random = _under("random", random_state(module.device))
    return _copied(_under("strategy", module.strategy.state_dict()) | flat | random) | {
        "curve": torch.stack(module.curve).cpu()
    }


def _restore(tensors: Tensors, module: Any, optimizer: torch.optim.Optimizer) -> None:
    module.strategy.load_state_dict(_only("strategy", tensors))
    module.curve[:] = tensors["curve"].to(module.device).unbind() if "curve" in tensors else []
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states: dict[int, Tensors] = {}
    for key, x in _only("optimizer", tensors).items():
        number, name = key.split(".", 1)
        p = parameters[int(number)]
        # laid out as the parameter is (channels last, say), or the optimizer's kernels for many tensors refuse them
        like_p = torch.empty_like(p, device="cpu", dtype=x.dtype).copy_(x) if x.shape == p.shape else x
        states.setdefault(int(number), {})[name] = like_p
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    set_random_state(_only("random", tensors), module.device)


def _copied(tensors: Tensors) -> Tensors:
    """In memory of their own: the encoder is also part of a strategy's student, and training goes on."""
    return {k: x.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) for k, x in tensors.items()}


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {f"{prefix}.{name}": x for name, x in tensors.items()}


def _only(prefix: str, tensors: Tensors) -> Tensors:
    return {key.partition(".")[2]: x for key, x in tensors.items() if key.partition(".")[0] == prefix}


def _digest(header: dict[str, str], tensors: Tensors) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, x in sorted(tensors.items()):
        digest.update(f"{name} {x.dtype} {tuple(x.shape)}".encode())
        digest.update(x.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
