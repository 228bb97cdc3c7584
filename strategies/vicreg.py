"""VICReg: views agree, dimensions keep their variance and lose their covariance (Bardes et al. 2022)."""

from __future__ import annotations

from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.heads import mlp
from strategies.pairs import PairConfig, Pairs
from strategies.regularizers import vicreg


class VICRegConfig(PairConfig):
    """Options of VICReg: the paper's weights (section 4.2); its expander is 8,192 wide.

    Attributes:
        correlation: mean squared correlations in place of summed squared covariances, as in the multi-view study, whose
            weights are 1, 1 and 1.
    """

    fuse_views: bool = False  # as in the official code
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    correlation: bool = False
    hidden: tuple[int, ...] = (512, 512)
    projection: int = 512


class VICReg(Pairs):
    """Invariance, variance, covariance: collapse is prevented term by term, without negatives or a teacher."""

    info = Info("vicreg", "VICReg", "Bardes et al. 2022; Meseguer-Brocal et al. 2024", version=2)
    family = "redundancy reduction"
    learning_rate = 3e-3
    Config = VICRegConfig

    def __init__(self, encoder: Encoder, config: VICRegConfig) -> None:
        super().__init__(encoder, config)
        self.projector = mlp([encoder.embedding_dim, *config.hidden, config.projection], norm=True, bias=False)

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weighted sum of the three terms."""
        weights = self.config.invariance, self.config.variance, self.config.covariance
        return {"loss": vicreg(embeddings["a"], embeddings["b"], *weights, self.config.correlation)}
