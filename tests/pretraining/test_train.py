"""What training leaves behind: an encoder that is read out with statistics of sound as it is."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmark.audio.waveforms import Waveforms
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.interfaces import Config
from benchmark.modules import Crops
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream, to_batch
from benchmark.pretraining.readout import settle, settle_statistics
from benchmark.pretraining.train import pretrain
from strategies.random import Random
from strategies.simclr import SimCLR, SimCLRConfig

RATE, LENGTH, TRACKS = 16_000, 16_000, 48


@pytest.fixture
def waves() -> Waveforms:
    rng = np.random.default_rng(0)
    levels = rng.uniform(100, 6000, (TRACKS, 1))
    samples = (levels * rng.standard_normal((TRACKS, LENGTH))).clip(-32000, 32000).astype(np.int16)
    split = ["train"] * 40 + ["val"] * 8
    tracks = pd.DataFrame({"split": split, "offset": np.arange(TRACKS) * LENGTH, "length": LENGTH})
    return Waveforms(tracks, {"mix": samples.reshape(-1)}, RATE)


@pytest.fixture
def stream(waves: Waveforms) -> CropStream:
    return CropStream(waves, Crops(count=1, seconds=0.5), PretrainConfig(crops=1000, batch_size=48), seed=0)


def test_statistics_are_those_of_crops_as_they_are(stream: CropStream) -> None:
    """The first BatchNorm's own definition, on all crops at once; whatever training had left there is gone."""
    encoder = CNNSmall()
    norm = encoder.stem[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean.fill_(17.0)
    settle_statistics(encoder, stream, "cpu", batches=4)
    crops = torch.cat([to_batch(stream.step(t)).crops[:, 0] for t in range(4)])
    with torch.no_grad():
        seen = encoder.stem[0](encoder.features(crops).unsqueeze(1))
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, seen.var(dim=(0, 2, 3)), rtol=0.05, atol=1e-4)
    assert norm.momentum == 0.1


@pytest.mark.parametrize("count", [1, 2])
def test_statistics_are_of_mixtures_where_stems_are_heard(waves: Waveforms, count: int) -> None:
    """Whatever the stem is, silence or all that sounds; a strategy may hear it alone, or beside the mixture."""
    mix, config, settled = waves.stems["mix"], PretrainConfig(crops=1000, batch_size=40), []
    for stem in (mix, np.zeros_like(mix)):
        corpus = replace(waves, tracks=waves.tracks.assign(active_drums=True), stems={"mix": mix, "drums": stem})
        spec = Crops(count=count, seconds=0.5, sources=("drums",))
        torch.manual_seed(0)
        encoder = CNNSmall()
        settle_statistics(encoder, CropStream(corpus, spec, config, seed=0), "cpu", batches=2)
        settled.append(encoder.state_dict())
    assert all(torch.equal(settled[0][name], settled[1][name]) for name in settled[0])


def test_weights_stay(stream: CropStream) -> None:
    encoder = CNNSmall()
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    settle_statistics(encoder, stream, "cpu", batches=2)
    assert all(torch.equal(p, before[name]) for name, p in encoder.named_parameters())


def test_a_strategy_is_told_how_many_crops_a_step_hears(waves: Waveforms) -> None:
    """Of 3 s, before the first step: 16 tracks with two crops of half a second are 5.33."""
    told: list[tuple[int, int, float]] = []

    class Told(SimCLR):
        def after_step(self, step: int, total: int) -> None:
            told.append((step, total, self.step_crops))

    strategy = Told(CNNSmall(), SimCLRConfig(seconds=0.5))
    assert strategy.step_crops == pytest.approx(64 * 2 / 6), "of 64 tracks, until it is told"
    info = pretrain(strategy, waves, PretrainConfig(crops=16, batch_size=16, precision="32-true"), 0, "cpu")
    assert told == [(step, 3, pytest.approx(16 / 3)) for step in (1, 2, 3)]
    assert info["crops"] == 16


PEAK = """
import torch
from benchmark.pretraining.memory import forget_peak, peak_mb
large = torch.ones(400 * 2**18)  # 400 MB
del large
print(forget_peak("cpu"))
before = peak_mb("cpu")
small = torch.ones(100 * 2**18)
print(peak_mb("cpu") - before)
"""


def test_the_peak_is_of_the_job_not_of_what_its_worker_did_before() -> None:
    """In a process of its own: what other tests have freed here may be taken again without any growth."""
    told = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True).stdout.split()
    if told[0] == "False":
        pytest.skip("this system does not let a process reset its high-water mark")
    assert 80 < int(told[1]) < 200


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of the compiler's own code
def test_a_compiled_network_learns_the_same(waves: Waveforms) -> None:
    def curve(compiled: bool) -> list[float]:
        torch.manual_seed(0)
        strategy = SimCLR(CNNSmall(), SimCLRConfig(seconds=0.5))
        config = PretrainConfig(crops=6, batch_size=8, precision="32-true", compile=compiled)
        found: list[float] = pretrain(strategy, waves, config, 0, "cpu")["curve"]
        return found

    compiled = curve(True)
    assert len(compiled) == 2, "the second step tells whether the first one's gradient was right"
    assert compiled == pytest.approx(curve(False), rel=1e-3)


def test_a_batch_system_changes_nothing(waves: Waveforms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under Slurm Lightning would want as many devices as there are tasks, and begin as an earlier job's checkpoint."""

    def trained() -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        strategy = SimCLR(CNNSmall(), SimCLRConfig(seconds=0.5))
        pretrain(strategy, waves, PretrainConfig(crops=16, batch_size=16, precision="32-true"), 0, "cpu")
        return strategy.state_dict()

    alone = trained()
    for name, value in {"NTASKS": "4", "JOB_NAME": "pretext", "JOB_ID": "7", "PROCID": "1", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_LOCALID", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"of another training")
    under_slurm = trained()
    assert all(torch.equal(x, under_slurm[name]) for name, x in alone.items())
    assert [path.name for path in tmp_path.iterdir()] == ["hpc_ckpt_1.ckpt"]


def test_an_untrained_encoder_is_settled_as_a_trained_one_of_its_seed_is(waves: Waveforms) -> None:
    """Weights are those of the seed; on the very crops, each BatchNorm gives mean 0 and deviation 1 in each channel.

    Unsettled, the deviations that the next layers hear are those of the weights: far from 1.
    """
    torch.manual_seed(3)
    strategy = Random(CNNSmall(), Config())
    unsettled = copy.deepcopy(strategy.encoder)
    strategy.crops = lambda config: Crops(count=2, seconds=0.5)  # type: ignore[method-assign]
    settle(strategy, waves, 48, 3, "cpu")
    before = dict(unsettled.named_parameters())
    assert all(torch.equal(p, before[name]) for name, p in strategy.encoder.named_parameters())

    stream = CropStream(waves, Crops(count=2, seconds=0.5), PretrainConfig(crops=9000, batch_size=48), seed=3)
    trained = copy.deepcopy(unsettled)
    settle_statistics(trained, stream, "cpu")
    assert all(torch.equal(x, strategy.encoder.state_dict()[name]) for name, x in trained.state_dict().items())

    crops = torch.cat([to_batch(stream.step(t)).crops[:, 0] for t in range(20)])
    for encoder, off in ((strategy.encoder, 0.1), (unsettled, None)):
        moments = _normalized(encoder, crops)
        mean, std = max(float(m.abs().max()) for m, _ in moments), max(float((s - 1).abs().max()) for _, s in moments)
        print(f"furthest from 0 and 1: {mean:.3f}, {std:.3f}")
        assert (mean < off and std < off) if off else std > 0.5


def _normalized(encoder: nn.Module, crops: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Mean and deviation over crops and time of what each BatchNorm gives, by channel."""
    given: list[torch.Tensor] = []
    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    # clones: what follows works in place
    hooks = [norm.register_forward_hook(lambda module, x, y: given.append(y.clone())) for norm in norms]
    with torch.no_grad():
        encoder.eval()(crops)
    for hook in hooks:
        hook.remove()
    return [(y.mean(dim=(0, 2, 3)), y.std(dim=(0, 2, 3))) for y in given]
