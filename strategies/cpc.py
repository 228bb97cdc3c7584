"""CPC: from the past of a track, tell its future from other tracks' (van den Oord et al. 2018; Choi et al. 2022)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Batch, Crops, Encoder, Strategy
from strategies.heads import pool
from strategies.losses import info_nce
from strategies.views import Preset, ViewConfig, augmented


class CPCConfig(ViewConfig):
    """Options of CPC.

    Attributes:
        negatives: `between`: the same future step of the other tracks; `within`: the track's own other steps.
        context: steps that the recurrent network hears.
        future: steps that it predicts (Choi et al.: 4 and 4, of 3 s each; clips of 8 s allow steps of 0.9 s).
    """

    preset: Preset = "crop_only"
    negatives: Literal["between", "within"] = "between"
    context: int = Field(default=4, ge=1)
    future: int = Field(default=4, ge=1)
    step_seconds: float = Field(default=0.9, gt=0)
    hidden: int = 128
    temperature: float = Field(default=0.1, gt=0)


class CPC(Strategy):
    """Steps are encoded one by one; a GRU sums up the past, a linear map per distance predicts the future."""

    info = Info("cpc", "Contrastive predictive coding", "van den Oord et al. 2018; Choi et al. 2022", version=1)
    family = "contrastive"
    Config = CPCConfig
    learning_rate = 2e-3

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
        z, predicted = embeddings["z"], embeddings["predicted"]
        losses = []
        for k in range(self.config.future):
            at = self.config.context + k
            others = torch.cat([z[:, :at], z[:, at + 1 :]], dim=1) if self.config.negatives == "within" else None
            losses.append(
                info_nce(predicted[:, k], z[:, at], others, temperature=self.config.temperature, normalize=True)
            )
        return {"loss": torch.stack(losses).mean()}
