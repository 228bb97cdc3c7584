"""Teachers by numbers: what a half-life in crops, or a paper's decay, leaves of the start, and what it depends on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from benchmark import registry
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.encoders.cqt_cnn import CQTCNN
from benchmark.modules import Strategy
from benchmark.testing import random_batch
from strategies.byol import BYOLConfig
from strategies.dino import DINOConfig
from strategies.ema import TeacherConfig

TAUGHT = ["byol", "dino", "m2d"]
TRAINED = [name for name in registry.strategies.names() if registry.strategies.get(name).trains]
#: the papers' way of each option that the common grid has in crops
PAPERS: dict[str, dict[str, Any]] = {
    "byol": {"decay": 0.98},
    "dino": {"decay": 0.98, "teacher_warmup": 0.5, "centre_momentum": 0.9},
    "m2d": {"decay": [0.9, 0.99]},
}


def _build(name: str, **options: Any) -> Strategy:
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    encoder = CQTCNN() if "log_frequency" in cls.needs else CNNSmall()
    strategy: Strategy = cls(encoder, cls.Config.model_validate(options))
    return strategy


def _left(name: str, batch: int, steps: int, total: int, **options: Any) -> float:
    """The weight of its start in a teacher, whose student has stood 1 beside that start all the while."""
    strategy = _build(name, **options)
    strategy.step_crops = strategy.crops(strategy.config).heard(batch)
    teacher: Any = strategy.teacher
    student: Any = strategy.encoder if name == "m2d" else strategy.student
    with torch.no_grad():
        for s, t in zip(student.parameters(), teacher.parameters(), strict=True):
            s.copy_(t + 1)
    for step in range(1, steps + 1):
        strategy.after_step(step, total)
    pairs = zip(student.parameters(), teacher.parameters(), strict=True)
    return float(torch.cat([(s - t).detach().flatten() for s, t in pairs]).mean())


@pytest.mark.parametrize("batch", [16, 64, 256])
@pytest.mark.parametrize("name", TAUGHT)
def test_half_of_the_start_is_left_after_a_half_life_of_crops(name: str, batch: int) -> None:
    steps = 8192 // ((1 if name == "m2d" else 2) * batch)
    left = _left(name, batch, steps, 10 * steps, half_life=8192.0)
    print(f"{name}, batch {batch}: {left:.5f} of the start after {steps} steps")
    assert left == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("decay", "steps", "audited"), [(0.996, 97, 0.82), (0.98, 187, 0.15)])
def test_the_papers_schedule_leaves_what_was_measured(decay: float, steps: int, audited: float) -> None:
    left = _left("byol", 64, steps, steps, decay=decay)
    print(f"decay {decay} over {steps} steps: {left:.4f} of the start, audit {audited}")
    assert left == pytest.approx(audited, abs=0.01)


def test_the_default_leaves_of_the_shortest_budget_about_what_it_did() -> None:
    left = _left("dino", 64, 187, 187)
    print(f"half-life 8192 over 187 steps of 128 crops: {left:.4f} of the start, before .15")
    assert left == pytest.approx(0.15, abs=0.03)


def test_the_released_m2d_schedule_is_a_line() -> None:
    config = TeacherConfig(decay=(0.99995, 0.99999))
    heard = [config.teacher_decay(step, 101, 64.0) for step in range(1, 102)]
    assert heard[0] == 0.99995
    assert heard[50] == pytest.approx(0.99997, abs=1e-12)
    assert heard[100] == pytest.approx(0.99999, abs=1e-12)


def test_exactly_one_of_crops_and_shares() -> None:
    assert (BYOLConfig().half_life, BYOLConfig().decay) == (2048.0, None)
    paper = BYOLConfig.model_validate({"decay": 0.996})
    assert (paper.half_life, paper.decay) == (None, 0.996)
    assert BYOLConfig.model_validate(paper.model_dump(mode="json")) == paper
    for wrong in ({"half_life": 100, "decay": 0.9}, {"half_life": None}):
        with pytest.raises(ValidationError, match="give either half_life, in crops, or decay"):
            BYOLConfig.model_validate(wrong)
    with pytest.raises(ValidationError, match="give either teacher_warmup_crops"):
        DINOConfig.model_validate({"teacher_warmup_crops": 100, "teacher_warmup": 0.1})
    with pytest.raises(ValidationError, match="give either centre_half_life"):
        DINOConfig.model_validate({"centre_half_life": None})
    mixed = DINOConfig.model_validate({"decay": 0.996, "centre_momentum": 0.9})
    assert (mixed.half_life, mixed.teacher_warmup_crops, mixed.centre_half_life) == (None, 12_500.0, None)


def _states(strategy: Strategy, steps: int, total: int, start: int = 0) -> list[dict[str, Tensor]]:
    """Train by gradient descent on batches that follow from the step, and keep all that there is after each step."""
    found = []
    for t in range(start, steps):
        batch = random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate, seed=t)
        views = strategy.views(batch, torch.Generator().manual_seed(t))
        strategy.zero_grad()
        strategy.loss(strategy.embed(views))["loss"].backward()  # type: ignore[no-untyped-call]
        torch.optim.SGD([p for p in strategy.parameters() if p.requires_grad], lr=0.01).step()
        strategy.after_step(t + 1, total)
        found.append({key: x.clone() for key, x in strategy.state_dict().items()})
    return found


def _same(first: list[dict[str, Tensor]], second: list[dict[str, Tensor]]) -> list[bool]:
    return [all(torch.equal(x, b[key]) for key, x in a.items()) for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize("name", TAUGHT)
def test_a_longer_budget_continues_a_shorter_one_step_for_step(name: str) -> None:
    short, longer = _build(name, seconds=0.4), _build(name, seconds=0.4)
    half = _states(short, 3, total=3)
    resumed = _build(name, seconds=0.4)
    resumed.load_state_dict(half[-1])
    assert _same(half + _states(resumed, 6, total=6, start=3), _states(longer, 6, total=6)) == [True] * 6
    papers = [_states(_build(name, seconds=0.4, **PAPERS[name]), 3, total) for total in (3, 6)]
    assert not any(_same(*papers)[1:]), "a schedule by shares is another one if the training is longer"


@pytest.mark.parametrize("name", TRAINED)
def test_no_default_depends_on_the_length_of_the_training(name: str) -> None:
    states = []
    for total in (2, 2000):
        strategy = _build(name)
        for step in (1, 2):
            strategy.after_step(step, total)
        states.append(strategy.state_dict())
    assert _same(states[:1], states[1:]) == [True]
