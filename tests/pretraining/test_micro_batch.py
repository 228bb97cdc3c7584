"""A batch in parts has the gradient of the whole, and a training that runs out of memory ends with the same budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import BATCH, STEPS, TRAINED, budget, build, memory_for, mostly_long, noise
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.modules import Strategy
from benchmark.pretraining import train as training
from benchmark.pretraining.checkpoint import Place
from benchmark.pretraining.micro_batch import MicroBatches
from benchmark.pretraining.train import pretrain
from benchmark.testing import random_batch

Rows = dict[str, Tensor]
ON_TOKENS = ("mae", "m2d", "masked_contrastive")
CASES = [(name, "tiny") for name in TRAINED] + [(name, "vit") for name in ON_TOKENS]


def row_by_row(name: str, encoder: str) -> tuple[Strategy, Rows]:
    """A strategy whose BatchNorm is in evaluation mode (it normalizes each row on its own), and views of 8 tracks."""
    strategy = build(name, encoder)
    views = strategy.views(
        random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate), torch.Generator().manual_seed(2)
    )
    for module in strategy.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return strategy, {key: view.detach() for key, view in views.items()}


def gradients(strategy: Strategy) -> dict[str, Tensor]:
    return {
        key: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for key, p in strategy.named_parameters()
        if p.requires_grad
    }


def in_parts(strategy: Strategy, views: Rows, parts: int) -> Tensor:
    batches = MicroBatches(strategy.embed, views, parts)
    loss = strategy.loss(batches.embeddings)["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    batches.backward(strategy.embed)
    return loss.detach()


def gap(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Distance of all gradients together, relative to their norm."""
    apart = torch.stack([(found[key] - expected[key]).norm() for key in expected]).norm()
    return float(apart / torch.stack([x.norm() for x in expected.values()]).norm())


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize(("name", "encoder"), CASES)
def test_parts_have_the_gradient_of_the_whole(name: str, encoder: str, parts: int) -> None:
    strategy, views = row_by_row(name, encoder)
    whole = strategy.loss(strategy.embed(views))["loss"]
    whole.backward()  # type: ignore[no-untyped-call]
    expected = gradients(strategy)
    assert sum(float(x.norm()) for x in expected.values()) > 1e-3, "a gradient of zeros would prove nothing"
    strategy.zero_grad()
    assert in_parts(strategy, views, parts).item() == pytest.approx(whole.item(), rel=1e-5)
    assert gap(gradients(strategy), expected) < 1e-5


@pytest.mark.parametrize("name", ["simclr", "barlow_twins", "vicreg", "cola", "m2d"])
def test_the_sum_of_the_parts_losses_would_be_another_task(name: str) -> None:
    strategy, views = row_by_row(name, "tiny")
    strategy.loss(strategy.embed(views))["loss"].backward()  # type: ignore[no-untyped-call]
    expected = gradients(strategy)
    strategy.zero_grad()
    for half in (slice(0, 4), slice(4, 8)):
        loss = strategy.loss(strategy.embed({key: x[half] for key, x in views.items()}))["loss"]
        (loss / 2).backward()
    assert gap(gradients(strategy), expected) > 0.01


def test_both_passes_drop_the_same() -> None:
    """The oracle keeps the graph of all parts at once."""
    network = nn.Linear(5, 3)
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))

    def embed(views: Rows) -> Rows:
        return {"z": F.dropout(network(views["x"]), 0.5)}

    torch.manual_seed(3)
    z = torch.cat([embed({"x": part})["z"] for part in x.tensor_split(2)])
    of_the_loss = torch.rand(3)
    (of_the_loss * z.logsumexp(dim=0).square()).sum().backward()
    next_draw = torch.rand(1)
    expected = network.weight.grad
    assert expected is not None
    network.zero_grad()

    torch.manual_seed(3)
    batches = MicroBatches(embed, {"x": x}, 2)
    (torch.rand(3) * batches.embeddings["z"].logsumexp(dim=0).square()).sum().backward()
    batches.backward(embed)
    assert network.weight.grad is not None
    torch.testing.assert_close(network.weight.grad, expected)
    assert torch.equal(torch.rand(1), next_draw), "the second pass has moved the generator"


def train(strategy: Strategy, folder: Path | None = None, **options: object) -> dict[str, Any]:
    return pretrain(strategy, noise(), budget(strategy, **options), 0, "cpu", Place(folder, 0.0) if folder else None)


@pytest.mark.parametrize("name", mostly_long("simclr", "byol", "dino", "cola", "pesto"))
def test_a_training_without_memory_goes_on_in_halves(name: str) -> None:
    """Where no BatchNorm sees the parts, to the same losses, but for rounding."""
    whole, halves = build(name), build(name)
    reference, info = train(whole), train(memory_for(BATCH // 2, halves))
    assert (reference["micro_batch"], info["micro_batch"]) == (BATCH, BATCH // 2)
    assert info["steps"] == len(info["curve"]) == STEPS
    if not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in whole.modules()):
        assert info["curve"] == pytest.approx(reference["curve"], rel=1e-3, abs=2e-4)


def test_precision_is_the_same_in_both_passes() -> None:
    strategy = build("cola")
    embed, seen = strategy.embed, []

    def watched(views: Rows) -> Rows:
        seen.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")))
        return embed(views)

    strategy.embed = watched  # type: ignore[method-assign]
    info = train(memory_for(BATCH // 2, strategy), precision="bf16-mixed")
    assert seen == [(False, True), (False, True), (True, True), (True, True)] * STEPS
    whole = train(build("cola"), precision="bf16-mixed")
    # bfloat16 keeps 8 bits, and processors round sums differently: on some the last of six steps is 5 % apart
    assert info["curve"][:3] == pytest.approx(whole["curve"][:3], rel=0.02)
    assert info["curve"] == pytest.approx(whole["curve"], rel=0.1)


@pytest.mark.parametrize("keeps", [True, False])
def test_out_of_memory_in_the_midst(keeps: bool, tmp_path: Path) -> None:
    """It goes on from the last checkpoint; without one it starts anew, as if it had known from the start."""
    strategy, known = build("byol"), build("byol")
    heard: list[int] = []
    strategy.views = _noted(strategy.views, heard)  # type: ignore[method-assign]
    info = train(memory_for(BATCH // 2, strategy, from_step=3), tmp_path if keeps else None)
    assert info["micro_batch"] == BATCH // 2
    assert len(info["curve"]) == STEPS
    assert len(heard) == (4 + 3 if keeps else 4 + STEPS)
    train(memory_for(BATCH // 2, known))
    same = all(torch.equal(x, known.state_dict()[key]) for key, x in strategy.state_dict().items())
    assert same is not keeps, "with a checkpoint, the first steps were on whole batches, whose BatchNorm differs"


def _noted(views: Callable[..., Rows], heard: list[int]) -> Callable[..., Rows]:
    def noted(*args: Any) -> Rows:
        heard.append(len(args[0].crops))
        return views(*args)

    return noted


def test_a_resumed_training_keeps_its_micro_batches(tmp_path: Path) -> None:
    class CutOff(Exception):
        pass

    def stop(step: int, total: int) -> None:
        if step == 4:
            raise CutOff

    expected, first, second = (build("vicreg") for _ in range(3))
    reference = train(memory_for(BATCH // 2, expected))
    first.after_step = stop  # type: ignore[method-assign]
    with pytest.raises(CutOff):
        train(memory_for(BATCH // 2, first), tmp_path)
    info = train(second, tmp_path)  # on a larger GPU, say: the rest is done as the beginning was
    assert (info["resumed"], info["micro_batch"], info["curve"]) == (1, BATCH // 2, reference["curve"])
    assert all(torch.equal(x, expected.state_dict()[key]) for key, x in second.state_dict().items())


def test_where_others_hold_the_memory_it_waits_for_them_and_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves would have other BatchNorm statistics. Neighbors that stay are not waited for without end."""
    pauses: list[float] = []
    monkeypatch.setattr(training, "crowded", lambda device: True)
    monkeypatch.setattr(training.time, "sleep", pauses.append)
    reference, strategy = train(build("vicreg")), build("vicreg")
    memory_for(BATCH // 2, strategy)
    limited = strategy.embed
    free = build("vicreg").embed.__func__  # type: ignore[attr-defined]
    strategy.embed = lambda views: free(strategy, views) if len(pauses) == 2 else limited(views)  # type: ignore[method-assign]
    info = train(strategy)
    assert (info["micro_batch"], info["curve"]) == (BATCH, reference["curve"])
    assert pauses == [10.0, 30.0]
    monkeypatch.setattr(training, "PATIENCE", (10.0, 30.0, 60.0))
    assert train(memory_for(BATCH // 2, build("vicreg")))["micro_batch"] == BATCH // 2
    assert tuple(pauses[2:]) == (10.0, 30.0, 60.0)


def test_it_is_halved_once() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        train(memory_for(BATCH // 4, build("simclr")))
