"""The trainer on two processes: the same weights on both and, where no BatchNorm is, as one process would have them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from helpers.forked import fork_ranks
from safetensors.torch import load_file, save_file
from tiny_training import TRAINED, build, noise
from torch import nn

from benchmark import registry
from benchmark.modules import Strategy
from benchmark.pretraining import ranks
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.ranks import on_ranks
from benchmark.pretraining.train import pretrain

CONFIG = PretrainConfig(crops=3 * 16, batch_size=8, precision="32-true")


def _build(name: str) -> Strategy:
    return build(name, "vit" if "tokens" in registry.strategies.get(name).needs else "tiny")


def _train(names: list[str], out: Path, device: str) -> None:
    """Train each strategy for a few steps, and leave every rank's weights."""
    torch.set_num_threads(1)
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else "alone"
    for name in names:
        strategy = _build(name)
        pretrain(strategy, noise(), CONFIG, 0, device)
        save_file({k: v.clone() for k, v in strategy.named_parameters()}, out / f"{name}-{rank}.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "spawn", fork_ranks)
        on_ranks(2, "cpu", out / "meeting", _train, TRAINED, out)
    return out


@pytest.mark.parametrize("name", TRAINED)
def test_ranks_hold_the_same_weights(name: str, trained: Path) -> None:
    first, second = (load_file(trained / f"{name}-{rank}.safetensors") for rank in (0, 1))
    start = dict(_build(name).named_parameters())
    assert any(not torch.equal(first[key], start[key]) for key in start), "nothing was trained"
    for key, weight in first.items():
        torch.testing.assert_close(second[key], weight, rtol=0, atol=0, msg=key)


@pytest.mark.parametrize("name", TRAINED)
def test_two_ranks_train_as_one_process_does(name: str, trained: Path, tmp_path: Path) -> None:
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in _build(name).modules()):
        pytest.skip("its BatchNorm normalizes by what a rank embeds")
    on_ranks(1, "cpu", tmp_path / "meeting", _train, [name], tmp_path)
    alone, shared = load_file(tmp_path / f"{name}-alone.safetensors"), load_file(trained / f"{name}-0.safetensors")
    start = dict(_build(name).named_parameters())
    moved = torch.stack([(alone[key] - start[key].detach()).norm() for key in start]).norm()
    apart = torch.stack([(alone[key] - shared[key]).norm() for key in start]).norm()
    assert apart < 0.02 * moved


def _fail_on_one(said: Path, device: str) -> None:
    sys.stderr = said.open("a", buffering=1)
    if torch.distributed.get_rank() == 1:
        raise ValueError("rank 1 has had enough")
    torch.distributed.barrier()


def test_a_rank_that_fails_stops_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "spawn", fork_ranks)
    with pytest.raises(torch.multiprocessing.ProcessRaisedException):
        on_ranks(2, "cpu", tmp_path / "meeting", _fail_on_one, tmp_path / "said")
    assert "ValueError: rank 1 has had enough" in (tmp_path / "said").read_text()
