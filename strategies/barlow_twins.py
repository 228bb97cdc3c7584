"""Barlow Twins: equal dimensions agree between the views, different ones do not (Zbontar et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.heads import mlp
from strategies.pairs import PairConfig, Pairs
from strategies.regularizers import barlow_twins


class BarlowTwinsConfig(PairConfig):
    """Options of Barlow Twins; the weight is the paper's, whose projector is 8,192 wide.

    Attributes:
        mean: means over the matrix in place of sums, as in the multi-view study, whose weight is 1.
    """

    fuse_views: bool = False  # as in the official code
    off_diagonal_weight: float = 0.0051
    mean: bool = False
    hidden: tuple[int, ...] = (512, 512)
    projection: int = 512


class BarlowTwins(Pairs):
    """The views' cross-correlation matrix, (D, D) over the batch, is driven to the identity."""

    info = Info("barlow_twins", "Barlow Twins", "Zbontar et al. 2021; Meseguer-Brocal et al. 2024", version=3)
    family = "redundancy reduction"
    learning_rate = 3e-3
    Config = BarlowTwinsConfig

    def __init__(self, encoder: Encoder, config: BarlowTwinsConfig) -> None:
        super().__init__(encoder, config)
        self.projector = mlp([encoder.embedding_dim, *config.hidden, config.projection], norm=True, bias=False)

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Equation 1 of the paper."""
        weight, mean = self.config.off_diagonal_weight, self.config.mean
        return {"loss": barlow_twins(embeddings["a"], embeddings["b"], weight, mean)}
