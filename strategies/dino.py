"""DINO: agree with a slow teacher on soft cluster assignments (Caron et al. 2021)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.ema import EncoderWithHead, Share, TeacherConfig, follow, half_life_decay, teacher_of
from strategies.heads import mlp
from strategies.losses import at_least_float32
from strategies.pairs import PairConfig, Pairs, each_view
from strategies.regularizers import dino, moved_centre


class DINOConfig(PairConfig, TeacherConfig):
    """Options of DINO. Prototypes suit short runs; the multi-view study has 4,096, and a `decay` of 0.996.

    Of the paper there are two views, no smaller crops; BatchNorm and ReLU between the head's layers, where it has GELU
    alone; and prototypes that learn from the first step on, where it holds them for an epoch.

    Attributes:
        teacher_temperature: at the start and, after the warm-up, for good (the study: 0.02 to 0.04).
        teacher_warmup_crops: crops of 3 s during which it rises: a tenth of the shortest budget that tells pretext
            tasks apart.
        teacher_warmup: in its place, a share of the training (the study: 10 epochs).
        centre_half_life: crops of 3 s after which half of what the centre was is replaced: a momentum of 0.9 at a batch
            of 64 tracks.
        centre_momentum: in its place, the share that a step leaves (the paper and the study: 0.9).
        hidden: sizes of the hidden layers before the bottleneck.
        cosine: logits are cosines with the prototypes; otherwise a plain linear layer without bias follows BatchNorm
            and ReLU of the bottleneck, as in the study.
    """

    either: ClassVar[tuple[tuple[str, str], ...]] = (
        *TeacherConfig.either,
        ("teacher_warmup_crops", "teacher_warmup"),
        ("centre_half_life", "centre_momentum"),
    )

    fuse_views: bool = False
    prototypes: int = 1024
    student_temperature: float = 0.1
    teacher_temperature: tuple[float, float] = (0.02, 0.04)
    teacher_warmup_crops: float | None = Field(default=12_500.0, ge=0)
    teacher_warmup: Share | None = None
    centre_half_life: float | None = Field(default=842.0, gt=0)
    centre_momentum: Share | None = None
    hidden: tuple[int, ...] = (512,)
    bottleneck: int = 128
    cosine: bool = True

    def centre_decay(self, step_crops: float) -> float:
        """The share of the centre that a step leaves."""
        if self.centre_half_life is not None:
            return half_life_decay(self.centre_half_life, step_crops)
        assert self.centre_momentum is not None
        return self.centre_momentum

    def temperature(self, step: int, total: int, step_crops: float) -> float:
        """The teacher's, after a step."""
        if self.teacher_warmup_crops is not None:
            warmup = self.teacher_warmup_crops / step_crops
        else:
            assert self.teacher_warmup is not None
            warmup = self.teacher_warmup * total
        start, end = self.teacher_temperature
        return start + (end - start) * min(1.0, step / max(1.0, warmup))


class _Prototypes(nn.Module):
    """Cosine similarity with each prototype, (N, bottleneck) to (N, prototypes), in float32 at least.

    Prototypes start as short as the released code's, whose direction is that of a linear layer's weights: only
    directions count, and at one learning rate a vector 20 times as long turns 20 times as slowly.
    """

    def __init__(self, config: DINOConfig) -> None:
        super().__init__()
        self.weight = nn.Linear(config.bottleneck, config.prototypes, bias=False).weight

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(F.normalize(at_least_float32(x), dim=1), F.normalize(self.weight, dim=1))


def _head(inside: int, config: DINOConfig) -> nn.Module:
    sizes = [inside, *config.hidden, config.bottleneck]
    if not config.cosine:
        return mlp([*sizes, config.prototypes], norm=True, bias=False)
    return nn.Sequential(mlp(sizes, norm=True), _Prototypes(config))


class DINO(Pairs):
    """The student's distribution over prototypes follows the teacher's, sharpened and centred, of the other view."""

    info = Info("dino", "DINO (clustering)", "Caron et al. 2021; Meseguer-Brocal et al. 2024", version=4)
    family = "self-distillation"
    learning_rate = 3e-3
    Config = DINOConfig
    centre: Tensor
    teacher_temperature: Tensor

    def __init__(self, encoder: Encoder, config: DINOConfig) -> None:
        super().__init__(encoder, config)
        self.student = EncoderWithHead(encoder, _head(encoder.embedding_dim, config))
        self.teacher = teacher_of(self.student)
        self.register_buffer("centre", torch.zeros(config.prototypes))
        self.register_buffer("teacher_temperature", torch.tensor(config.teacher_temperature[0]))
        self._seen = self.centre

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits of student and teacher; by default one forward per view, as in the multi-view study."""
        pair, fused = [views["a"], views["b"]], self.config.fuse_views
        a, b = each_view(self.student, fused, pair)
        with torch.no_grad():
            teacher_a, teacher_b = each_view(self.teacher, fused, pair)
        return {"a": a, "b": b, "teacher_a": teacher_a, "teacher_b": teacher_b}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy from the teacher of each view to the student of the other one."""
        temperatures = self.config.student_temperature, self.teacher_temperature
        pairs = (("a", "teacher_b"), ("b", "teacher_a"))
        losses = [dino(embeddings[s], embeddings[t], self.centre, *temperatures) for s, t in pairs]
        self._seen = torch.cat([embeddings["teacher_a"], embeddings["teacher_b"]]).detach()
        return {"loss": torch.stack(losses).mean()}

    def after_step(self, step: int, total: int) -> None:
        """Move the teacher, its centre by the whole batch, and its temperature, after each optimizer step."""
        follow(self.teacher, self.student, self.config.teacher_decay(step, total, self.step_crops))
        self.centre.copy_(moved_centre(self.centre, self._seen, self.config.centre_decay(self.step_crops)))
        self.teacher_temperature.fill_(self.config.temperature(step, total, self.step_crops))
