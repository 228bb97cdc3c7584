"""CPC: from the past of a track, tell its future from other tracks' (van den Oord et al. 2018; Choi et al. 2022)."""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Batch, Crops, Encoder, Strategy
from strategies.heads import pool
from strategies.losses import info_nce
from strategies.views import Preset, ViewConfig, augmented


class CPCConfig(ViewConfig):
    """Options of CPC. Predictions and steps are compared by their cosine; the paper's score is their plain product.

    Attributes:
        negatives: `between`: the same future step of the other tracks; `within`: the track's own other steps.
        anchors: who picks between tracks: each prediction among the true steps (van den Oord et al., eq. 4), or each
            true step among the predictions (Choi et al.'s code: the softmax runs over the other axis).
        context: steps that the recurrent network hears.
        future: steps that it predicts (Choi et al.: 4 and 4, of 3 s each; clips of 8 s allow steps of 0.9 s).
    """

    preset: Preset = "crop_only"
    negatives: Literal["between", "within"] = "between"
    anchors: Literal["predictions", "steps"] = "predictions"
    context: int = Field(default=4, ge=1)
    future: int = Field(default=4, ge=1)
    step_seconds: float = Field(default=0.9, gt=0)
    hidden: int = 128
    temperature: float = Field(default=0.1, gt=0)

    @model_validator(mode="after")
    def _anchors_have_negatives(self) -> Self:
        if self.negatives == "within" and self.anchors == "steps":
            raise ValueError("anchors 'steps' pick among the predictions for other tracks: use negatives 'between'")
        return self


class CPC(Strategy):
    """Steps are encoded one by one; a GRU sums up the past, a linear map per distance predicts the future."""

    info = Info("cpc", "Contrastive predictive coding", "van den Oord et al. 2018; Choi et al. 2022", version=1)
    family = "contrastive"
    Config = CPCConfig
    learning_rate = 1e-3

    def __init__(self, encoder: Encoder, config: CPCConfig) -> None:
        super().__init__(encoder, config)
        self.gru = nn.GRU(encoder.embedding_dim, config.hidden, batch_first=True)
        self.predictors = nn.ModuleList(
            nn.Linear(config.hidden, encoder.embedding_dim, bias=False) for _ in range(config.future)
        )

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """One long crop, which holds all steps."""
        return Crops(count=1, seconds=(config.context + config.future) * config.step_seconds)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features of each step, (B, steps, bands, frames)."""
        steps = self.config.context + self.config.future
        whole = batch.crops[:, 0, : batch.crops.shape[2] // steps * steps]
        crops = torch.unflatten(whole, 1, (steps, -1)).flatten(0, 1)
        features = augmented(crops, self.encoder, self.config, generator)
        return {"steps": torch.unflatten(features, 0, (-1, steps))}

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Steps z, (B, steps, D), and predictions of the future ones, (B, future, D)."""
        steps = views["steps"]
        z = torch.unflatten(pool(self.encoder.body(steps.flatten(0, 1))), 0, steps.shape[:2])
        _, context = self.gru(z[:, : self.config.context])
        predicted = torch.stack([predict(context[0]) for predict in self.predictors], dim=1)
        return {"z": z, "predicted": predicted}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """InfoNCE, the mean over distances."""
        z, predicted = embeddings["z"], embeddings["predicted"].unbind(1)
        return {"loss": torch.stack([self._at_distance(k, z, x) for k, x in enumerate(predicted)]).mean()}

    def _at_distance(self, k: int, z: Tensor, predicted: Tensor) -> Tensor:
        at = self.config.context + k
        others = torch.cat([z[:, :at], z[:, at + 1 :]], dim=1) if self.config.negatives == "within" else None
        anchor, positive = predicted, z[:, at]
        if self.config.anchors == "steps":
            anchor, positive = positive, anchor
        return info_nce(anchor, positive, others, temperature=self.config.temperature, normalize=True)
