"""Losses against closed forms, slow twins and an independent library."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss

from strategies.ema import cosine_decay, follow, teacher_of
from strategies.losses import byol_regression, nt_xent


def _views(n: int = 12, dim: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(n, dim, generator=generator).requires_grad_() for _ in range(2))
    return a, b


def _slow_nt_xent(a: torch.Tensor, b: torch.Tensor, temperature: float) -> torch.Tensor:
    """Equation 1 of Chen et al., term by term, in float64."""
    z = torch.cat([a, b]).double()
    n, total = len(a), torch.zeros((), dtype=torch.float64)
    for i in range(2 * n):
        similarity = [torch.cosine_similarity(z[i], z[k], dim=0) / temperature for k in range(2 * n)]
        others = torch.stack([similarity[k] for k in range(2 * n) if k != i])
        total = total - similarity[(i + n) % (2 * n)] + torch.logsumexp(others, dim=0)
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_equals_the_paper_and_the_library(temperature: float) -> None:
    a, b = _views()
    loss = nt_xent(a, b, temperature)
    slow = _slow_nt_xent(a, b, temperature)
    library = SupConLoss(temperature=temperature)(torch.cat([a, b]), torch.arange(len(a)).repeat(2))
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    assert loss.item() == pytest.approx(library.item(), rel=1e-5)
    ours = torch.autograd.grad(loss, (a, b))
    theirs = torch.autograd.grad(slow, (a, b))
    for x, y in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-6)


def test_nt_xent_known_answers() -> None:
    n, temperature = 6, 0.2
    same = torch.ones(n, 4)
    assert nt_xent(same, same, temperature).item() == pytest.approx(math.log(2 * n - 1), rel=1e-5)
    orthogonal = torch.eye(n)
    expected = math.log(1 + (2 * n - 2) * math.exp(-1 / temperature))
    assert nt_xent(orthogonal, orthogonal, temperature).item() == pytest.approx(expected, rel=1e-4)


def test_nt_xent_ignores_scale_and_order() -> None:
    a, b = _views()
    order = torch.randperm(len(a), generator=torch.Generator().manual_seed(1))
    value = nt_xent(a, b, 0.1).item()
    assert nt_xent(3 * a, 0.5 * b, 0.1).item() == pytest.approx(value, rel=1e-5)
    assert nt_xent(a[order], b[order], 0.1).item() == pytest.approx(value, rel=1e-5)
    assert abs(nt_xent(a, b[order], 0.1).item() - value) > 1e-3


def test_losses_are_float32_under_bf16() -> None:
    a, b = _views(64, 128)
    with torch.autocast("cpu", torch.bfloat16):
        loss = nt_xent(a.bfloat16(), b.bfloat16(), 0.1)
        assert byol_regression(a.bfloat16(), b.bfloat16()).dtype == torch.float32
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(nt_xent(a, b, 0.1).item(), rel=0.03)


def test_byol_regression_known_answers() -> None:
    a, b = _views()
    assert byol_regression(a, 2 * a).item() == pytest.approx(0.0, abs=1e-5)
    assert byol_regression(a, -a).item() == pytest.approx(4.0, abs=1e-5)
    byol_regression(a, b).backward()
    assert a.grad is not None
    assert b.grad is None, "the teacher's side must get no gradient"


def test_the_teacher_follows_in_closed_form() -> None:
    student = torch.nn.Linear(3, 2)
    teacher = teacher_of(student)
    start = teacher.weight.clone()
    with torch.no_grad():
        student.weight += 1
    for _ in range(5):
        follow(teacher, student, 0.9)
    torch.testing.assert_close(teacher.weight, student.weight - 0.9**5 * (student.weight - start))
    assert not any(p.requires_grad for p in teacher.parameters())
    assert cosine_decay(0.9, 0, 10) == pytest.approx(0.9)
    assert cosine_decay(0.9, 10, 10) == pytest.approx(1.0)
