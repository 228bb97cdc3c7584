"""The budget that every strategy shares. Imports no torch: grids are checked with it before anything heavy loads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from benchmark.interfaces import Config

Precision = Literal["32-true", "bf16-mixed"]
#: what a CPU calls its units for bfloat16; without them its convolutions are slower than float32's
BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")
#: what a training tells of itself meanwhile, beside its checkpoint
PROGRESS = "progress.json"
#: a budget so short that its warm-up would be a larger share of it is a trial
LONGEST_WARMUP = 0.4
#: the share of the training over which the rate of `wsd` comes down
COOLDOWN = 0.2
#: what a row of a grid may not have to itself: rows hear equally much, and machines are not part of a method
COMMON = ("crops", "devices")


@cache
def fastest() -> Precision:
    """`bf16-mixed` on GPUs and CPUs that compute in bfloat16, else `32-true`.

    Losses, statistics and weights are float32 in either. With simclr at 250,000 crops the scores were alike (instrument
    .62 and .62, key .76 and .77, tempo .31 and .27, beat .70 and .70), and a step took .655 of the time on a CPU with
    AMX.
    """
    import torch

    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    known = torch.cpu.get_capabilities()
    return "bf16-mixed" if any(known.get(unit) for unit in BFLOAT16_UNITS) else "32-true"


class PretrainConfig(Config):
    """Equal budget = equal crops heard, whatever a strategy does with them.

    Attributes:
        crops: crops of 3 s heard in all; a crop of 6 s counts as two.
        batch_size: tracks per step.
        optimizer: `adamw`, or `lars` for large batches (SimCLR's, Barlow Twins').
        learning_rate: overrides each strategy's own.
        warmup_crops: crops during which the learning rate rises, but at most two fifths of the training (of `wsd`: all
            until its rate falls): a number, not a share, so that a longer budget begins as a shorter one does. It
            decides what is learned (with simclr at 250,000 crops: tempo .31 after 25,000, .59 after 100,000).
        warmup: in its place, a share of the steps, as papers' recipes have it: 0 for none.
        schedule: what the learning rate does after the warm-up: falls to 0 along a cosine (`cosine`), stays
            (`constant`), or stays and falls to 0 along a line over the last fifth of the training (`wsd`: warm-up,
            stable, decay; Hu et al. 2024, MiniCPM), so that but for that fifth a longer training is a shorter one,
            continued.
        weight_decay: norms and biases are spared.
        gradient_clip: the largest norm of the gradient, or null.
        precision: Lightning's, or `auto`: whichever the machine that plans is fastest in. Losses are float32 in either.
        devices: GPUs (CPU processes, without any) that share each batch; BatchNorm makes it part of the result.
        compile: whether torch.compile translates the network first: minutes at the start, for faster steps on a GPU.
    """

    crops: int = Field(gt=0)
    batch_size: int = Field(default=64, gt=1)
    optimizer: Literal["adamw", "lars"] = "adamw"
    learning_rate: float | None = Field(default=None, gt=0)
    warmup_crops: int | None = Field(default=100_000, ge=0)
    warmup: float | None = Field(default=None, ge=0, lt=1)
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"
    weight_decay: float = Field(default=1e-4, ge=0)
    gradient_clip: float | None = Field(default=1.0, gt=0)
    precision: Precision | Literal["auto"] = "auto"
    devices: int = Field(default=1, ge=1)
    compile: bool = False

    def rate(self, step: int, steps: int, step_crops: float) -> float:
        """The learning rate's factor at a step, the first being 0.

        Args:
            steps: of the whole training.
            step_crops: that each of them hears.
        """
        warmup = max(1, round(self._warmup_steps(steps, step_crops)))
        if step < warmup:
            return (step + 1) / warmup
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "wsd":
            return min(1.0, (steps - step) / (steps - self.branch(steps)))
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    def _warmup_steps(self, steps: int, step_crops: float) -> float:
        until_it_falls = self.branch(steps) if self.schedule == "wsd" else steps
        if self.warmup_crops is not None:
            # the last step of a warm-up has the whole rate, whose length must not be another one in a longer training
            longest = until_it_falls + 1 if self.schedule == "wsd" else LONGEST_WARMUP * steps
            return min(self.warmup_crops / step_crops, longest)
        assert self.warmup is not None
        return min(self.warmup * steps, until_it_falls)

    @staticmethod
    def branch(steps: int) -> int:
        """The step from which on the rate of `wsd` falls: until there, all trainings that are longer are this one."""
        return steps - max(1, round(COOLDOWN * steps))

    @property
    def network(self) -> Precision:
        """The precision of the network."""
        return fastest() if self.precision == "auto" else self.precision

    def over(self, defaults: Mapping[str, Any], own: Mapping[str, Any]) -> PretrainConfig:
        """These values where they were given, over a strategy's defaults, and under what a row has to itself."""
        given = self.model_dump(exclude_unset=True)
        found = PretrainConfig.model_validate({**defaults, **given, **own_recipe(own)})
        return found.model_copy(update={"precision": found.network})

    @model_validator(mode="before")
    @classmethod
    def _of_two_warmups_the_given_one(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for one, other in (("warmup", "warmup_crops"), ("warmup_crops", "warmup")):
            if given.get(one) is not None and given.get(other) is None:
                return {**given, other: None}
        return given

    @model_validator(mode="after")
    def _one_warmup(self) -> Self:
        if (self.warmup_crops is None) == (self.warmup is None):
            raise ValueError("give either warmup_crops, in crops, or warmup, a share of the steps")
        return self

    @model_validator(mode="after")
    def _batches_can_be_shared(self) -> Self:
        if self.batch_size % self.devices:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be shared by {self.devices} devices: take a multiple"
            )
        return self


def own_recipe(own: Mapping[str, Any]) -> dict[str, Any]:
    """What a row has to itself, checked.

    Raises:
        ValidationError: an unknown or wrong value.
        ValueError: one that all rows share.
    """
    shared = [name for name in COMMON if name in own]
    if shared:
        raise ValueError(f"{shared[0]}: is the same for all rows; set it under the grid's own pretrain")
    checked = PretrainConfig.model_validate({"crops": 1, **own}).model_dump(exclude_unset=True)
    return {name: value for name, value in checked.items() if name not in COMMON}
