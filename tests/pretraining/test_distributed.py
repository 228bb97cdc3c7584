"""Two processes with different data do what one process does with all of it: every strategy, loss and gradients."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from helpers.forked import warm
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn import functional as F

from benchmark import registry
from benchmark.encoders.cnn_small import LogMel
from benchmark.encoders.constant_q import ConstantQ
from benchmark.interfaces import Info
from benchmark.modules import Encoder, PitchEncoder, Strategy
from benchmark.pretraining.distributed import gather, shard
from benchmark.testing import random_batch

RANKS, SECONDS = 2, 60
TRAINED = [name for name in registry.strategies.names() if registry.strategies.get(name).trains]
#: embeddings of 8 examples: with gradient, without, integers, a mask, half precision
EXAMPLES = {
    "z": torch.linspace(-1, 1, 24).reshape(8, 3),
    "target": torch.linspace(3, 5, 8),
    "index": torch.arange(8) * 10**12,
    "active": torch.arange(8) % 3 == 0,
    "low": torch.arange(8).bfloat16()[:, None],
}


class TinyEncoder(Encoder):
    """Log-mel and two convolutions: no BatchNorm, whose statistics are each process's own, and no kinks."""

    info = Info("tiny", "Tiny encoder", "this test")
    sample_rate, embedding_dim, frame_rate = 16_000, 24, 25.0

    def __init__(self) -> None:
        super().__init__()
        self.front_end = LogMel()
        self.network = nn.Sequential(nn.Conv1d(64, 24, 3, 2, 1), nn.GELU(), nn.Conv1d(24, self.embedding_dim, 1))

    def features(self, waveform: Tensor) -> Tensor:
        features: Tensor = self.front_end(waveform)
        return features

    def body(self, features: Tensor) -> Tensor:
        frames: Tensor = self.network(features).transpose(1, 2)
        return frames


class TinyPitchEncoder(PitchEncoder):
    """Constant-Q and two convolutions over it, for strategies that transpose; no BatchNorm and no kinks either."""

    info = Info("tiny_pitches", "Tiny encoder with a pitch axis", "this test")
    sample_rate, embedding_dim, frame_rate = 16_000, 16, 6.25
    bins_per_semitone, channels = 3, 2

    def __init__(self) -> None:
        super().__init__()
        self.front_end = ConstantQ()
        # neither a last bias nor a level: both pretext tasks ignore what is everywhere alike, and its gradient cancels
        last = nn.Conv2d(4, self.channels, 1, bias=False)
        self.network = nn.Sequential(nn.Conv2d(1, 4, (5, 1), padding=(2, 0)), nn.GELU(), last)

    def features(self, waveform: Tensor) -> Tensor:
        features: Tensor = self.front_end(waveform)
        return features

    def pitch_maps(self, features: Tensor) -> Tensor:
        fewer = F.avg_pool1d(features - features.mean(dim=(1, 2), keepdim=True), 4)
        maps: Tensor = self.network(fewer.unsqueeze(1))
        return maps

    def body(self, features: Tensor) -> Tensor:
        bands = torch.unflatten(self.pitch_maps(features), 2, (8, -1)).mean(dim=3)
        return bands.flatten(1, 2).transpose(1, 2)


def tiny_encoder(cls: type[Strategy]) -> type[Encoder]:
    """The one that a strategy can train."""
    return next(tiny for tiny in (TinyEncoder, TinyPitchEncoder) if tiny.offers >= cls.needs)


class Step(nn.Module):
    """What the trainer does with views, as one forward, so that DDP can wrap it."""

    def __init__(self, strategy: Strategy, gathered: bool = True) -> None:
        super().__init__()
        self.strategy, self.gathered = strategy, gathered

    def forward(self, views: dict[str, Tensor]) -> Tensor:
        embeddings = self.strategy.embed(views)
        return self.strategy.loss(gather(embeddings) if self.gathered else embeddings)["loss"]


def _build(name: str) -> Strategy:
    """The same weights wherever it is built; BatchNorm and Dropout of the heads in evaluation mode."""
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    strategy: Strategy = cls(tiny_encoder(cls)(), cls.Config())
    for module in strategy.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd):
            module.eval()
    return strategy


def _shifted_views(name: str) -> dict[str, Tensor]:
    """Views of 8 tracks, of which the second half is quieter, noisier and has lost its labels: each rank's is other."""
    strategy = _build(name)
    batch = random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate)
    noise = torch.randn(batch.crops[4:].shape, generator=torch.Generator().manual_seed(1))
    batch.crops[4:] = 0.1 * batch.crops[4:] + 0.02 * noise
    views = strategy.views(batch, torch.Generator().manual_seed(2))
    return {key: view.detach() for key, view in views.items()}


def _train_once(strategy: Strategy, step: nn.Module, views: dict[str, Tensor]) -> dict[str, Any]:
    """Loss and gradients of one step; after it, what no gradient moves: teachers, centers, statistics."""
    loss = step(views)
    loss.backward()
    parameters = {key: p for key, p in strategy.named_parameters() if p.requires_grad}
    gradients = {key: torch.zeros_like(p) if p.grad is None else p.grad.clone() for key, p in parameters.items()}
    torch.optim.SGD(parameters.values(), lr=0.01).step()
    strategy.after_step(1, 10)
    untrained = {key: x for key, x in strategy.state_dict().items() if key not in parameters}
    return {"loss": loss.detach(), "gradients": gradients, "untrained": untrained}


def _rank(rank: int, folder: Path) -> None:
    """One of the two processes: every strategy on its half, and what came of it in a file."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/rendezvous", timeout=timedelta(seconds=300), rank=rank, world_size=RANKS
    )
    found: dict[str, Any] = {"primitive": _primitive()}
    views = torch.load(folder / "views.pt")
    for name, gathered in [*((name, True) for name in views), ("simclr", False)]:
        strategy = _build(name)
        step = nn.parallel.DistributedDataParallel(Step(strategy, gathered))
        found[name if gathered else f"{name}, not gathered"] = _train_once(strategy, step, shard(views[name]))
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def _primitive() -> dict[str, Any]:
    """What `gather` makes of `EXAMPLES`, and the gradient of sum(k * z[k]) over the gathered rows."""
    own = shard(EXAMPLES)
    own["z"] = own["z"].clone().requires_grad_()
    whole = gather(own)
    (torch.arange(1.0, 9.0)[:, None] * whole["z"]).sum().backward()
    refused = ""
    try:
        shard({"a": torch.zeros(7, 2)})
    except ValueError as error:
        refused = str(error)
    needs_grad = [key for key, x in whole.items() if x.requires_grad]
    rows = {key: x.detach() for key, x in whole.items()}
    return {"rows": rows, "gradient": own["z"].grad, "needs_grad": needs_grad, "refused": refused}


@pytest.fixture(scope="module")
def views() -> dict[str, dict[str, Tensor]]:
    return {name: _shifted_views(name) for name in TRAINED}


@pytest.fixture(scope="module")
def ranks(views: dict[str, dict[str, Tensor]], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both processes found; theirs is the traceback if one fails, and neither outlives five minutes."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.save(views, folder / "views.pt")
    warm()
    processes = start_processes(_rank, (folder,), RANKS, join=False, start_method="forkserver")
    end = time.monotonic() + SECONDS
    try:
        while not processes.join(timeout=max(0.0, end - time.monotonic())):
            assert time.monotonic() < end, f"two processes needed more than {SECONDS} s"
    finally:
        for process in processes.processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


def _norm(tensors: dict[str, Tensor]) -> float:
    return float(torch.stack([x.double().norm() for x in tensors.values()]).norm())


def _gap(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Distance of all tensors together, relative to their norm."""
    return _norm({key: found[key] - expected[key] for key in expected}) / _norm(expected)


@pytest.mark.parametrize("name", TRAINED)
def test_two_processes_equal_one_on_the_whole_batch(
    name: str, views: dict[str, dict[str, Tensor]], ranks: list[dict[str, Any]]
) -> None:
    strategy = _build(name)
    expected = _train_once(strategy, Step(strategy), views[name])
    assert _norm(expected["gradients"]) > 1e-3, "a gradient of zeros would prove nothing"
    for found in (rank[name] for rank in ranks):
        assert found["loss"].item() == pytest.approx(expected["loss"].item(), rel=1e-5)
        assert _gap(found["gradients"], expected["gradients"]) < 1e-5
        for key, x in expected["untrained"].items():
            torch.testing.assert_close(found["untrained"][key], x, msg=lambda m, key=key: f"{key}: {m}")


def test_the_comparison_sees_a_loss_that_is_not_gathered(
    views: dict[str, dict[str, Tensor]], ranks: list[dict[str, Any]]
) -> None:
    strategy = _build("simclr")
    expected = _train_once(strategy, Step(strategy), views["simclr"])
    losses = [rank["simclr, not gathered"]["loss"].item() for rank in ranks]
    assert abs(losses[0] - losses[1]) > 0.01, "both ranks hold the same data"
    assert _gap(ranks[0]["simclr, not gathered"]["gradients"], expected["gradients"]) > 0.05


def test_gather_concatenates_in_the_order_of_ranks_whatever_the_type(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        rows = rank["primitive"]["rows"]
        for key, x in EXAMPLES.items():
            torch.testing.assert_close(rows[key], x, rtol=0, atol=0)
        assert rank["primitive"]["needs_grad"] == ["z"]


def test_the_gradient_of_gather_is_the_sum_over_ranks(ranks: list[dict[str, Any]]) -> None:
    for number, rank in enumerate(ranks):
        k = torch.arange(1.0, 9.0)[4 * number : 4 * number + 4]
        torch.testing.assert_close(rank["primitive"]["gradient"], RANKS * k[:, None].expand(4, 3), rtol=0, atol=0)


def test_a_batch_that_cannot_be_shared_is_refused(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["primitive"]["refused"] == (
        "views of {'a': 7} examples cannot be shared by 2 processes: use a multiple of 2"
    )


def test_one_process_gets_back_what_it_gave() -> None:
    x = {"z": torch.ones(3, 2, requires_grad=True)}
    assert gather(x)["z"] is x["z"]
    assert shard(x)["z"] is x["z"]
