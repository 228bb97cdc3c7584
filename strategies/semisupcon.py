"""SemiSupCon: one contrastive loss; positives are of one track, or of tracks that share tags (Guinot et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from benchmark.interfaces import Info, UserError
from benchmark.modules import Batch, Crops, Encoder
from strategies.heads import mlp
from strategies.losses import semi_supervised_positives, sup_con
from strategies.pairs import PairConfig, Pairs, Positives


class SemiSupConConfig(PairConfig):
    """Options of SemiSupCon.

    Attributes:
        tags: columns of the corpus that are heard as labels; lists of tags as well as single ones.
        leave_out: those of `tags` that are not, to tell transfer from leakage.
        threshold: how many tags two tracks must share to be positives (T), which some of them must. With these tags,
            one shared tag would make 75 % of labelled pairs positive, two 25 %, as the paper's T = 1 does on
            MagnaTagATune.
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

    info = Info("semisupcon", "SemiSupCon", "Guinot et al. 2024; Khosla et al. 2020 (SupCon)", version=3)
    family = "contrastive"
    Config = SemiSupConConfig
    learning_rate = 3e-3

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

    @classmethod
    def check_labels(cls, config: Any, labels: NDArray[np.float32]) -> None:
        """Refuse a threshold that no two tracks reach: labels would make no positives, and nothing would say so."""
        known = labels[labels.any(axis=1)]
        threshold = 1 if config.weighted else config.threshold
        if any_pair_shares(known, threshold):
            return
        most, pairs = int(known.sum(axis=1).max(initial=0)), pairs_by_shared_tags(known)
        found = ", ".join(f"{n:,} pairs share {shared}" for shared, n in enumerate(pairs.tolist()) if n)
        raise UserError(
            f"threshold {threshold}: no two of the {len(known):,} labeled training tracks share as many tags, so that "
            f"labels would make no positives. A track has at most {most}; {found or 'there are no pairs'}. Lower the "
            "threshold, or hear more tags"
        )

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


def any_pair_shares(labels: NDArray[np.float32], enough: int) -> bool:
    """Whether any two of (N, C) multi-hot labels have so many classes in common; ends as soon as it is known."""
    return any((shared >= enough).any() for shared in _shared(labels))


def pairs_by_shared_tags(labels: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many pairs of (N, C) multi-hot labels have 0, 1, ..., C classes in common."""
    counts = np.zeros(labels.shape[1] + 1, np.int64)
    for shared in _shared(labels):
        counts += np.bincount(shared[shared >= 0], minlength=len(counts))
    return counts


def _shared(labels: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """Classes in common, part by part of the pairs: each pair once, -1 for the others."""
    number = np.arange(len(labels))
    for part in np.array_split(number, -(-len(labels) // 512)) if len(labels) else []:
        shared = (labels[part] @ labels.T).astype(np.int64)
        yield np.where(part[:, None] < number, shared, -1)
