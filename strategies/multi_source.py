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
from strategies.pairs import each_view
from strategies.views import Preset, ViewConfig, augmented


class MultiSourceConfig(ViewConfig):
    """Options of the multi-source contrast.

    Attributes:
        sources: steer it: one name alone trains for that source.
        fuse_views: whether mixture and source go through the network as one batch, as in the released code, or one
            after the other. Under BatchNorm these are different objectives, since a source alone has other statistics.
    """

    preset: Preset = "crop_only"
    sources: tuple[str, ...] = Field(default=("lead", "accompaniment", "drums"), min_length=1)
    projection: int = 512
    seconds: float = Field(default=3.0, gt=0)
    fuse_views: bool = True


class MultiSource(Strategy):
    """One source type a batch, so that negatives are of the same type; an absent source is a class of its own."""

    info = Info("multi_source", "Multi-source contrast", "Garoufis et al. 2023 (MSCOL)", version=2)
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
        """Projections of mixture and source, (B, D) each, and whether the source sounds."""
        pair = [views["mixture"], views["source"]]
        mixture, source = each_view(self._project, self.config.fuse_views, pair)
        return {"mixture": mixture, "source": source, "active": views["active"]}

    def _project(self, features: Tensor) -> Tensor:
        projection: Tensor = self.projector(pool(self.encoder.body(features)))
        return projection

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy over the batch's sources and the null source."""
        pair = embeddings["mixture"], embeddings["source"]
        return {"loss": bilinear_null_nce(*pair, self.similarity, embeddings["active"])}
