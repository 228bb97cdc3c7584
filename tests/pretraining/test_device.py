"""What a GPU would do, as far as a machine without one can tell: no step waits for the device, or for its host."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny_training import BATCH, TRAINED, budget, build, noise
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmark.audio import augment
from benchmark.audio.resident import moved
from benchmark.modules import Batch
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.train import pretrain
from benchmark.probing.supervised import Classifier
from benchmark.scheduler.executors.slots import DETERMINISTIC
from benchmark.scheduler.making import take_device
from benchmark.testing import random_batch


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values cannot be read without waiting, as on a GPU."""
    monkeypatch.setattr(augment, "at_hand", lambda device: False)


#: chains of augmentation are the same for all
CASES = [(name, "pretext") for name in TRAINED] + [("simclr", preset) for preset in ("clmr", "semisupcon", "choi")]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("name", "preset"), CASES)
def test_no_step_waits_for_the_device(name: str, preset: str) -> None:
    """Fake tensors have shapes and no values: whatever asks for one, or has a shape that depends on one, raises."""
    strategy = build(name)
    if name == "simclr":
        strategy.config = type(strategy).Config(preset=preset)
    crops = random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        batch = Batch(*(fake.from_tensor(x) for x in (crops.crops, crops.active, crops.labels)))
        made = strategy.views(batch, torch.Generator().manual_seed(0))
        loss = strategy.loss(strategy.embed(made))["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
    assert loss.shape == ()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_nor_does_a_step_with_labels(kind: str) -> None:
    model = Classifier(build("simclr").encoder, 3, False, kind)  # type: ignore[arg-type]
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        batch = Batch(*(fake.from_tensor(x) for x in (torch.zeros(4, 1, 48_000), torch.ones(4), torch.ones(4, 3))))
        model.loss(model.embed(model.views(batch, torch.Generator())))["loss"].backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", ["simclr", "multi_source"])
def test_a_training_on_resident_audio_is_the_same(name: str) -> None:
    whole, other = build(name), build(name)
    waves = noise()
    there = moved(waves, "cpu", waves.stems)
    stream = CropStream(there, other.crops(other.config), budget(other), 0)
    assert stream.step(3)["crops"].shape[0] == BATCH
    there = dataclasses.replace(there, stems={stem: x * 0 for stem, x in there.stems.items()})  # it is not read
    one, two = (pretrain(s, w, budget(s), 0, "cpu") for s, w in ((whole, waves), (other, there)))
    assert one["curve"] == two["curve"]


@pytest.mark.parametrize(("said", "exact"), [("1", True), ("true", True), ("0", False), ("off", False), ("", False)])
def test_a_switch_in_the_environment_means_what_the_command_line_takes_it_for(
    said: str, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DETERMINISTIC, said)
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    try:
        take_device()
        assert torch.are_deterministic_algorithms_enabled() is exact
    finally:
        torch.use_deterministic_algorithms(False)
