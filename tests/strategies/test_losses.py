"""What holds for every loss: its slow twin, gradients, bf16, compilation, the order of the batch."""

from __future__ import annotations

import pytest
import torch
from loss_cases import CASES
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from strategies.ema import cosine_decay, follow, teacher_of

every_loss = pytest.mark.parametrize("name", CASES)
COSINE = ["nt_xent", "sup_con", "sup_con_dice", "info_nce_negatives", "byol_regression"]


def _inputs(name: str, n: int = 6, d: int = 5) -> list[Tensor]:
    inputs = CASES[name].inputs(n, d, torch.Generator().manual_seed(0))
    return [x.requires_grad_(i < CASES[name].learned) for i, x in enumerate(inputs)]


def _gradients(name: str, loss: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, inputs[: CASES[name].learned]))


def _distance(x: Tensor, truth: Tensor) -> float:
    return ((x.double() - truth).norm() / truth.norm()).item()


@every_loss
def test_value_and_gradient_are_the_papers(name: str) -> None:
    inputs = _inputs(name)
    loss, slow = CASES[name].fast(*inputs), CASES[name].slow(*inputs)
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(slow.item(), rel=1e-6)
    pairs = zip(_gradients(name, loss, inputs), _gradients(name, slow, inputs), strict=True)
    assert max(_distance(ours, truth) for ours, truth in pairs) < 1e-6


@every_loss
def test_gradient_is_the_slope(name: str) -> None:
    inputs = _inputs(name)
    assert torch.autograd.gradcheck(CASES[name].fast, inputs)


@pytest.mark.parametrize("autocast", [False, True])
@every_loss
def test_bf16_costs_little_precision(name: str, autocast: bool) -> None:
    inputs = _inputs(name, 64, 128)
    exact = CASES[name].fast(*inputs)
    low = [x.detach().bfloat16().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in inputs]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = CASES[name].fast(*low)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.01)
    pairs = zip(_gradients(name, loss, low), _gradients(name, exact, inputs), strict=True)
    assert max(_distance(ours, truth) for ours, truth in pairs) < 0.03


@every_loss
def test_autocast_changes_nothing(name: str) -> None:
    inputs = [x.detach().float() if x.is_floating_point() else x for x in _inputs(name)]
    with torch.autocast("cpu", torch.bfloat16):
        inside = CASES[name].fast(*inputs)
    assert torch.equal(inside, CASES[name].fast(*inputs))


@every_loss
def test_one_graph_without_breaks(name: str) -> None:
    torch._dynamo.reset()
    inputs = _inputs(name)
    loss, eager = torch.compile(CASES[name].fast, fullgraph=True, backend="eager")(*inputs), CASES[name].fast(*inputs)
    torch.testing.assert_close(loss, eager)
    torch.testing.assert_close(_gradients(name, loss, inputs), _gradients(name, eager, inputs))


@every_loss
def test_nothing_waits_for_the_device(name: str) -> None:
    """Tensors without values: a boolean index, `.item()` or a branch on a value raises."""
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(x.detach()) for x in _inputs(name)]
        assert CASES[name].fast(*fake).shape == ()


@every_loss
def test_the_order_of_the_batch_is_nothing_and_the_pairing_is_all(name: str) -> None:
    n = 6
    inputs = [x.detach() for x in _inputs(name, n)]
    order = torch.tensor([3, 0, 4, 1, 5, 2])
    value = CASES[name].fast(*inputs).item()
    moved = [x[order] if len(x) == n else x for x in inputs]
    assert CASES[name].fast(*moved).item() == pytest.approx(value, rel=1e-9)
    assert abs(CASES[name].fast(moved[0], *inputs[1:]).item() - value) > 1e-3 * value


@pytest.mark.parametrize("name", COSINE)
def test_scale_is_nothing_to_a_cosine(name: str) -> None:
    inputs = [x.detach() for x in _inputs(name)]
    value = CASES[name].fast(*inputs).item()
    scaled = [x * (3.0 + i) if i < CASES[name].learned else x for i, x in enumerate(inputs)]
    assert CASES[name].fast(*scaled).item() == pytest.approx(value, rel=1e-9)


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
