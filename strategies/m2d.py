"""M2D: predict a slow teacher's view of the masked part from the visible part (Niizumi et al. 2023)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Encoder, TokenEncoder
from strategies.ema import TeacherConfig, follow, teacher_of, with_own_start
from strategies.losses import byol_regression, clip_standardized, standardized, token_standardized
from strategies.masks import (
    PATCH,
    Decoder,
    MaskedConfig,
    MaskedCrop,
    frame_ratio,
    hidden,
    hidden_frames,
    kept_tokens,
    picture_mask,
    take,
)

#: share of frames without a visible band below which there is too little to learn from
_FEWEST = 0.01
_STANDARDIZED = {"token": token_standardized, "batch": standardized, "clip": clip_standardized}


class M2DConfig(MaskedConfig, TeacherConfig):
    """Options of M2D: one crop of each track, unaugmented; `masked` is the paper's 0.7.

    Attributes:
        targets: how the teacher's output is standardized: each `token` over its features, as released; or each feature
            over the `batch`, which takes out what all targets share and a predictor could answer without listening; or
            over its `clip` (data2vec's instance norm), which takes out what does not change in three seconds.
        frames: of a CNN, those that count: of whose bands none is visible (`unseen`), or `all`: what the teacher sees
            of them, other bands at the same time among it, is nowhere visible to the student.
        predictor_width: of the transformer that predicts, on tokens (the release: 512, for tokens of 768).
        predictor_depth: its layers; the release has 8, which make a step on `vit` two fifths longer than 2 do.
    """

    masked: float = Field(default=0.7, gt=0, lt=1)
    targets: Literal["token", "batch", "clip"] = "token"
    frames: Literal["unseen", "all"] = "unseen"
    predictor_width: int = 128
    predictor_depth: int = 2


class M2D(MaskedCrop):
    """The teacher sees *only* the masked part, so that it must model what the student cannot copy.

    As released, the teacher starts from weights of its own, and its patches are embedded by the student.

    On a CNN patches of the input are hidden instead: the student sees the visible ones, the teacher the others, and the
    frames count of whose bands none is visible: 22 % of them with 64 bands, four rows of patches; 5 % with 128; with
    more than 192 there are too few, and `frames` has to be `all`.
    """

    info = Info("m2d", "Masked modeling duo", "Niizumi et al. 2023", version=3)
    family = "masked modeling"
    learning_rate = 3e-3
    Config = M2DConfig
    without_tokens = "CNN masking"

    def __init__(self, encoder: Encoder, config: M2DConfig) -> None:
        super().__init__(encoder, config)
        dim = encoder.embedding_dim
        if isinstance(encoder, TokenEncoder):
            self.predictor: nn.Module = Decoder(dim, config.predictor_width, config.predictor_depth, dim)
        else:
            self.predictor = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
            bands, self.ratio = frame_ratio(encoder)
            unseen = config.masked ** -(-bands // PATCH[0])
            if config.frames == "unseen" and unseen < _FEWEST:
                raise ValueError(
                    f"of {encoder.info.name}'s {bands} bands all are hidden in {unseen:.2%} of the frames, too few to"
                    " learn from: set frames: all, or masked higher"
                )
        self.teacher = with_own_start(teacher_of(encoder))

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predictions and targets, (B, N, D) each: of masked tokens, or of all frames beside which of them count."""
        features, noise = views["features"], views["noise"]
        if not isinstance(self.encoder, TokenEncoder):
            return self._on_pictures(features, picture_mask(noise, self.config.masked, features))
        kept, dropped = kept_tokens(noise, self.config.masked)
        tokens = self.encoder.tokens(features)
        predicted = self.predictor(self.encoder.encode(take(tokens, kept)), kept, self.encoder.grid(features))
        with torch.no_grad():
            assert isinstance(self.teacher, TokenEncoder)
            target = self.teacher.encode(take(tokens, dropped))
        return {"predicted": take(predicted, dropped), "target": target}

    def _on_pictures(self, features: Tensor, mask: Tensor) -> dict[str, Tensor]:
        predicted = self.predictor(self.encoder.body(hidden(features, mask)))
        with torch.no_grad():
            assert isinstance(self.teacher, Encoder)
            target = self.teacher.body(hidden(features, ~mask))
        if self.config.frames == "all":
            return {"predicted": predicted, "target": target}
        return {"predicted": predicted, "target": target, "mask": hidden_frames(mask, predicted.shape[1], self.ratio)}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """2 - 2 cos to the standardized target of each position that was hidden."""
        target = _STANDARDIZED[self.config.targets](embeddings["target"])
        return {"loss": byol_regression(embeddings["predicted"], target, embeddings.get("mask"))}

    def after_step(self, step: int, total: int) -> None:
        """Move the teacher, after each optimizer step."""
        follow(self.teacher, self.encoder, self.config.teacher_decay(step, total, self.step_crops))
