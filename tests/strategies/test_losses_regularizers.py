"""Barlow Twins, VICReg, DINO: closed forms, collapse, an independent library."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import VICRegLoss
from scipy.linalg import hadamard
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from strategies.losses import standardized
from strategies.regularizers import barlow_twins, dino, moved_centre, vicreg


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def _orthogonal() -> Tensor:
    """(8, 4): mean 0, biased variance 1, correlation 0, exactly."""
    return torch.tensor(hadamard(8)[:, 1:5], dtype=torch.float64)


def test_vicreg_is_the_librarys_with_the_official_weights() -> None:
    a, b = _normal(16, 8), _normal(16, 8, seed=1)
    loss = vicreg(a, b, 25.0, 25.0, 1.0)
    library = VICRegLoss(invariance_lambda=25, variance_mu=25, covariance_v=1)(a, ref_emb=b)
    assert loss.item() == pytest.approx(library.item(), rel=1e-6)
    for x, y in zip(torch.autograd.grad(loss, (a, b)), torch.autograd.grad(library, (a, b)), strict=True):
        assert (x - y).norm() < 1e-6 * y.norm()


def test_vicreg_terms_by_hand() -> None:
    z = 2 * _orthogonal()
    assert vicreg(z, z, 25.0, 25.0, 1.0).item() == pytest.approx(0.0, abs=1e-12)
    assert vicreg(z, z + 3, 25.0, 25.0, 1.0).item() == pytest.approx(25 * 9, rel=1e-9)
    pair = z[:, [0, 0]]  # covariance 4 * 8 / 7 twice off the diagonal, over D = 2, in both views
    assert vicreg(pair, pair, 25.0, 25.0, 1.0).item() == pytest.approx(2 * (32 / 7) ** 2, rel=1e-9)
    one, half = _orthogonal() * math.sqrt(7 / 8), _orthogonal() * math.sqrt(7 / 8) / 2
    hinge = 1 - math.sqrt(0.25 + 1e-4)
    assert vicreg(one, half, 0.0, 25.0, 1.0).item() == pytest.approx(25 * hinge / 2, rel=1e-9)


def _views(correlation: float) -> tuple[Tensor, Tensor]:
    """Standard normal, of the multi-view study's size: D = 2,048, N = 256."""
    a, noise = _normal(256, 2048).detach(), _normal(256, 2048, seed=1).detach()
    b = correlation * a + math.sqrt(1 - correlation**2) * noise
    return a.requires_grad_(), b.requires_grad_()


def _study(a: Tensor, b: Tensor) -> Tensor:
    """The multi-view study's 1/1/1, with NumPy's idea of a correlation (N / (N - 1) more in its code)."""
    n, d = a.shape
    deviations = torch.cat([torch.relu(1 - (z.var(dim=0) + 1e-5).sqrt()) for z in (a, b)])
    matrices = [torch.corrcoef(z.T) * n / (n - 1) for z in (a, b)]
    off = sum(m.square().sum() - m.diagonal().square().sum() for m in matrices) / (2 * d * (d - 1))
    return (a - b).square().mean() + deviations.mean() + off


def test_vicreg_by_correlation_is_the_multi_view_studys() -> None:
    """The paper's form, measured against the study's code: covariance term 4,050 times, gradient cosine .35."""
    views = _views(0.6)
    option, paper = vicreg(*views, 1.0, 1.0, 1.0, correlation=True), vicreg(*views, 1.0, 1.0, 1.0)
    study = _study(*views)
    assert option.item() == pytest.approx(study.item(), rel=1e-4)
    gradients = [torch.cat([g.flatten() for g in torch.autograd.grad(loss, views)]) for loss in (option, paper, study)]
    ours, bardes, theirs = (gradient / gradient.norm() for gradient in gradients)
    assert float(ours @ theirs) > 0.9999
    assert float(bardes @ theirs) == pytest.approx(0.35, abs=0.02)
    third = [vicreg(*views, 0.0, 0.0, 1.0, correlation=way).item() for way in (False, True)]
    assert third[0] / third[1] == pytest.approx(4050, rel=0.01)


def test_covariances_shrink_wide_embeddings_and_correlations_do_not() -> None:
    """The scale that each form likes best, measured as .24 and 1.0."""
    a, b = (z.detach().float() for z in _views(0.9))

    def best(correlation: bool) -> float:
        scales = (0.20, 0.22, 0.24, 0.26, 0.28, 0.9, 0.95, 1.0, 1.05, 1.1)
        return min(scales, key=lambda s: vicreg(s * a, s * b, 1.0, 1.0, 1.0, correlation).item())

    assert (best(correlation=False), best(correlation=True)) == (0.24, 1.0)


def test_barlow_twins_known_answers() -> None:
    z = _orthogonal()
    assert barlow_twins(1000 * z, 1000 * z, 1.0).item() == pytest.approx(0.0, abs=1e-12)
    assert barlow_twins(1000 * z, -1000 * z, 1.0).item() == pytest.approx(4 * 4, rel=1e-9)
    pair = 1000 * z[:, [0, 0]]
    assert barlow_twins(pair, pair, 0.005).item() == pytest.approx(0.005 * 2, rel=1e-6)
    assert barlow_twins(pair, pair, 0.005, mean=True).item() == pytest.approx(0.005, rel=1e-6)


def test_the_diagonal_reaches_one_in_a_small_batch() -> None:
    """With an unbiased deviation and a division by N it would stop at 3 / 4: loss 2 / 16."""
    z = 1000 * _normal(4, 2)
    assert barlow_twins(z, z, 0.0).item() < 1e-12


def test_barlow_twins_ignores_scale_and_offset_of_a_dimension() -> None:
    a, b = 100 * _normal(16, 4), 100 * _normal(16, 4, seed=1)
    other = a * torch.tensor([1.0, 2.0, 3.0, 4.0]) + torch.tensor([0.0, 50.0, -20.0, 7.0])
    assert barlow_twins(other, b, 0.1).item() == pytest.approx(barlow_twins(a, b, 0.1).item(), rel=1e-6)


def test_collapse_has_a_value_and_a_gradient() -> None:
    constant = torch.ones(8, 4, requires_grad=True)
    collapsed = {
        "barlow_twins": (barlow_twins(constant, constant, 0.005), 4.0),
        "barlow_twins, mean": (barlow_twins(constant, constant, 1.0, mean=True), 1.0),
        "vicreg": (vicreg(constant, constant, 25.0, 25.0, 1.0), 25 * (1 - math.sqrt(1e-4))),
        "dino": (dino(constant, constant, torch.zeros(4), 0.1, 0.04), math.log(4)),
    }
    for loss, expected in collapsed.values():
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        (gradient,) = torch.autograd.grad(loss, constant, retain_graph=True)
        assert gradient.isfinite().all()


def test_dino_known_answers() -> None:
    sharp = 100 * torch.eye(6).double()
    zero = torch.zeros(6).double()
    assert dino(sharp, sharp, zero, 0.1, 0.04).item() == pytest.approx(0.0, abs=1e-9)
    assert dino(0 * sharp, sharp, zero, 0.1, 0.04).item() == pytest.approx(math.log(6), rel=1e-9)
    assert dino(sharp / 1000, sharp, zero, 0.1, 0.04).item() == pytest.approx(math.log(math.e + 5) - 1, rel=1e-9)


def test_the_dino_teacher_is_centered_and_gets_no_gradient() -> None:
    student, teacher, centre = _normal(6, 4), _normal(6, 4, seed=1), _normal(4, seed=2)
    loss = dino(student, teacher, centre, 0.1, 0.04)
    assert loss.item() == pytest.approx(dino(student, teacher - centre, 0 * centre, 0.1, 0.04).item(), rel=1e-9)
    loss.backward()
    assert student.grad is not None
    assert teacher.grad is None
    assert centre.grad is None


def test_the_centre_moves_in_closed_form() -> None:
    logits, start = _normal(6, 4), torch.ones(4).double()
    centre = start
    for _ in range(5):
        centre = torch.compile(moved_centre, fullgraph=True, backend="eager")(centre, logits, 0.9)
    torch.testing.assert_close(centre, logits.mean(dim=0) + 0.9**5 * (start - logits.mean(dim=0)), check_dtype=True)
    assert not centre.requires_grad
    assert moved_centre(torch.zeros(4), logits.bfloat16(), 0.9).dtype == torch.float32


def test_standardized_targets_share_nothing() -> None:
    target = 5 + torch.randn(200, 3, dtype=torch.float64) * torch.tensor([1.0, 10.0, 0.1])
    found = standardized(target)
    np.testing.assert_allclose(found, StandardScaler().fit_transform(target.numpy()), rtol=1e-3)
    assert torch.equal(standardized(torch.ones(8, 2)), torch.zeros(8, 2))
