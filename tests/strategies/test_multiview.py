"""The multi-view study's rows, against the released code: the sizes, kinds and temperatures of their heads."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

from benchmark.encoders.resnet import ResNet
from benchmark.modules import Strategy
from benchmark.scheduler.grid_files import load
from benchmark.scheduler.planning.rows import rows
from strategies.dino import DINO

#: rows with the study's common head, by where it lies
COMMON = {
    "contrastive": "projectors.0",
    "byol": "student.head",
    "barlow_twins": "projector",
    "vicreg": "projector",
}
each_common = pytest.mark.parametrize("name", COMMON)


@functools.cache
def _row(name: str) -> Strategy:
    torch.manual_seed(0)
    row = next(row for row in rows(load("multiview")) if row.name == name)
    strategy: Strategy = row.cls(ResNet(), row.config)
    return strategy


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _slow(head: nn.Module, x: Tensor) -> Tensor:
    """Weights without biases; all layers but the last through BatchNorm on the batch, and ReLU."""
    *hidden, last = (p for p in head.parameters() if p.ndim == 2)
    for weight in hidden:
        x = x @ weight.T
        x = ((x - x.mean(dim=0)) / (x.var(dim=0, correction=0) + 1e-5).sqrt()).clamp(min=0)
    return x @ last.T


@each_common
def test_the_common_head_is_the_released_one(name: str) -> None:
    """1024-1024-1024-2048: 4.198 M parameters."""
    head = _row(name).get_submodule(COMMON[name])
    assert _parameters(head) == 4_198_400
    x = torch.randn(16, 1024, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(head(x), _slow(head, x), rtol=1e-4, atol=1e-5)


def test_byol_predicts_through_256() -> None:
    predictor = _row("byol").get_submodule("predictor")
    assert _parameters(predictor) == 2 * 2048 * 256 + 2 * 256
    x = torch.randn(16, 2048, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(predictor(x), _slow(predictor, x), rtol=1e-4, atol=1e-5)


def test_the_clustering_head_is_the_released_one() -> None:
    """Three layers with BatchNorm and ReLU, 1024-1024-256, then a plain linear one to 4,096 clusters."""
    strategy = _row("clustering")
    for branch in ("student", "teacher"):
        head = strategy.get_submodule(f"{branch}.head")
        assert [p.shape[0] for p in head.parameters() if p.ndim == 2] == [1024, 1024, 256, 4096]
        assert _parameters(head) == 3_412_480
        x = torch.randn(16, 1024, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(head(x), _slow(head, x), rtol=1e-4, atol=1e-5)


def test_the_default_clusters_by_cosine_as_dino_does() -> None:
    """Scaling a prototype changes nothing there, and everything in the study's head."""
    torch.manual_seed(0)
    x = torch.randn(16, 1024)
    for strategy, by_cosine in ((DINO(ResNet(), DINO.Config(prototypes=32)), True), (_row("clustering"), False)):
        head = strategy.get_submodule("teacher.head")
        *_, prototypes = (p for p in head.parameters() if p.ndim == 2)
        before = head(x)
        with torch.no_grad():
            prototypes.mul_(2)
        assert torch.allclose(head(x), before, atol=1e-6) == by_cosine
        assert not by_cosine or float(before.abs().max()) <= 1 + 1e-6
        with torch.no_grad():
            prototypes.div_(2)


def test_the_clustering_teacher_softens_and_its_centre_moves_as_released() -> None:
    config = _row("clustering").config
    assert (config.student_temperature, config.teacher_temperature) == (0.1, (0.02, 0.04))
    assert config.centre_momentum == 0.9


@pytest.mark.parametrize("row", ["byol", "clustering"])
def test_the_teachers_momentum_stays_where_the_released_one_hardly_moves(row: str) -> None:
    """Theirs is on a cosine from .996 to 1 over 999 epochs, of which a training has far fewer."""
    config = _row(row).config
    assert [config.teacher_decay(step, 1000, 128.0) for step in (1, 500, 1000)] == pytest.approx([0.996] * 3)


def test_the_losses_weights_and_forms_are_the_released_ones() -> None:
    vicreg, barlow = _row("vicreg").config, _row("barlow_twins").config
    assert (vicreg.invariance, vicreg.variance, vicreg.covariance, vicreg.correlation) == (1, 1, 1, True)
    assert (barlow.off_diagonal_weight, barlow.mean) == (1, True)
    assert _row("contrastive").config.temperature == 0.1


@pytest.mark.parametrize("name", ["reference", "full", "strategies"])
def test_the_common_grids_keep_the_papers_vicreg(name: str) -> None:
    """Bardes et al.: 25/25/1 of covariances."""
    configs = [row.config for row in rows(load(name)) if row.cls.info.name == "vicreg"]
    assert configs
    for config in configs:
        assert (config.invariance, config.variance, config.covariance, config.correlation) == (25, 25, 1, False)
