"""Masked contrast: two crops of a track, most of each hidden, still find each other (Yonay et al. 2025, Myna).

The loss is NT-Xent. Myna's is SogCLR (Yuan et al. 2022), which keeps for each track a moving average of the denominator
over the steps that heard it, so that small batches stand for large ones; here a batch does not say which tracks it
holds, and there is none.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Batch, Encoder, TokenEncoder
from strategies.heads import mlp
from strategies.losses import nt_xent
from strategies.masks import hidden, kept_tokens, patch_noise, picture_mask, take
from strategies.pairs import PairConfig, Pairs, each_view
from strategies.views import Preset


class MaskedContrastiveConfig(PairConfig):
    """Options of masked contrast; masking is the only augmentation.

    Attributes:
        masked: share of the tokens that are dropped in both views (0.9 in the paper, on 16 x 16 patches of a ViT); on
            an encoder without tokens, share of the spectrogram's patches that are hidden.
    """

    differ: ClassVar[bool] = True  # in what is hidden

    preset: Preset = "crop_only"
    masked: float = Field(default=0.9, gt=0, lt=1)
    temperature: float = Field(default=0.1, gt=0)
    projection: int = 128


class MaskedContrastive(Pairs):
    """On `vit` tokens are dropped, which also makes it cheap; on a CNN patches of the input are hidden."""

    info = Info("masked_contrastive", "Masked contrast (NT-Xent, not SogCLR)", "Yonay et al. 2025 (Myna)", version=2)
    family = "contrastive"
    Config = MaskedContrastiveConfig
    learning_rate = 3e-3
    needs = frozenset({"mel"})
    without_tokens = "CNN masking"

    def __init__(self, encoder: Encoder, config: MaskedContrastiveConfig) -> None:
        super().__init__(encoder, config)
        self.projector = mlp([encoder.embedding_dim, encoder.embedding_dim, config.projection], norm=True)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Two views, and random numbers that say what is hidden of each."""
        views = super().views(batch, generator)
        return views | {f"noise_{name}": patch_noise(view, self.encoder, generator) for name, view in views.items()}

    def _pooled(self, features: Tensor, noise: Tensor) -> Tensor:
        if isinstance(self.encoder, TokenEncoder):
            kept, _ = kept_tokens(noise, self.config.masked)
            return self.encoder.encode(take(self.encoder.tokens(features), kept)).mean(dim=1)
        return self.encoder.body(hidden(features, picture_mask(noise, self.config.masked, features))).mean(dim=1)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Projections of both views, (B, D) each."""
        features, noise = ([views[f"{kind}a"], views[f"{kind}b"]] for kind in ("", "noise_"))
        a, b = each_view(lambda *view: self.projector(self._pooled(*view)), self.config.fuse_views, features, noise)
        return {"a": a, "b": b}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """NT-Xent."""
        return {"loss": nt_xent(embeddings["a"], embeddings["b"], self.config.temperature)}
