"""The learning rate's course: counted in crops, or as a share of the steps as papers have it."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from benchmark.pretraining.budget import LONGEST_WARMUP, PretrainConfig, fastest


def course(config: PretrainConfig, steps: int, step_crops: float) -> list[float]:
    return [config.rate(step, steps, step_crops) for step in range(steps)]


@pytest.mark.parametrize("batch", [16, 64, 256])
def test_warm_up_takes_the_same_crops_at_any_batch_size_and_budget(batch: int) -> None:
    """Two crops a track; 1 M and 2 M crops: the longer training begins as the shorter one does."""
    config = PretrainConfig(crops=1_000_000, batch_size=batch, warmup_crops=100_000)
    step_crops = 2.0 * batch
    short, long = (course(config, int(crops / step_crops), step_crops) for crops in (1e6, 2e6))
    end = round(100_000 / step_crops)
    assert short[:end] == long[:end] == pytest.approx([(i + 1) / end for i in range(end)])
    assert max(short) == short[end - 1] == short[end] == 1.0
    assert short[end + 1] < 1.0


def test_a_budget_too_short_for_its_warm_up_still_learns_at_full_rate() -> None:
    assert course(PretrainConfig(crops=1280), 10, 128.0).index(1.0) == LONGEST_WARMUP * 10 - 1


def test_a_share_keeps_its_shape_at_any_length() -> None:
    config = PretrainConfig(crops=1, warmup=0.1)
    assert course(config, 100, 128.0)[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert course(config, 1000, 128.0)[99] == 1.0
    assert course(config, 1000, 128.0)[-1] < 1e-4


def test_constant_without_warm_up_is_one_number() -> None:
    assert set(course(PretrainConfig(crops=1, warmup=0.0, schedule="constant"), 50, 128.0)) == {1.0}


def test_of_warm_up_stable_decay_a_longer_training_is_a_shorter_one_continued() -> None:
    config = PretrainConfig(crops=1, warmup_crops=2560, schedule="wsd")
    short, long = course(config, 100, 128.0), course(config, 200, 128.0)
    assert short[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    assert short[:80] == long[:80]
    assert set(short[20:81]) == {1.0}
    assert short[80:] == pytest.approx([(20 - i) / 20 for i in range(20)])


@pytest.mark.parametrize("step_crops", [128.0, 153.7, 300.0, 999.0])
def test_a_warm_up_that_ends_where_the_shortest_training_cools_down_is_as_long_in_the_others(step_crops: float) -> None:
    """125,000 crops: after 100,000 it ends and the rate falls, which may be between two steps."""
    config = PretrainConfig(crops=1, warmup_crops=100_000, schedule="wsd")
    short, *longer = (course(config, round(crops / step_crops), step_crops) for crops in (125e3, 250e3, 1e6))
    until = config.branch(len(short))
    assert all(rates[:until] == short[:until] for rates in longer)


def test_a_long_share_of_warm_up_ends_where_the_rate_falls() -> None:
    rates = course(PretrainConfig(crops=1, warmup=0.9, schedule="wsd"), 100, 128.0)
    assert rates[:80] == pytest.approx([(i + 1) / 80 for i in range(80)])
    assert rates[80:] == pytest.approx([(20 - i) / 20 for i in range(20)])


def test_one_of_both_and_what_is_dumped_is_read_back() -> None:
    with pytest.raises(ValidationError, match="either warmup_crops, in crops, or warmup"):
        PretrainConfig(crops=1, warmup=0.1, warmup_crops=5)
    for config in (
        PretrainConfig(crops=1),
        PretrainConfig(crops=1, warmup=0.2),
        PretrainConfig(crops=1, warmup_crops=7),
    ):
        assert PretrainConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    ("units", "precision"),
    [
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"avx512_f": True}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_the_precision_is_the_one_that_the_processor_computes_in(
    units: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen when a grid is planned, and so in the key; whoever names one gets that."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, **units})
    fastest.cache_clear()
    try:
        assert PretrainConfig(crops=1).over({}, {}).precision == precision
        assert PretrainConfig(crops=1, precision="32-true").over({}, {}).precision == "32-true"
        assert PretrainConfig(crops=1).over({}, {"precision": "bf16-mixed"}).precision == "bf16-mixed"
    finally:
        fastest.cache_clear()
