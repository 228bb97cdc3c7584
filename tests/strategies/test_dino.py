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


def test_the_teacher_softens_over_the_warmup(strategy: DINO) -> None:
    heard = [float(strategy.teacher_temperature)]
    for step in range(1, 101):
        strategy.after_step(step, 100)
        heard.append(float(strategy.teacher_temperature))
    assert heard[0] == pytest.approx(0.02)
    assert heard[5] == pytest.approx(0.03)
    assert heard[10] == heard[100] == pytest.approx(0.04)


def test_the_temperature_reaches_the_loss(strategy: DINO) -> None:
    batch = random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate)
    embeddings = strategy.embed(strategy.views(batch, torch.Generator().manual_seed(0)))
    before = strategy.loss(embeddings)["loss"]
    strategy.teacher_temperature.fill_(0.04)
    assert strategy.loss(embeddings)["loss"] != before


def test_the_centre_is_the_running_mean_of_the_teacher(strategy: DINO) -> None:
    logits = torch.randn(8, 16)
    strategy.loss({"a": logits, "b": logits, "teacher_a": logits, "teacher_b": logits + 1})
    strategy.after_step(1, 10)
    torch.testing.assert_close(strategy.centre, 0.1 * (logits.mean(dim=0) + 0.5))
