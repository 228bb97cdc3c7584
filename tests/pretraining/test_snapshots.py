"""Encoders on the way are those that a training of that many steps would hold, and are read as the final one is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from test_resume import CutOff, cut_off, interrupted, stop
from tiny_training import STEPS, budget, build, noise
from torch import nn
from torch.nn import functional as F

from benchmark.modules import Strategy
from benchmark.pretraining.checkpoint import FILE, Place
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.readout import settle_statistics, weights_file
from benchmark.pretraining.train import pretrain, train_to

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


def with_dropout(name: str) -> Strategy:
    """A strategy whose encoder's statistics depend on what dropout draws before them."""
    strategy = build(name, "cnn_small")
    norm = next(module for module in strategy.encoder.modules() if isinstance(module, nn.BatchNorm2d))
    norm.register_forward_pre_hook(lambda module, given: F.dropout(given[0], 0.3, module.training))
    return strategy


@pytest.mark.parametrize(("name", "made"), [("byol", build), ("stone", build), ("simclr", with_dropout)])
def test_a_training_up_to_a_share_leaves_what_the_whole_one_has_left(name, made, tmp_path):
    """To the bit, though rates and teachers follow from how long the whole is; and the smaller shares on its way."""
    folders = [tmp_path / each for each in ("whole", "one", "both", "short")]
    for folder in folders:
        folder.mkdir()
    whole, one, both, short = (Place(folder, 0.0) for folder in folders)
    pretrain(strategy := made(name), noise(), budget(strategy), 0, "cpu", whole, SHARES)
    info = train_to(strategy := made(name), noise(), budget(strategy), 0, "cpu", one, SHARES[:1])
    assert info["steps"] == round(SHARES[0] * STEPS)
    assert info["crops"] == budget(strategy).crops, "of the whole"
    train_to(strategy := made(name), noise(), budget(strategy), 0, "cpu", both, SHARES)
    for share, place in ((SHARES[0], one), (SHARES[0], both), (SHARES[1], both)):
        assert (place.folder / weights_file(share)).read_bytes() == (whole.folder / weights_file(share)).read_bytes()
    assert not (one.folder / weights_file(SHARES[1])).exists()
    shorter = budget(strategy := made(name), crops=budget(strategy).crops // 2)
    pretrain(strategy, noise(), shorter, 0, "cpu", short)
    held, kept = strategy.encoder.state_dict(), load_file(whole.folder / weights_file(0.5))
    assert any(not torch.equal(held[name], x) for name, x in kept.items()), "of half the budget it is another"


def test_a_training_that_goes_on_keeps_what_is_asked_for_by_then_and_still_ahead(tmp_path):
    """It does not begin anew for what it has passed."""
    with pytest.raises(CutOff):
        cut_off(build("simclr"), tmp_path, 4, stop)
    (tmp_path / weights_file(0.25)).write_bytes(b"")  # as a power cut leaves one that had been asked for
    shares = [0.25, 0.5, 0.9]
    info = pretrain(strategy := build("simclr"), noise(), budget(strategy), 0, "cpu", Place(tmp_path, 0.0), shares)
    assert info["resumed"] == 1
    assert [share for share in shares if (tmp_path / weights_file(share)).exists()] == [0.9]


def test_a_training_up_to_a_share_goes_on_where_it_was_cut_off(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir(), part.mkdir()
    pretrain(strategy := build("simclr"), noise(), budget(strategy), 0, "cpu", Place(whole, 0.0), [0.75])
    strategy = build("simclr")
    strategy.views = interrupted(strategy.views, 2, stop)  # type: ignore[method-assign]
    with pytest.raises(CutOff):
        train_to(strategy, noise(), budget(strategy), 0, "cpu", Place(part, 0.0), [0.75])
    strategy = build("simclr")
    strategy.views = interrupted(strategy.views, 2, stop)  # type: ignore[method-assign]
    train_to(strategy, noise(), budget(strategy), 0, "cpu", Place(part, 0.0), [0.75])
    assert (part / weights_file(0.75)).read_bytes() == (whole / weights_file(0.75)).read_bytes()
