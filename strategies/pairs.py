"""Two views of a track: what most pretext tasks hear. Choi et al.'s axis of positives is an option of all of them."""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from benchmark.modules import Batch, Crops, Placement, Strategy
from strategies.views import ViewConfig, augmented

Positives = Literal["self", "adjacent", "random", "disjoint"]
_PLACEMENT: dict[str, Placement] = {"self": "same", "adjacent": "adjacent", "random": "random", "disjoint": "disjoint"}


class PairConfig(ViewConfig):
    """Options of all pretext tasks on two views.

    Attributes:
        positives: where the second crop lies: at the same place, next to the first, anywhere, or anywhere without
            overlap (Choi et al. 2022).
        seconds: length of a crop.
    """

    positives: Positives = "random"
    seconds: float = Field(default=3.0, gt=0)

    @model_validator(mode="after")
    def _views_differ(self) -> Self:
        if self.positives == "self" and self.preset in ("crop_only", "none"):
            raise ValueError("positives 'self' without augmentation makes equal views: choose another preset")
        return self


class Pairs(Strategy):
    """Hears two crops of each track, and makes an augmented view of each: `a` and `b`, (B, bands, frames)."""

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """Two crops, placed as the option `positives` says."""
        return Crops(count=2, seconds=config.seconds, placement=_PLACEMENT[config.positives])

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Both views, augmented as one batch."""
        crops = batch.crops[:, :2].transpose(0, 1).flatten(0, 1)
        a, b = augmented(crops, self.encoder, self.config, generator).chunk(2)
        return {"a": a, "b": b}
