"""Several budgets, one training: branches of a trunk are what trainings of their length alone would be, bit by bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_training import budget, build, mostly_long, noise

from benchmark.modules import Strategy
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.checkpoint import FILE, Place
from benchmark.pretraining.train import grow, pretrain


def lasting(strategy: Strategy, times: float) -> PretrainConfig:
    """A budget some times as long, with the same warm-up."""
    config = budget(strategy, warmup_crops=40, warmup=None, schedule="wsd")
    return config.model_copy(update={"crops": round(times * config.crops)})


def place(folder: Path, trunk: Path | None = None) -> Place:
    folder.mkdir()
    return Place(folder, 0.0, trunk)


def equal(one: Strategy, other: Strategy) -> bool:
    return all(torch.equal(x, other.state_dict()[name]) for name, x in one.state_dict().items())


@pytest.mark.parametrize("name", mostly_long("simclr", "byol", "dino", "m2d", "pesto"))
def test_branches_are_the_trainings_of_their_length(name: str, tmp_path: Path) -> None:
    before: Path | None = None
    for times in (1.0, 2.0):
        config = lasting(build(name), times)
        trunk = tmp_path / f"trunk {times}"
        trunk.mkdir()
        told = grow(build(name), noise(), config, 0, "cpu", place(tmp_path / f"growing {times}", before), trunk)
        alone, branch = build(name), build(name)
        expected = pretrain(alone, noise(), config, 0, "cpu")
        info = pretrain(branch, noise(), config, 0, "cpu", place(tmp_path / f"branch {times}", trunk))
        assert told["steps"] == config.branch(info["steps"]) > 0
        assert (info["curve"], info["resumed"]) == (expected["curve"], 0)
        assert equal(alone, branch)
        before = trunk


def test_a_trunk_that_cannot_be_used_costs_time_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged one, and one of another seed."""
    config, alone = lasting(build("simclr"), 1.0), build("simclr")
    pretrain(alone, noise(), config, 0, "cpu")
    for seed, damage in ((0, True), (1, False)):
        trunk = tmp_path / f"trunk {seed}"
        trunk.mkdir()
        grow(build("simclr"), noise(), config, seed, "cpu", place(tmp_path / f"growing {seed}"), trunk)
        if damage:
            data = bytearray((trunk / FILE).read_bytes())
            data[-1] ^= 1
            (trunk / FILE).write_bytes(data)
        branch = build("simclr")
        pretrain(branch, noise(), config, 0, "cpu", place(tmp_path / f"branch {seed}", trunk))
        assert equal(alone, branch)
        assert "training starts anew" in caplog.text
        caplog.clear()


def test_a_trunk_without_a_step_is_the_beginning(tmp_path: Path) -> None:
    config = lasting(build("byol"), 1.0).model_copy(update={"crops": 1})
    (tmp_path / "trunk").mkdir()
    assert grow(build("byol"), noise(), config, 0, "cpu", place(tmp_path / "g"), tmp_path / "trunk")["steps"] == 0
    alone, branch = build("byol"), build("byol")
    pretrain(alone, noise(), config, 0, "cpu")
    pretrain(branch, noise(), config, 0, "cpu", place(tmp_path / "b", tmp_path / "trunk"))
    assert equal(alone, branch)
