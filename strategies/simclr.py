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
from strategies.pairs import PairConfig, Pairs
from strategies.views import augmented


class SimCLRConfig(PairConfig):
    """Options of SimCLR.

    Attributes:
        hidden: sizes of the projector's hidden layers.
        norm: BatchNorm in the projector; without it there are no biases either, as in CLMR.
        negatives: `between`: the other tracks of the batch; `within`: other crops of the anchor's own track, and no
            other track (Choi et al. 2022), with positives `self` or `disjoint`.
        others: how many crops those are; with `within`, all crops of a track lie apart.
    """

    temperature: float = Field(default=0.1, gt=0)
    hidden: tuple[int, ...] = (192,)
    projection: int = 128
    norm: bool = True
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

    info = Info("simclr", "SimCLR", "Chen et al. 2020; Spijkervet & Burgoyne 2021 (CLMR)", version=3)
    family = "contrastive"
    Config = SimCLRConfig
    learning_rate = 3e-3

    def __init__(self, encoder: Encoder, config: SimCLRConfig) -> None:
        super().__init__(encoder, config)
        sizes = [encoder.embedding_dim // encoder.levels, *config.hidden, config.projection]
        self.projectors = nn.ModuleList(mlp(sizes, norm=config.norm, bias=config.norm) for _ in range(encoder.levels))

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """Two crops; with negatives within the track, its other crops too."""
        if config.negatives == "between":
            return super().crops(config)
        return Crops(count=2 + config.others, seconds=config.seconds, placement="disjoint")

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Two views; with negatives within the track, those too, (B, others, bands, frames)."""
        if self.config.negatives == "between":
            return super().views(batch, generator)
        crops = batch.crops.clone()
        if self.config.positives == "self":
            crops[:, 1] = crops[:, 0]
        features = augmented(crops.flatten(0, 1), self.encoder, self.config, generator)
        a, b, *others = torch.unflatten(features, 0, crops.shape[:2]).unbind(1)
        return {"a": a, "b": b, "others": torch.stack(others, dim=1)}

    def project(self, features: Tensor) -> Tensor:
        """Features (B, bands, frames) to a projection of each level of their pooled embedding, (B, levels, D)."""
        levels = pool(self.encoder.body(features)).chunk(self.encoder.levels, dim=1)
        return torch.stack([project(level) for project, level in zip(self.projectors, levels, strict=True)], dim=1)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Projections of all views, (B, levels, D) and (B, others, levels, D), in one forward."""
        if "others" not in views:
            return super().embed(views)
        n, others = len(views["a"]), views["others"]
        z = self.project(torch.cat([views["a"], views["b"], others.flatten(0, 1)]))
        return {"a": z[:n], "b": z[n : 2 * n], "others": torch.unflatten(z[2 * n :], 0, others.shape[:2])}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """NT-Xent; with negatives within the track, the same sum over those. The mean over the levels."""
        levels = zip(*(embeddings[name].unbind(-2) for name in ("a", "b", "others") if name in embeddings), strict=True)
        return {"loss": torch.stack([self._contrast(*level) for level in levels]).mean()}

    def _contrast(self, a: Tensor, b: Tensor, others: Tensor | None = None) -> Tensor:
        temperature = self.config.temperature
        if others is None:
            return nt_xent(a, b, temperature)
        losses = [info_nce(x, y, others, temperature=temperature, normalize=True) for x, y in ((a, b), (b, a))]
        return torch.stack(losses).mean()
