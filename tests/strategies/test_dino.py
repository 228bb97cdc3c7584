"""DINO's teacher: sharp at first, softer after the warm-up, and centred by what it has seen."""

from __future__ import annotations

import pytest
import torch

from benchmark.encoders.cnn_small import CNNSmall
from benchmark.testing import random_batch
from strategies.dino import DINO, DINOConfig


@pytest.fixture
def strategy() -> DINO:
    torch.manual_seed(0)
    return DINO(CNNSmall(), DINOConfig(prototypes=16))


def test_prototypes_start_as_short_as_the_released_codes_and_turn_as_fast() -> None:
    """Rows of a linear layer are .577 long on average, whatever its size; a long one would hardly turn."""
    weight = DINO(CNNSmall(), DINOConfig()).get_parameter("student.head.1.weight")
    assert float(weight.detach().norm(dim=1).mean()) == pytest.approx(3**-0.5, rel=0.02)


def test_cosines_are_of_full_precision_under_autocast(strategy: DINO) -> None:
    head = strategy.get_submodule("student.head.1")
    x = torch.randn(8, 128)
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(x)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, head(x))


def _temperatures(strategy: DINO, steps: int) -> list[float]:
    heard = [float(strategy.teacher_temperature)]
    for step in range(1, steps + 1):
        strategy.after_step(step, steps)
        heard.append(float(strategy.teacher_temperature))
    return heard


@pytest.mark.parametrize("batch", [16, 64])
def test_the_teacher_softens_over_the_warmup_in_crops(batch: int) -> None:
    """12,500 crops are 390.6 steps of 16 tracks with two crops each, 97.7 of 64."""
    strategy = DINO(CNNSmall(), DINOConfig(prototypes=16, hidden=(8,), bottleneck=4))
    strategy.step_crops = strategy.crops(strategy.config).heard(batch)
    steps = 12_500 / (2 * batch)
    heard = _temperatures(strategy, round(1.2 * steps))
    assert heard[0] == pytest.approx(0.02)
    assert heard[round(steps / 2)] == pytest.approx(0.03, abs=1e-4)
    assert heard[int(steps)] < 0.04
    assert heard[int(steps) + 1] == heard[-1] == pytest.approx(0.04)


def test_the_teacher_softens_over_a_share_of_the_training() -> None:
    heard = _temperatures(DINO(CNNSmall(), DINOConfig.model_validate({"prototypes": 16, "teacher_warmup": 0.1})), 100)
    assert heard[0] == pytest.approx(0.02)
    assert heard[5] == pytest.approx(0.03)
    assert heard[10] == heard[100] == pytest.approx(0.04)


def test_the_temperature_reaches_the_loss(strategy: DINO) -> None:
    batch = random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate)
    embeddings = strategy.embed(strategy.views(batch, torch.Generator().manual_seed(0)))
    before = strategy.loss(embeddings)["loss"]
    strategy.teacher_temperature.fill_(0.04)
    assert strategy.loss(embeddings)["loss"] != before


@pytest.mark.parametrize(("options", "left"), [({}, 0.9), ({"centre_momentum": 0.7}, 0.7)])
def test_the_centre_is_the_running_mean_of_the_teacher(options: dict[str, float], left: float) -> None:
    """By default half of it is new after 842 crops: a tenth in a step of 64 tracks, of which each has two."""
    strategy = DINO(CNNSmall(), DINOConfig.model_validate({"prototypes": 16, **options}))
    logits = torch.randn(8, 16)
    strategy.loss({"a": logits, "b": logits, "teacher_a": logits, "teacher_b": logits + 1})
    strategy.after_step(1, 10)
    torch.testing.assert_close(strategy.centre, (1 - left) * (logits.mean(dim=0) + 0.5), rtol=2e-4, atol=1e-6)
