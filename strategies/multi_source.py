"""Multi-source contrast: a crop of the mixture finds a crop of one of its own sources (Garoufis et al. 2023, MSCOL)."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Batch, Crops, Encoder, Strategy
from strategies.heads import bilinear_form, pool, tanh_projector
from strategies.losses import bilinear_null_nce
from strategies.views import Preset, ViewConfig, augmented


class MultiSourceConfig(ViewConfig):
    """Options of the multi-source contrast. `sources` steers it: one name alone trains for that source."""

    preset: Preset = "crop_only"
    sources: tuple[str, ...] = Field(default=("lead", "accompaniment", "drums"), min_length=1)
    projection: int = 512
    seconds: float = Field(default=3.0, gt=0)


class MultiSource(Strategy):
    """One source type a batch, so that negatives are of the same type; an absent source is a class of its own."""

    info = Info("multi_source", "Multi-source contrast", "Garoufis et al. 2023 (MSCOL)", version=1)
    family = "contrastive"
    Config = MultiSourceConfig

    def __init__(self, encoder: Encoder, config: MultiSourceConfig) -> None:
        super().__init__(encoder, config)
        self.projector = tanh_projector(encoder.embedding_dim, config.projection)
        self.similarity = bilinear_form(config.projection)

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """A crop of the mixture, and one of a source, each placed on its own."""
        return Crops(count=2, seconds=config.seconds, sources=config.sources)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features of mixture and source, (B, bands, frames) each, and whether the source sounds."""
        mixture, source = (augmented(batch.crops[:, i], self.encoder, self.config, generator) for i in range(2))
        return {"mixture": mixture, "source": source, "active": batch.active}

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """One forward each: a source alone has other statistics than a mixture, which BatchNorm would mix."""
        embedded = {name: self.projector(pool(self.encoder.body(views[name]))) for name in ("mixture", "source")}
        return {**embedded, "active": views["active"]}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy over the batch's sources and the null source."""
        pair = embeddings["mixture"], embeddings["source"]
        return {"loss": bilinear_null_nce(*pair, self.similarity, embeddings["active"])}
