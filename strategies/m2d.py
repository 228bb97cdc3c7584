"""M2D: predict a slow teacher's view of the masked part from the visible part (Niizumi et al. 2023)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Encoder, TokenEncoder
from strategies.ema import cosine_decay, follow, teacher_of
from strategies.losses import byol_regression, standardized
from strategies.masks import Decoder, MaskedConfig, MaskedCrop, hidden, kept_tokens, picture_mask, take


class M2DConfig(MaskedConfig):
    """Options of M2D: one crop of each track, unaugmented; `masked` is the paper's 0.7."""

    masked: float = Field(default=0.7, gt=0, lt=1)
    predictor_width: int = 128
    predictor_depth: int = 2
    decay: float = 0.98


class M2D(MaskedCrop):
    """The teacher sees *only* the masked part, so that it must model what the student cannot copy.

    On a CNN patches of the input are hidden instead: the student sees the visible ones, the teacher the others.
    """

    info = Info("m2d", "Masked modeling duo", "Niizumi et al. 2023", version=2)
    family = "masked modeling"
    Config = M2DConfig

    def __init__(self, encoder: Encoder, config: M2DConfig) -> None:
        super().__init__(encoder, config)
        dim = encoder.embedding_dim
        if isinstance(encoder, TokenEncoder):
            self.predictor: nn.Module = Decoder(dim, config.predictor_width, config.predictor_depth, dim)
        else:
            self.predictor = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.teacher = teacher_of(encoder)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predictions and targets of the masked part, (B, N, D) each."""
        features, noise = views["features"], views["noise"]
        if not isinstance(self.encoder, TokenEncoder):
            return self._on_pictures(features, picture_mask(noise, self.config.masked, features))
        kept, dropped = kept_tokens(noise, self.config.masked)
        tokens = self.encoder.tokens(features)
        predicted = self.predictor(self.encoder.encode(take(tokens, kept)), kept, self.encoder.grid(features))
        with torch.no_grad():
            assert isinstance(self.teacher, TokenEncoder)
            target = self.teacher.encode(take(self.teacher.tokens(features), dropped))
        return {"predicted": take(predicted, dropped), "target": target}

    def _on_pictures(self, features: Tensor, mask: Tensor) -> dict[str, Tensor]:
        predicted = self.predictor(self.encoder.body(hidden(features, mask)))
        with torch.no_grad():
            assert isinstance(self.teacher, Encoder)
            target = self.teacher.body(hidden(features, ~mask))
        return {"predicted": predicted, "target": target}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """2 - 2 cos of each masked position, after what all targets share is taken out of them.

        A predictor could answer that without listening: the paper standardizes its targets (section 3.1), and BYOL has
        BatchNorm in its heads.
        """
        predicted, target = (embeddings[name].flatten(0, 1) for name in ("predicted", "target"))
        return {"loss": byol_regression(predicted, standardized(target))}

    def after_step(self, step: int, total: int) -> None:
        """Move the teacher, after each optimizer step."""
        follow(self.teacher, self.encoder, cosine_decay(self.config.decay, step, total))
