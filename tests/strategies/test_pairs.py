"""Two views in one forward or one each: under BatchNorm different objectives, so every strategy's choice is pinned."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark import registry
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.testing import random_batch

FUSED = ("simclr", "cola", "semisupcon", "masked_contrastive")
SPLIT = ("byol", "dino", "barlow_twins", "vicreg", "multi_source")


class Counting(CNNSmall):
    """Notes how many examples each forward of the body holds."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def body(self, features: Tensor) -> Tensor:
        self.sizes.append(len(features))
        return super().body(features)


@pytest.mark.parametrize(("name", "sizes"), [*((n, [16]) for n in FUSED), *((n, [8, 8]) for n in SPLIT)])
def test_batch_norm_sees_the_views_as_in_the_paper(name: str, sizes: list[int]) -> None:
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    encoder = Counting()
    strategy = cls(encoder, cls.Config())
    batch = random_batch(cls.crops(strategy.config), encoder.sample_rate)
    strategy.embed(strategy.views(batch, torch.Generator().manual_seed(0)))
    assert encoder.sizes == sizes
    assert getattr(cls, "fuse_views", False) == (len(sizes) == 1)
