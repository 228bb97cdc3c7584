"""An encoder of several levels: SimCLR projects and compares each on its own, and averages (Choi et al. 2022)."""

from __future__ import annotations

from typing import Any

import pytest
import slow_losses
import torch
from torch import Tensor

from benchmark.encoders.cnn_small import CNNSmall
from benchmark.modules import Encoder
from benchmark.testing import check_strategy, random_batch
from strategies.heads import mlp
from strategies.losses import nt_xent
from strategies.simclr import SimCLR, SimCLRConfig

WITHIN = {"negatives": "within", "positives": "disjoint", "seconds": 1.0}
each_kind_of_negatives = pytest.mark.parametrize("options", [{"seconds": 1.0}, WITHIN], ids=["between", "within"])


class ThreeLevels(CNNSmall):
    """Its 192 dimensions, read as three levels of 64."""

    levels = 3


def _built(cls: type[Encoder], **options: Any) -> tuple[SimCLR, dict[str, Tensor]]:
    """A strategy with a plain projector, in float64, and views."""
    torch.manual_seed(0)
    strategy = SimCLR(cls(), SimCLRConfig(norm=False, hidden=(32,), projection=16, preset="crop_only", **options))
    batch = random_batch(SimCLR.crops(strategy.config), CNNSmall.sample_rate, size=4)
    views = strategy.views(batch, torch.Generator().manual_seed(0))
    return strategy.double(), {name: view.double() for name, view in views.items()}


def _loss(strategy: SimCLR, views: dict[str, Tensor]) -> Tensor:
    return strategy.loss(strategy.embed(views))["loss"]


def _slow_level(strategy: SimCLR, frames: dict[str, Tensor], k: int) -> Tensor:
    """The loss of level k from frames (..., F, 192): its 64 dimensions, its two matrices, the paper's sums."""
    first, second = (p for name, p in strategy.named_parameters() if name.startswith(f"projectors.{k}."))
    z = {
        name: (x.mean(dim=-2)[..., 64 * k : 64 * (k + 1)] @ first.T).clamp(min=0) @ second.T
        for name, x in frames.items()
    }
    temperature = strategy.config.temperature
    if "others" not in z:
        return slow_losses.nt_xent(z["a"], z["b"], temperature)
    return slow_losses.info_nce(z["a"], z["b"], z["others"], temperature, True)


@each_kind_of_negatives
def test_the_loss_is_the_mean_of_the_losses_of_the_levels(options: dict[str, Any]) -> None:
    strategy, views = _built(ThreeLevels, **options)
    strategy.encoder.eval()  # so that views may be embedded one by one
    frames = {name: strategy.encoder.body(view.flatten(0, -3)) for name, view in views.items()}
    frames = {name: x.unflatten(0, views[name].shape[:-2]) for name, x in frames.items()}
    slow = torch.stack([_slow_level(strategy, frames, k) for k in range(3)])
    assert slow.std() > 1e-3, "else any one of them would do"
    fast = _loss(strategy, views)
    torch.testing.assert_close(fast, slow.mean())
    weights = [p for p in strategy.parameters() if p.requires_grad]
    for x, y in zip(torch.autograd.grad(fast, weights), torch.autograd.grad(slow.mean(), weights), strict=True):
        torch.testing.assert_close(x, y)


@each_kind_of_negatives
@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_projector_learns_as_if_it_were_the_only_one(options: dict[str, Any], k: int) -> None:
    strategy, views = _built(ThreeLevels, **options)
    own = list(strategy.projectors[k].parameters())
    before = torch.autograd.grad(_loss(strategy, views), own)
    with torch.no_grad():
        for p in (p for i, other in enumerate(strategy.projectors) if i != k for p in other.parameters()):
            p.add_(torch.randn_like(p))
    after = torch.autograd.grad(_loss(strategy, views), own)
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    assert all(x.norm() > 0 for x in before)


def test_one_level_is_simclr_bit_for_bit() -> None:
    """The encoder, then one projector of the whole embedding, are drawn in this order; one loss is taken."""
    torch.manual_seed(0)
    strategy = SimCLR(CNNSmall(), SimCLRConfig())
    torch.manual_seed(0)
    encoder = CNNSmall()
    projector = mlp([192, 192, 128], norm=True)
    batch = random_batch(SimCLR.crops(strategy.config), CNNSmall.sample_rate)
    views = strategy.views(batch, torch.Generator().manual_seed(0))
    z = projector(encoder.body(torch.cat([views["a"], views["b"]])).mean(dim=1))
    expected, loss = nt_xent(*z.chunk(2), 0.1), _loss(strategy, views)
    assert torch.equal(loss, expected)
    loss.backward()
    expected.backward()
    twin = [*encoder.parameters(), *projector.parameters()]
    learned = [p for p in strategy.parameters() if p.requires_grad]
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(learned, twin, strict=True))


def test_with_positives_at_one_place_every_other_crop_is_a_negative() -> None:
    """Choi et al.'s code: the anchor's place again, shifted on its own, against all the rest of the track."""
    config = SimCLRConfig(preset="clmr", positives="self", negatives="within", others=3, seconds=0.5)
    strategy = SimCLR(CNNSmall(), config)
    batch = random_batch(SimCLR.crops(config), CNNSmall.sample_rate, size=4)
    assert batch.crops.shape[1] == 1 + 3
    plain = SimCLR(CNNSmall(), config.model_copy(update={"preset": "crop_only"}))
    views = plain.views(batch, torch.Generator().manual_seed(0))
    expected = CNNSmall().features(batch.crops.flatten(0, 1)).unflatten(0, (4, 4))
    torch.testing.assert_close(views["a"], expected[:, 0])
    torch.testing.assert_close(views["b"], expected[:, 0])
    torch.testing.assert_close(views["others"], expected[:, 1:])
    heard = strategy.views(batch, torch.Generator().manual_seed(0))
    assert not torch.allclose(heard["a"], heard["b"])


@each_kind_of_negatives
def test_several_levels_keep_the_contract(options: dict[str, Any]) -> None:
    check_strategy(SimCLR, ThreeLevels, SimCLRConfig(**options))
