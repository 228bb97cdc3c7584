"""SemiSupCon: one contrastive loss; positives are of one track, or of tracks that share tags (Guinot et al. 2024)."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Batch, Crops, Encoder
from strategies.heads import mlp
from strategies.losses import semi_supervised_positives, sup_con
from strategies.pairs import PairConfig, Pairs, Positives


class SemiSupConConfig(PairConfig):
    """Options of SemiSupCon.

    Attributes:
        tags: columns of the corpus that are heard as labels.
        leave_out: those of `tags` that are not, to tell transfer from leakage.
        threshold: how many tags two tracks must share to be positives (T). With these tags, one shared tag would make
            75 % of labelled pairs positive, two 25 %, as the paper's T = 1 does on MagnaTagATune.
        weighted: weight pairs by the Dice coefficient of their tags instead.
        label_share: share of the training tracks whose labels may be used (p_s).
        batch_share: share of the batch that is drawn from those tracks (b_s).
        norm: BatchNorm in the projector; without it there are no biases either, as in the released code.
    """

    positives: Positives = "adjacent"
    tags: tuple[str, ...] = ("family", "mode", "metre")
    leave_out: tuple[str, ...] = ()
    threshold: int = Field(default=2, ge=1)
    weighted: bool = False
    label_share: float = Field(default=0.5, ge=0, le=1)
    batch_share: float = Field(default=0.5, ge=0, le=1)
    temperature: float = Field(default=0.1, gt=0)
    hidden: tuple[int, ...] = (192,)
    projection: int = 128
    norm: bool = True


class SemiSupCon(Pairs):
    """SupCon's loss on a batch that is labelled in part; unlabelled tracks are positives of themselves alone."""

    info = Info("semisupcon", "SemiSupCon", "Guinot et al. 2024; Khosla et al. 2020 (SupCon)", version=2)
    family = "contrastive"
    Config = SemiSupConConfig
    learning_rate = 2e-3

    def __init__(self, encoder: Encoder, config: SemiSupConConfig) -> None:
        super().__init__(encoder, config)
        sizes = [encoder.embedding_dim, *config.hidden, config.projection]
        self.projector = mlp(sizes, norm=config.norm, bias=config.norm)

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """Two crops a track, and the tags."""
        pair = super().crops(config)
        tags = tuple(tag for tag in config.tags if tag not in config.leave_out)
        if not tags or not config.label_share or not config.batch_share:
            return pair  # pure self-supervision: nothing is heard
        return Crops(pair.count, pair.seconds, pair.placement, (), tags, config.label_share, config.batch_share)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Two views, and the labels."""
        return {**super().views(batch, generator), "labels": batch.labels}

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Projections of both views, and the labels."""
        return {**super().embed(views), "labels": views["labels"]}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """SupCon over the batch; the tracks of a batch are all different."""
        z = torch.cat([embeddings["a"], embeddings["b"]])
        labels = embeddings["labels"].repeat(2, 1)
        track = torch.arange(len(embeddings["a"]), device=z.device).repeat(2)
        positives = semi_supervised_positives(track, labels, self.config.threshold, self.config.weighted)
        return {"loss": sup_con(z, positives, self.config.temperature)}
