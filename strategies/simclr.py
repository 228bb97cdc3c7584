"""SimCLR: NT-Xent between two augmented crops of a track (Chen et al. 2020; CLMR, Spijkervet & Burgoyne 2021)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Batch, Crops, Encoder
from strategies.heads import mlp, pool
from strategies.losses import info_nce, nt_xent
from strategies.pairs import PairConfig, Pairs, each_view
from strategies.views import augmented


class SimCLRConfig(PairConfig):
    """Options of SimCLR; temperature, rate, batch and warm-up are what the equal search chose (results/tune).

    Attributes:
        hidden: sizes of the projector's hidden layers.
        norm: BatchNorm in the projector; without it there are no biases either, as in CLMR.
        bias: whether, with BatchNorm, the projector's last layer has a bias (the multi-view study: none).
        negatives: `between`: the other tracks of the batch; `within`: other crops of the anchor's own track, and no
            other track (Choi et al. 2022), with positives `self` (as in their code) or `disjoint`. The first crop alone
            is then the anchor, and goes through the network beside its negatives, fused or not.
        others: how many crops those are, all apart (Choi et al.: 9 of 3 s, the rest of a clip).
    """

    temperature: float = Field(default=0.1, gt=0)
    hidden: tuple[int, ...] = (192,)
    projection: int = 128
    norm: bool = True
    bias: bool = True
    negatives: Literal["between", "within"] = "between"
    others: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _apart(self) -> SimCLRConfig:
        if self.negatives == "within" and self.positives not in ("self", "disjoint"):
            raise ValueError("negatives within a track need positives 'self' or 'disjoint', or they would overlap")
        return self


class SimCLR(Pairs):
    """Two crops of a track attract each other; the crops of all other tracks of the batch repel them.

    Each level of the encoder has a projector and a loss of its own, and the losses are averaged (Choi et al. 2022).
    """

    info = Info("simclr", "SimCLR", "Chen et al. 2020; Spijkervet & Burgoyne 2021 (CLMR)", version=4)
    family = "contrastive"
    Config = SimCLRConfig
    learning_rate = 3e-3

    def __init__(self, encoder: Encoder, config: SimCLRConfig) -> None:
        super().__init__(encoder, config)
        sizes = [encoder.embedding_dim // encoder.levels, *config.hidden, config.projection]
        bias = config.norm and config.bias
        self.projectors = nn.ModuleList(mlp(sizes, norm=config.norm, bias=bias) for _ in range(encoder.levels))

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """Two crops; with negatives within the track, its other crops too."""
        if config.negatives == "between":
            return super().crops(config)
        places = 1 if config.positives == "self" else 2
        return Crops(count=places + config.others, seconds=config.seconds, placement="disjoint")

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Two views; with negatives within the track, those too, (B, others, bands, frames)."""
        if self.config.negatives == "between":
            return super().views(batch, generator)
        crops = batch.crops
        if self.config.positives == "self":
            crops = torch.cat([crops[:, :1], crops], dim=1)
        features = augmented(crops.flatten(0, 1), self.encoder, self.config, generator)
        a, b, *others = torch.unflatten(features, 0, crops.shape[:2]).unbind(1)
        return {"a": a, "b": b, "others": torch.stack(others, dim=1)}

    def project(self, features: Tensor) -> Tensor:
        """Features (B, bands, frames) to a projection of each level of their pooled embedding, (B, levels, D)."""
        levels = pool(self.encoder.body(features)).chunk(self.encoder.levels, dim=1)
        return torch.stack([project(level) for project, level in zip(self.projectors, levels, strict=True)], dim=1)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Projections of all views, (B, levels, D) and (B, others, levels, D)."""
        if "others" not in views:
            return super().embed(views)
        own = torch.cat([views["a"], views["others"].flatten(0, 1)])
        own, b = each_view(self.project, self.config.fuse_views, [own, views["b"]])
        a, others = torch.split_with_sizes(own, [len(b), len(own) - len(b)])
        return {"a": a, "b": b, "others": torch.unflatten(others, 0, views["others"].shape[:2])}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """NT-Xent; with negatives within the track, the first crop among those. The mean over the levels."""
        levels = zip(*(embeddings[name].unbind(-2) for name in ("a", "b", "others") if name in embeddings), strict=True)
        return {"loss": torch.stack([self._contrast(*level) for level in levels]).mean()}

    def _contrast(self, a: Tensor, b: Tensor, others: Tensor | None = None) -> Tensor:
        temperature = self.config.temperature
        if others is None:
            return nt_xent(a, b, temperature)
        return info_nce(a, b, others, temperature=temperature, normalize=True)
