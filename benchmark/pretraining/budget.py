"""The budget that every strategy shares. Imports no torch: grids are checked with it before anything heavy loads."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from benchmark.interfaces import Config

#: what a training tells of itself meanwhile, beside its checkpoint
PROGRESS = "progress.json"


class PretrainConfig(Config):
    """Equal budget = equal crops heard, whatever a strategy does with them.

    Attributes:
        crops: crops of 3 s heard in all; a crop of 6 s counts as two.
        batch_size: tracks per step.
        optimizer: `adamw`, or `lars` for large batches (SimCLR's, Barlow Twins').
        learning_rate: overrides each strategy's own.
        warmup: share of the steps with rising learning rate.
        weight_decay: norms and biases are spared.
        precision: Lightning's; losses are float32 in either.
        devices: GPUs (CPU processes, without any) that share each batch; BatchNorm makes it part of the result.
        compile: whether torch.compile translates the network first: minutes at the start, for faster steps on a GPU.
    """

    crops: int = Field(gt=0)
    batch_size: int = Field(default=64, gt=1)
    optimizer: Literal["adamw", "lars"] = "adamw"
    learning_rate: float | None = Field(default=None, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    devices: int = Field(default=1, ge=1)
    compile: bool = False

    @model_validator(mode="after")
    def _batches_can_be_shared(self) -> Self:
        if self.batch_size % self.devices:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be shared by {self.devices} devices: take a multiple"
            )
        return self
