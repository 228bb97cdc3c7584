"""Contrastive and regression losses: closed forms, an independent library, the semi-supervised mask."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor

from strategies.losses import (
    bilinear_nce,
    bilinear_null_nce,
    byol_regression,
    info_nce,
    masked_regression,
    nt_xent,
    semi_supervised_positives,
    sup_con,
)


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def _same(loss: Tensor, other: Tensor, *inputs: Tensor) -> None:
    assert loss.item() == pytest.approx(other.item(), rel=1e-6)
    for x, y in zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(other, inputs), strict=True):
        assert (x - y).norm() < 1e-6 * y.norm()


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_is_the_librarys(temperature: float) -> None:
    a, b = _normal(12, 8), _normal(12, 8, seed=1)
    library = SupConLoss(temperature=temperature)(torch.cat([a, b]), torch.arange(12).repeat(2))
    _same(nt_xent(a, b, temperature), library, a, b)


@pytest.mark.parametrize("classes", [[0, 0, 0, 1, 1, 2, 2, 2, 2], [0, 0, 1, 1, 2, 3, 4, 5, 6]])
def test_sup_con_is_the_librarys(classes: list[int]) -> None:
    """Classes of one member are anchors without positives: not counted, but negatives of the others."""
    z, label = _normal(9, 8), torch.tensor(classes)
    _same(sup_con(z, label[:, None] == label, 0.1), SupConLoss(temperature=0.1)(z, label), z)


def test_nt_xent_known_answers() -> None:
    n, temperature = 6, 0.2
    same = torch.ones(n, 4)
    assert nt_xent(same, same, temperature).item() == pytest.approx(math.log(2 * n - 1), rel=1e-6)
    orthogonal = torch.eye(n).double()
    expected = math.log(1 + (2 * n - 2) * math.exp(-1 / temperature))
    assert nt_xent(orthogonal, orthogonal, temperature).item() == pytest.approx(expected, rel=1e-9)
    apart = nt_xent(_normal(n, 10_000), _normal(n, 10_000, seed=1), temperature).item()
    assert apart == pytest.approx(math.log(2 * n - 1), abs=0.05)


def test_a_hard_positive_is_not_capped() -> None:
    """Opposite views: 1 / 0.05 below the best negative's 1 / 0.05; 1e-6 in the logarithm would stop at 13.8."""
    e = torch.tensor([[1.0, 0.0]]).double()
    z, track = torch.cat([e, e, -e, -e]), torch.tensor([0, 1, 0, 1])
    expected = 40 + math.log(1 + 2 * math.exp(-40))
    assert sup_con(z, track[:, None] == track, 0.05).item() == pytest.approx(expected, rel=1e-9)


def test_sup_con_of_no_positives_is_zero_and_the_diagonal_is_ignored() -> None:
    z = _normal(6, 4)
    nothing = sup_con(z, torch.eye(6), 0.1)
    (gradient,) = torch.autograd.grad(nothing, z)
    assert nothing.item() == 0
    assert torch.equal(gradient, torch.zeros_like(z))
    weights = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sup_con(z, weights, 0.1), sup_con(z, weights.fill_diagonal_(0.7), 0.1))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", [torch.zeros(12, 3), torch.eye(12)], ids=["no labels", "a class per track"])
def test_without_shared_labels_it_is_nt_xent(labels: Tensor, weighted: bool) -> None:
    a, b, track = _normal(12, 8), _normal(12, 8, seed=1), torch.arange(12).repeat(2)
    positives = semi_supervised_positives(track, labels.repeat(2, 1), 1, weighted)
    loss, expected = sup_con(torch.cat([a, b]), positives, 0.1), nt_xent(a, b, 0.1)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    _same(loss, expected, a, b)


@pytest.mark.parametrize(
    ("threshold", "weighted", "expected"),
    [
        (1, False, [1, 1, 0, 0]),
        (2, False, [1, 0, 0, 0]),
        (1, True, [1, 2 / 3, 0, 0]),
    ],
)
def test_positives_by_hand(threshold: int, weighted: bool, expected: list[float]) -> None:
    """Tags {0, 1}, {1}, {2} and none; two views each, that of the same track at distance 4."""
    labels = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]).float().repeat(2, 1)
    positives = semi_supervised_positives(torch.arange(4).repeat(2), labels, threshold, weighted)
    torch.testing.assert_close(positives[0], torch.tensor(expected).float().repeat(2))
    torch.testing.assert_close(positives, positives.T)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("threshold", [0, 1, 2])
def test_an_unlabeled_clip_has_its_own_other_view_and_no_other_positive(threshold: int, weighted: bool) -> None:
    labels = (torch.rand(20, 5, generator=torch.Generator().manual_seed(0)) < 0.6).float()
    labels[::2] = 0
    positives = semi_supervised_positives(torch.arange(20).repeat(2), labels.repeat(2, 1), threshold, weighted)
    unlabeled = torch.arange(40) % 2 == 0
    assert torch.equal(positives[unlabeled], torch.eye(20).repeat(2, 2)[unlabeled])
    assert positives[~unlabeled].sum() > 40, "the labeled ones do have others"


def test_tags_are_counted_exactly_under_bf16() -> None:
    labels = torch.ones(2, 303).bfloat16()  # 303 is no bf16 number: it rounds to 304
    with torch.autocast("cpu", torch.bfloat16):
        assert semi_supervised_positives(torch.arange(2), labels, 303, weighted=False).sum() == 4
        assert semi_supervised_positives(torch.arange(2), labels, 304, weighted=False).sum() == 2


def test_bilinear_known_answers() -> None:
    a = torch.eye(6).double()
    assert bilinear_nce(a, a, 0 * a).item() == pytest.approx(math.log(6), rel=1e-9)
    assert bilinear_nce(a, a, 3 * a).item() == pytest.approx(math.log(1 + 5 * math.exp(-3)), rel=1e-9)
    shift = a.roll(1, dims=1)  # a_i W = e_(i+1): W, not its transpose
    assert bilinear_nce(a, a.roll(-1, dims=0), 30 * shift).item() < 1e-6
    assert bilinear_nce(a, a.roll(-1, dims=0), 30 * shift.T).item() > 10


def test_the_null_source() -> None:
    a, p, weight = _normal(6, 4), _normal(6, 4, seed=1), _normal(4, 4, seed=2)
    everywhere = torch.ones(6, dtype=torch.bool)
    _same(bilinear_null_nce(a, p, weight, everywhere), bilinear_nce(a, p, weight), a, p, weight)
    nowhere = bilinear_null_nce(a, p, weight, ~everywhere)
    assert nowhere.item() == 0
    assert all(torch.equal(g, torch.zeros_like(g)) for g in torch.autograd.grad(nowhere, (a, p, weight)))
    some = torch.tensor([True, False, True, True, False, True])
    undecided = bilinear_null_nce(a, p, torch.zeros(4, 4).double(), some).item()
    assert undecided == pytest.approx(math.log(4 + 1), rel=1e-9), "four sources and the null source"
    with torch.no_grad():
        spread = torch.tensor([0.0, 1, 0, 0, -1, 0])[:, None] * _normal(4, seed=3)
    _same(bilinear_null_nce(a, p + spread, weight, some), bilinear_null_nce(a, p, weight, some), a, p, weight)


def test_info_nce_known_answers() -> None:
    e = torch.eye(8).double()
    batch = info_nce(e, 5 * e, temperature=0.5, normalize=True).item()
    assert batch == pytest.approx(math.log(1 + 7 * math.exp(-2)), rel=1e-9)
    dot = info_nce(e, 5 * e, temperature=1.0, normalize=False).item()
    assert dot == pytest.approx(math.log(1 + 7 * math.exp(-5)), rel=1e-9)
    negatives = torch.stack([e.roll(k, dims=0) for k in (1, 2, 3)], dim=1)
    own = info_nce(e, e, negatives, temperature=0.5, normalize=True).item()
    assert own == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-9)


def test_byol_regression_known_answers() -> None:
    a, b = _normal(3, 4, 8), _normal(3, 4, 8, seed=1)
    assert byol_regression(a, 2 * a).item() == pytest.approx(0.0, abs=1e-9)
    assert byol_regression(a, -a).item() == pytest.approx(4.0, rel=1e-9)
    byol_regression(a, b).backward()
    assert a.grad is not None
    assert b.grad is None, "the teacher's side must get no gradient"


def test_masked_regression_known_answers() -> None:
    target, mask = _normal(3, 4, 8), torch.tensor([[True, False, False, True]] * 3)
    prediction = (target.detach() + torch.where(mask, 2.0, 1e6)[..., None]).requires_grad_()
    loss = masked_regression(prediction, target, mask, normalize=False)
    assert loss.item() == pytest.approx(4.0, rel=1e-9), "visible patches do not count"
    loss.backward()
    assert target.grad is None, "the target must get no gradient"
    assert not prediction.grad[~mask].any()
    value = masked_regression(prediction, target, mask, normalize=True).item()
    assert masked_regression(prediction, 3 * target + 7, mask, normalize=True).item() == pytest.approx(value, rel=1e-5)
    silence = masked_regression(torch.ones(3, 4, 8), torch.full((3, 4, 8), 5.0), mask, normalize=True)
    assert silence.item() == 1, "a constant patch becomes zero"
    assert masked_regression(prediction, target, mask & False, normalize=False).item() == 0
