"""COLA: which of the batch's crops is from my track, by a learned bilinear similarity? (Saeed et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Encoder
from strategies.heads import bilinear_form, tanh_projector
from strategies.losses import bilinear_nce
from strategies.pairs import PairConfig, Pairs
from strategies.views import Preset


class COLAConfig(PairConfig):
    """Options of COLA. Its code adds noise (.001 a sample, of clips of norm 1) to one crop of each pair; not ours."""

    preset: Preset = "crop_only"
    projection: int = 512


class COLA(Pairs):
    """Two crops of a track, as they are, find each other among the crops of all other tracks."""

    info = Info("cola", "COLA", "Saeed et al. 2021; the base of MSCOL (Garoufis et al. 2023)", version=1)
    family = "contrastive"
    learning_rate = 3e-3
    Config = COLAConfig

    def __init__(self, encoder: Encoder, config: COLAConfig) -> None:
        super().__init__(encoder, config)
        self.projector = tanh_projector(encoder.embedding_dim, config.projection)
        self.similarity = bilinear_form(config.projection)

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy over the batch, from the first crops to the second."""
        return {"loss": bilinear_nce(embeddings["a"], embeddings["b"], self.similarity)}
