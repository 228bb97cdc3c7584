"""The teacher that follows its student as an exponential moving average (EMA)."""

from __future__ import annotations

import copy
import math
from typing import Annotated, Any, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.interfaces import Config
from benchmark.modules import Encoder
from strategies.heads import pool

Share = Annotated[float, Field(ge=0, le=1)]


class TeacherConfig(Config):
    """How fast a teacher follows: in crops heard, or as a paper has it, in steps and shares of the training.

    In crops it is the same at every batch size, and a training can be continued. A paper's own schedule depends on the
    training's length, so that a tenth of it keeps its shape.

    Attributes:
        half_life: crops of 3 s after which half of what the teacher was is replaced. 8,192 are 64 steps of 64 tracks
            with two crops each, 16 of 256. Until version 2 a decay of 0.98 rose to 1 along the training: at first
            4,390 such crops at batch 64 and 17,570 at 256, of which this is the geometric mean, in whole steps. Of its
            random start a teacher keeps 13 % after 24,000 crops, as it did (15 %), and nothing after 125,000.
        decay: in its place, the share that a step leaves: a number that rises to 1 along a cosine (BYOL, DINO: 0.996),
            or two, from the first to the second along a line (M2D: 0.99995, 0.99999).
    """

    #: (in crops, the papers' way): of each pair one is given
    either: ClassVar[tuple[tuple[str, str], ...]] = (("half_life", "decay"),)

    half_life: float | None = Field(default=8192.0, gt=0)
    decay: Share | tuple[Share, Share] | None = None

    @model_validator(mode="before")
    @classmethod
    def _the_papers_replaces_the_default(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {crops: None for crops, paper in cls.either if given.get(paper) is not None} | given

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for crops, paper in self.either:
            if (getattr(self, crops) is None) == (getattr(self, paper) is None):
                raise ValueError(f"give either {crops}, in crops, or {paper}, as the paper has it")
        return self

    @property
    def of_the_whole(self) -> tuple[str, ...]:
        """Whichever the papers have in shares of the training."""
        return tuple(paper for _, paper in self.either if getattr(self, paper) is not None)

    def teacher_decay(self, step: int, total: int, step_crops: float) -> float:
        """The share of the teacher that this step leaves.

        Args:
            step: the first is 1.
            total: of the training.
            step_crops: that each step hears.
        """
        if self.half_life is not None:
            return half_life_decay(self.half_life, step_crops)
        if isinstance(self.decay, tuple):
            return linear_decay(*self.decay, step, total)
        assert self.decay is not None
        return cosine_decay(self.decay, step, total)


class EncoderWithHead(nn.Module):
    """The encoder's body, pooled, and a head, as one module, so that a teacher is a copy of just these."""

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, bands, frames) to (B, D)."""
        embedding: Tensor = self.head(pool(self.encoder.body(features)))
        return embedding


def teacher_of(student: nn.Module) -> nn.Module:
    """A copy without gradients. It runs in training mode: BatchNorm uses its own batch's statistics (BYOL's rule)."""
    teacher = copy.deepcopy(student)
    for parameter in teacher.parameters():
        parameter.requires_grad_(False)
    return teacher


@torch.no_grad()
def with_own_start(teacher: nn.Module) -> nn.Module:
    """Shuffle each parameter, in place: a start of its own, from whatever distribution the student's is drawn.

    What starts as a constant (biases, the scales of norms) stays what it is.
    """
    for p in teacher.parameters():
        p.copy_(p.flatten()[torch.randperm(p.numel(), device=p.device)].view_as(p))
    return teacher


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Teacher = decay * teacher + (1 - decay) * student; parameters only, BatchNorm buffers stay the teacher's own."""
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - decay)


def half_life_decay(half_life: float, crops: float) -> float:
    """What is left after `crops` of what has halved after `half_life`."""
    return 2 ** (-crops / half_life)


def linear_decay(start: float, end: float, step: int, total: int) -> float:
    """Decay from `start` at the first step to `end` at the last one (M2D's released code)."""
    return start + (end - start) * (step - 1) / max(1, total - 1)


def cosine_decay(base: float, step: int, total: int) -> float:
    """Decay rising from `base` to 1 over training (Grill et al. 2020, section 3.3)."""
    return 1 - (1 - base) * (math.cos(math.pi * step / max(total, 1)) + 1) / 2
