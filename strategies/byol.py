"""BYOL: predict the other view's projection by a slow teacher, without negatives (Grill et al. 2020)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.ema import EncoderWithHead, TeacherConfig, follow, teacher_of
from strategies.heads import mlp
from strategies.losses import byol_regression
from strategies.pairs import PairConfig, Pairs, each_view


class BYOLConfig(PairConfig, TeacherConfig):
    """Options of BYOL. The paper's `decay` is 0.996 for 1,000 epochs of ImageNet in batches of 4,096, 0.99 for 300.

    Its projector and predictor are 4,096 wide inside and 256 outside. The half-life and the learning rate are what the
    equal search chose (results/tune).

    Attributes:
        hidden: sizes of the projector's hidden layers.
        predictor: size of the predictor's hidden layer.
        bias: whether the last layers of projector and predictor have one (the multi-view study: none).
    """

    half_life: float | None = Field(default=2048.0, gt=0)
    fuse_views: bool = False
    projection: int = 128
    hidden: tuple[int, ...] = (512,)
    predictor: int = 512
    bias: bool = True


class BYOL(Pairs):
    """A student predicts what its own moving average says of the other view."""

    info = Info("byol", "BYOL", "Grill et al. 2020; Niizumi et al. 2021 (BYOL-A)", version=4)
    family = "self-distillation"
    Config = BYOLConfig
    learning_rate = 3e-3

    def __init__(self, encoder: Encoder, config: BYOLConfig) -> None:
        super().__init__(encoder, config)
        head = mlp([encoder.embedding_dim, *config.hidden, config.projection], norm=True, bias=config.bias)
        self.student = EncoderWithHead(encoder, head)
        sizes = [config.projection, config.predictor, config.projection]
        self.predictor = mlp(sizes, norm=True, bias=config.bias)
        self.teacher = teacher_of(self.student)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predictions and targets; by default one forward per view, as in the paper."""
        pair, fused = [views["a"], views["b"]], self.config.fuse_views
        a, b = each_view(lambda view: self.predictor(self.student(view)), fused, pair)
        with torch.no_grad():
            target_a, target_b = each_view(self.teacher, fused, pair)
        return {"a": a, "b": b, "target_a": target_a, "target_b": target_b}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each view predicts the other one's target."""
        a = byol_regression(embeddings["a"], embeddings["target_b"])
        return {"loss": a + byol_regression(embeddings["b"], embeddings["target_a"])}

    def after_step(self, step: int, total: int) -> None:
        """Move the teacher, after each optimizer step."""
        follow(self.teacher, self.student, self.config.teacher_decay(step, total, self.step_crops))
