"""The trainer on two processes: the same weights on both and, where no BatchNorm is, as one process would have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_distributed import TinyEncoder
from torch import nn

from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.experiment.budget import PretrainConfig
from benchmark.experiment.ranks import on_ranks
from benchmark.experiment.train import pretrain
from benchmark.modules import Strategy

RATE, SECONDS, TRACKS = 16_000, 8, 24
CONFIG = PretrainConfig(crops=3 * 16, batch_size=8, precision="32-true")
TRAINED = [name for name in registry.strategies.names() if registry.strategies.get(name).trains]


def _waves() -> Waveforms:
    """Noise at many levels, with tags and stems."""
    rng, n = np.random.default_rng(0), RATE * SECONDS
    tracks = pd.DataFrame(
        {
            "split": ["train"] * 16 + ["val"] * 8,
            **{tag: [f"{tag}{i % 3}" for i in range(TRACKS)] for tag in ("family", "mode", "metre")},
            "offset": np.arange(TRACKS) * n,
            "length": n,
            **{f"active_{stem}": rng.random(TRACKS) < 0.7 for stem in ("lead", "accompaniment", "drums")},
        }
    )
    audio = (rng.normal(size=(TRACKS, n)) * rng.uniform(100, 6000, (TRACKS, 1))).astype(np.int16).ravel()
    return Waveforms(tracks, dict.fromkeys(("mix", "lead", "accompaniment", "drums"), audio), RATE)


def _build(name: str) -> Strategy:
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    return cls((registry.encoders.get("vit") if "tokens" in cls.needs else TinyEncoder)(), cls.Config())  # type: ignore[no-any-return]


def _train(names: list[str], out: Path, device: str) -> None:
    """Train each strategy for a few steps, and leave every rank's weights."""
    torch.set_num_threads(1)
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else "alone"
    for name in names:
        strategy = _build(name)
        pretrain(strategy, _waves(), CONFIG, 0, device)
        save_file({k: v.clone() for k, v in strategy.named_parameters()}, out / f"{name}-{rank}.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ranks")
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


def _fail_on_one(device: str) -> None:
    if torch.distributed.get_rank() == 1:
        raise ValueError("rank 1 has had enough")
    torch.distributed.barrier()


def test_a_rank_that_fails_stops_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(torch.multiprocessing.ProcessRaisedException):
        on_ranks(2, "cpu", tmp_path / "meeting", _fail_on_one)
    assert "ValueError: rank 1 has had enough" in capfd.readouterr().err
