"""SimCLR: NT-Xent between two augmented crops of a track (Chen et al. 2020; CLMR, Spijkervet & Burgoyne 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Batch, Encoder, Strategy
from strategies.heads import mlp, pool
from strategies.losses import nt_xent
from strategies.views import ViewConfig, augmented


class SimCLRConfig(ViewConfig):
    """Options of SimCLR."""

    temperature: float = 0.1
    projection: int = 128


class SimCLR(Strategy):
    """Two crops of a track attract each other; the crops of all other tracks of the batch repel them."""

    info = Info("simclr", "SimCLR", "Chen et al. 2020; Spijkervet & Burgoyne 2021 (CLMR)", version=2)
    Config = SimCLRConfig
    learning_rate = 2e-3

    def __init__(self, encoder: Encoder, config: SimCLRConfig) -> None:
        super().__init__(encoder, config)
        self.options = config
        self.projector = mlp([encoder.embedding_dim, encoder.embedding_dim, config.projection], norm=True)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Both views, (B, bands, frames) each, augmented as one batch."""
        a, b = augmented(batch.crops.transpose(0, 1).flatten(0, 1), self.encoder, self.options, generator).chunk(2)
        return {"a": a, "b": b}

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """One forward for both views: BatchNorm sees 2B examples, as in SimCLR."""
        both = torch.cat([views["a"], views["b"]])
        a, b = self.projector(pool(self.encoder.body(both))).chunk(2)
        return {"a": a, "b": b}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """NT-Xent."""
        return {"loss": nt_xent(embeddings["a"], embeddings["b"], self.options.temperature)}
