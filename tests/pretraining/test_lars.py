"""LARS against the formula by hand, torch's own SGD, and the symmetry it was made for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmark.pretraining.lars import LARS

WEIGHT, GRADIENT = [[3.0, 0.0], [0.0, 4.0]], [[0.5, 1.0], [0.0, -1.5]]


def _parameter(values: list[list[float]] | list[float]) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def _net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def _train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, scale: float = 1.0) -> list[Tensor]:
    data = torch.randn(16, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        (scale * (net(data) - data.sum(dim=1, keepdim=True)).square().mean()).backward()
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()]


def test_two_steps_by_hand() -> None:
    weight, bias = _parameter(WEIGHT), _parameter([1.0, 2.0])
    optimizer = LARS([weight, bias], lr=0.2, momentum=0.9, weight_decay=0.1, eta=0.01)
    weight.grad, bias.grad = torch.tensor(GRADIENT).double(), torch.tensor([10.0, -10.0]).double()
    optimizer.step()
    # u = g + 0.1 w = [[0.8, 1], [0, -1.1]], |w| = 5, |u| = sqrt(2.85)
    trust = 0.01 * 5 / 2.85**0.5
    first = torch.tensor([[0.8, 1.0], [0.0, -1.1]]).double() * trust
    moved = torch.tensor(WEIGHT).double() - 0.2 * first
    torch.testing.assert_close(weight.data, moved, rtol=1e-7, atol=0)
    torch.testing.assert_close(bias.data, torch.tensor([1.0 - 2.0, 2.0 + 2.0]).double())  # no decay, no trust ratio
    optimizer.step()
    u = torch.tensor(GRADIENT).double() + 0.1 * moved
    second = 0.9 * first + 0.01 * moved.square().sum().sqrt() / u.square().sum().sqrt() * u
    torch.testing.assert_close(weight.data, moved - 0.2 * second, rtol=1e-7, atol=0)


def test_without_trust_ratio_it_is_sgd_with_momentum() -> None:
    ours, theirs = _net(), _net()
    a = _train(ours, LARS(ours.parameters(), lr=0.05, momentum=0.8), 10)
    b = _train(theirs, torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.8), 10)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-14)


def test_the_first_step_ignores_the_scale_of_the_loss_where_it_is_adapted() -> None:
    results = []
    for scale in (1.0, 1000.0):
        net = _net()
        results.append(_train(net, LARS(net.parameters(), lr=1.0, weight_decay=1e-12), 1, scale))
    for start, one, other in zip(map(Tensor.detach, _net().parameters()), *results, strict=True):
        step = one - start
        if start.ndim > 1:
            assert step.norm().item() == pytest.approx(0.001 * start.norm().item(), rel=1e-9), (
                "a step is eta of the layer"
            )
            torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-12)
        else:
            torch.testing.assert_close(other - start, 1000 * step, rtol=1e-6, atol=1e-12)


def test_a_layer_of_zeros_and_a_gradient_of_zeros_stay_finite() -> None:
    weight, other, idle = _parameter([[0.0, 0.0]]), _parameter([[1.0, 1.0]]), _parameter([[2.0, 2.0]])
    weight.grad, other.grad = torch.ones(1, 2).double(), torch.zeros(1, 2).double()
    LARS([weight, other, idle], lr=0.1, weight_decay=1e-300).step()
    torch.testing.assert_close(weight.data, torch.full((1, 2), -0.1).double())  # trust ratio 1
    assert other.tolist() == [[1.0, 1.0]]
    assert idle.tolist() == [[2.0, 2.0]], "without a gradient nothing moves"


def test_it_resumes_from_its_state_dict() -> None:
    whole, halved = _net(), _net()
    expected = _train(whole, LARS(whole.parameters(), lr=0.5, weight_decay=1e-4), 6)
    first = LARS(halved.parameters(), lr=0.5, weight_decay=1e-4)
    _train(halved, first, 3)
    second = LARS(halved.parameters(), lr=0.1, weight_decay=0.0)
    second.load_state_dict(first.state_dict())
    for x, y in zip(_train(halved, second, 3), expected, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=0)


def test_a_closure_is_evaluated_with_gradients() -> None:
    weight = _parameter(WEIGHT)
    optimizer = LARS([weight], lr=0.1, weight_decay=1e-6)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 25.0
    assert not torch.equal(weight.data, torch.tensor(WEIGHT).double())


def test_a_negative_option_is_refused() -> None:
    with pytest.raises(ValueError, match=r"LARS: eta is -1; it must not be negative"):
        LARS([_parameter(WEIGHT)], lr=0.1, eta=-1)
