"""Two views of a track: what most pretext tasks hear. Choi et al.'s axis of positives is an option of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.modules import Batch, Crops, Placement, Strategy
from strategies.heads import pool
from strategies.views import ViewConfig, augmented

Positives = Literal["self", "adjacent", "random", "disjoint"]
_PLACEMENT: dict[str, Placement] = {"self": "same", "adjacent": "adjacent", "random": "random", "disjoint": "disjoint"}


def each_view(network: Callable[..., Tensor], fused: bool, *inputs: Sequence[Tensor]) -> list[Tensor]:
    """Like `map`: the output for each view; but in one forward for all of them if `fused`.

    Args:
        network: takes one tensor of each of `inputs`, (N, ...) each.
        fused: concatenate the views first, so that BatchNorm takes its statistics over all of them.
        inputs: a tensor per view; views may differ in N.
    """
    if not fused:
        return list(map(network, *inputs))
    output = network(*(torch.cat(list(views)) for views in inputs))
    return list(torch.split_with_sizes(output, [len(view) for view in inputs[0]]))


class PairConfig(ViewConfig):
    """Options of all pretext tasks on two views.

    Attributes:
        positives: where the second crop lies: at the same place, next to the first, anywhere, or anywhere without
            overlap (Choi et al. 2022).
        seconds: length of a crop.
        fuse_views: whether both views go through the network as one batch or one after the other. Under BatchNorm these
            are different objectives, so the default is each paper's choice, not a matter of speed. One batch: SimCLR
            (Chen et al. 2020; its code concatenates the views), COLA, SemiSupCon. One after the other: BYOL, Barlow
            Twins, VICReg, and the codes of CLMR, of the multi-view study and of Choi et al. for all that they train.
    """

    #: whether two views of one crop differ by something else than augmentation
    differ: ClassVar[bool] = False

    positives: Positives = "random"
    seconds: float = Field(default=3.0, gt=0)
    fuse_views: bool = True

    @model_validator(mode="after")
    def _views_differ(self) -> Self:
        if self.positives == "self" and not self.differ and self.preset in ("crop_only", "none"):
            raise ValueError("positives 'self' without augmentation makes equal views: choose another preset")
        return self


class Pairs(Strategy):
    """Hears two crops of each track, makes an augmented view of each, `a` and `b`, and projects both."""

    projector: nn.Module

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """Two crops, placed as the option `positives` says."""
        return Crops(count=2, seconds=config.seconds, placement=_PLACEMENT[config.positives])

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Both views, augmented as one batch."""
        crops = batch.crops[:, :2].transpose(0, 1).flatten(0, 1)
        a, b = augmented(crops, self.encoder, self.config, generator, crops_per_track=2).chunk(2)
        return {"a": a, "b": b}

    def project(self, features: Tensor) -> Tensor:
        """Features (B, bands, frames) to the projection of their pooled embedding, (B, D)."""
        projection: Tensor = self.projector(pool(self.encoder.body(features)))
        return projection

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Projections of both views, (B, D) each."""
        a, b = each_view(self.project, self.config.fuse_views, [views["a"], views["b"]])
        return {"a": a, "b": b}
