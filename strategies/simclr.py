"""SimCLR: NT-Xent between two augmented crops of a track (Chen et al. 2020; CLMR, Spijkervet & Burgoyne 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder, Strategy
from strategies.heads import mlp, pool
from strategies.losses import nt_xent
from strategies.views import ViewConfig, augmented


class SimCLRConfig(ViewConfig):
    """Options of SimCLR."""

    temperature: float = 0.1
    projection: int = 128


class SimCLR(Strategy):
    """Two crops of a track attract each other; the crops of all other tracks of the batch repel them."""

    info = Info("simclr", "SimCLR", "Chen et al. 2020; Spijkervet & Burgoyne 2021 (CLMR)", version=1)
    Config = SimCLRConfig

    def __init__(self, encoder: Encoder, config: SimCLRConfig) -> None:
        super().__init__(encoder, config)
        self.options = config
        self.projector = mlp([encoder.embedding_dim, encoder.embedding_dim, config.projection], norm=True)

    def views(self, crops: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Both views of the batch as one tensor, (2B, bands, frames)."""
        return [augmented(crops.transpose(0, 1).flatten(0, 1), self.encoder, self.options, generator)]

    def loss(self, views: list[Tensor]) -> dict[str, Tensor]:
        """One forward for both views: BatchNorm sees 2B examples, as in SimCLR."""
        a, b = self.projector(pool(self.encoder.body(views[0]))).chunk(2)
        return {"loss": nt_xent(a, b, self.options.temperature)}
