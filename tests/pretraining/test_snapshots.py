"""Encoders on the way are those that a training of that many steps would hold, and are read as the final one is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from test_resume import CutOff, cut_off, interrupted, stop
from tiny_training import STEPS, budget, build, noise

from benchmark.pretraining.checkpoint import FILE, Place
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.snapshots import weights_file
from benchmark.pretraining.train import pretrain, settle_statistics

SHARES = [0.25, 0.5]


def train(folder: Path, name: str = "simclr") -> dict[str, torch.Tensor]:
    """Train with snapshots, and return the final encoder."""
    strategy = build(name, "cnn_small")
    pretrain(strategy, noise(), budget(strategy), 0, "cpu", Place(folder, 0.0), SHARES)
    return strategy.encoder.state_dict()


def test_a_snapshot_is_what_a_training_held_when_it_was_cut_off_there(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir(), part.mkdir()
    train(whole)
    step = round(SHARES[1] * STEPS)
    strategy = build("simclr", "cnn_small")
    with pytest.raises(CutOff):
        cut_off(strategy, part, step, stop)
    snapshot = load_file(whole / weights_file(SHARES[1]))
    with safe_open(part / FILE, "pt") as file:
        held = {key.removeprefix("strategy.encoder."): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    trained = [name for name, _ in strategy.encoder.named_parameters()]
    assert all(torch.equal(snapshot[name], held[name]) for name in trained)
    assert trained


def test_its_statistics_are_estimated_as_the_final_ones_are(tmp_path):
    final = train(tmp_path)
    snapshot = load_file(tmp_path / weights_file(SHARES[0]))
    strategy = build("simclr", "cnn_small")
    strategy.encoder.load_state_dict(snapshot)
    stream = CropStream(noise(), strategy.crops(strategy.config), budget(strategy), 0)
    settle_statistics(strategy.encoder, stream, "cpu")
    again = strategy.encoder.state_dict()
    assert all(torch.equal(again[name], x) for name, x in snapshot.items())
    assert any(not torch.equal(final[name], x) for name, x in snapshot.items())


def test_snapshots_change_nothing_of_the_training(tmp_path):
    strategy = build("simclr", "cnn_small")
    pretrain(strategy, noise(), budget(strategy), 0, "cpu")
    with_them = train(tmp_path)
    assert all(torch.equal(with_them[name], x) for name, x in strategy.encoder.state_dict().items())


def test_a_training_that_was_cut_off_keeps_the_same_snapshots(tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    whole.mkdir(), resumed.mkdir()
    train(whole)
    strategy = build("simclr", "cnn_small")
    strategy.views = interrupted(strategy.views, STEPS - 1, stop)  # type: ignore[method-assign]
    with pytest.raises(CutOff):
        pretrain(strategy, noise(), budget(strategy), 0, "cpu", Place(resumed, 0.0), SHARES)
    train(resumed)
    for share in SHARES:
        first, second = load_file(whole / weights_file(share)), load_file(resumed / weights_file(share))
        assert all(torch.equal(first[name], second[name]) for name in first)
