"""BYOL: predict the other view's projection by a slow teacher, without negatives (Grill et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.ema import EncoderWithHead, TeacherConfig, follow, teacher_of
from strategies.heads import mlp
from strategies.losses import byol_regression
from strategies.pairs import PairConfig, Pairs


class BYOLConfig(PairConfig, TeacherConfig):
    """Options of BYOL. The paper's `decay` is 0.996, for 300 epochs of ImageNet in batches of 4,096."""

    projection: int = 128
    hidden: int = 512
    predictor: int = 512


class BYOL(Pairs):
    """A student predicts what its own moving average says of the other view."""

    info = Info("byol", "BYOL", "Grill et al. 2020; Niizumi et al. 2021 (BYOL-A)", version=3)
    family = "self-distillation"
    Config = BYOLConfig
    fuse_views = False

    def __init__(self, encoder: Encoder, config: BYOLConfig) -> None:
        super().__init__(encoder, config)
        head = mlp([encoder.embedding_dim, config.hidden, config.projection], norm=True)
        self.student = EncoderWithHead(encoder, head)
        self.predictor = mlp([config.projection, config.predictor, config.projection], norm=True)
        self.teacher = teacher_of(self.student)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predictions and targets; one forward per view, as in the paper."""
        predictions = {name: self.predictor(self.student(view)) for name, view in views.items()}
        with torch.no_grad():
            targets = {f"target_{name}": self.teacher(view) for name, view in views.items()}
        return predictions | targets

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each view predicts the other one's target."""
        a = byol_regression(embeddings["a"], embeddings["target_b"])
        return {"loss": a + byol_regression(embeddings["b"], embeddings["target_a"])}

    def after_step(self, step: int, total: int) -> None:
        """Move the teacher, after each optimizer step."""
        follow(self.teacher, self.student, self.config.teacher_decay(step, total, self.step_crops))
