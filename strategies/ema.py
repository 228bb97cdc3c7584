"""The teacher that follows its student as an exponential moving average."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from benchmark.modules import Encoder
from strategies.heads import pool


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
def follow(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Teacher = decay * teacher + (1 - decay) * student; parameters only, BatchNorm buffers stay the teacher's own."""
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - decay)


def cosine_decay(base: float, step: int, total: int) -> float:
    """Decay rising from `base` to 1 over training (Grill et al. 2020, section 3.3)."""
    return 1 - (1 - base) * (math.cos(math.pi * step / max(total, 1)) + 1) / 2
