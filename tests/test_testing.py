"""The public conformance checks: what is sound passes, and each kind of defect is named."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.encoders import buildable
from pydantic import ConfigDict
from torch import nn
from torch.nn import functional as F

from benchmark import registry, testing
from benchmark.encoders.cnn_small import LogMel
from benchmark.interfaces import Config, Info
from benchmark.modules import Crops, Encoder, Strategy
from benchmark.testing import check_encoder, check_strategy, random_batch


class Sound(Strategy):
    """A pretext task that keeps the contract. Each class below has one defect, which `says` names."""

    info = Info("sound", "Sound", "this test")

    def __init__(self, encoder: Encoder, config: Any) -> None:
        super().__init__(encoder, config)
        self.head = nn.Linear(encoder.embedding_dim, 8)

    @classmethod
    def crops(cls, config: Any) -> Crops:
        return Crops(count=2, seconds=0.5)

    def views(self, batch, generator):
        noise = 0.01 * torch.randn(batch.crops.shape, generator=generator)
        return {name: self.encoder.features((batch.crops + noise)[:, i]) for i, name in enumerate("ab")}

    def embed(self, views):
        return {name: self.head(self.encoder.body(view).mean(dim=1)) for name, view in views.items()}

    def loss(self, embeddings):
        a, b = (F.normalize(embeddings[name].float(), dim=1) for name in "ab")
        with torch.autocast("cpu", enabled=False):
            return {"loss": F.cross_entropy(a @ b.T, torch.arange(len(a)))}


class NotANumber(Sound):
    says = r"the loss is nan; it must be finite"

    def loss(self, embeddings):
        return {"loss": super().loss(embeddings)["loss"] * torch.nan}


class OverflowsInHalf(Sound):
    says = r"the loss under bf16 autocast is inf; it must be finite"

    def loss(self, embeddings):
        loss = super().loss(embeddings)["loss"]
        return {"loss": loss * torch.inf if torch.is_autocast_enabled("cpu") else loss}


class Half(Sound):
    says = r"the loss is torch.float16; losses switch autocast off"

    def loss(self, embeddings):
        return {"loss": super().loss(embeddings)["loss"].half()}


class NeverCasts(Sound):
    says = r"the loss under bf16 autocast is torch.bfloat16; losses switch autocast off"

    def loss(self, embeddings):
        return {"loss": -(embeddings["a"] @ embeddings["b"].T).diagonal().mean()}


class PerExample(Sound):
    says = r"the loss has shape \(8,\); it must be a scalar"

    def loss(self, embeddings):
        return {"loss": (embeddings["a"] - embeddings["b"]).float().square().mean(dim=1)}


class Detached(Sound):
    says = r"36 of the encoder's 36 parameters get no gradient"

    def embed(self, views):
        return {name: self.head(self.encoder.body(view).mean(dim=1).detach()) for name, view in views.items()}


class InfiniteGradient(Sound):
    says = r"the gradient of the encoder's .* is not finite"

    def loss(self, embeddings):
        distance = (embeddings["a"] - embeddings["a"]).float().square().sum(dim=1).sqrt()  # the root's slope at zero
        return {"loss": super().loss(embeddings)["loss"] + distance.mean()}


class OrderDependent(Sound):
    says = r"the loss depends on the order of the batch"

    def loss(self, embeddings):
        return super().loss({"a": embeddings["a"], "b": embeddings["b"].roll(1, 0)})


class GlobalDraws(Sound):
    says = r"the view 'a' differs for one seed; views\(\) must draw from its generator alone"

    def views(self, batch, generator):
        return {name: view + torch.randn_like(view) for name, view in super().views(batch, generator).items()}


class SpoilsTheBatch(Sound):
    says = r"views\(\) changes batch.crops in place"

    def views(self, batch, generator):
        batch.crops.mul_(0.5)
        return super().views(batch, generator)


class Stacked(Sound):
    says = r"the embedding 'both' has shape \(16, 8\) for 8 tracks; it must be \(B, ...\)"

    def embed(self, views):
        return {"both": torch.cat(list(super().embed(views).values()))}

    def loss(self, embeddings):
        return super().loss(dict(zip("ab", embeddings["both"].chunk(2), strict=True)))


class ScalarView(Sound):
    says = r"the view 'gain' has shape \(\) for 8 tracks; it must be \(B, ...\)"

    def views(self, batch, generator):
        return {**super().views(batch, generator), "gain": torch.ones(())}


class Forgetful(Sound):
    says = r"restored from its state dict, the loss is .* state that a step changes must be"

    scale = 1.0

    def loss(self, embeddings):
        return {"loss": self.scale * super().loss(embeddings)["loss"]}

    def after_step(self, step, total):
        self.scale = 0.5


class HidesItsEncoder(Sound):
    says = r"`encoder` is not the one given; its weights are what is kept"

    def __init__(self, encoder, config):
        super().__init__(type(encoder)(), config)


class Explodes(Sound):
    says = r"head.weight is not finite after a training step"

    def after_step(self, step, total):
        self.head.weight.data.mul_(torch.inf)


class Idle(Sound):
    says = r"a training step leaves the encoder as it is"

    def parameters(self, recurse=True):
        return self.head.parameters(recurse)


class Lenient(Sound):
    says = r"Config accepts the unknown key 'no_such_option'; it must forbid unknown keys"

    class Config(Config):
        model_config = ConfigDict(extra="ignore")


class Thawed(Sound):
    says = r"Config is not frozen"

    class Config(Config):
        model_config = ConfigDict(frozen=False)


class Demanding(Sound):
    says = r"options without default; pass `config` to the check: (.|\n)*temperature"

    class Config(Config):
        temperature: float


class NoCitation(Sound):
    says = r"info.citation is empty; the leaderboard shows it"

    info = Info("sound", "Sound", " ")


class OddName(Sound):
    says = r"the name 'So-und' does not match"

    info = Info("So-und", "Sound", "this test")


class OddCrops(Sound):
    says = r"crops\(config\) asks for count = 0, placement = 'nearby'"

    @classmethod
    def crops(cls, config):
        return Crops(count=0, placement="nearby")  # type: ignore[arg-type]


class NeedsWings(Sound):
    says = r"no registered encoder offers wings; pass `encoder_cls`"

    needs = frozenset({"wings"})


class Passable(Encoder):
    """An encoder that keeps the contract. Each class below has one defect."""

    info = Info("passable", "Passable", "this test")
    sample_rate, embedding_dim, frame_rate = 16_000, 8, 25.0

    def __init__(self):
        super().__init__()
        self.front_end, self.network = LogMel(), nn.Conv1d(64, 8, 3, 2, 1)

    def features(self, waveform):
        return self.front_end(waveform)

    def body(self, features):
        return self.network(features).transpose(1, 2)


class Hasty(Passable):
    says = r"5 s more of audio give 125 frames more; frame_rate says 250.0"

    frame_rate = 50.0


class Wide(Passable):
    says = r"frames are \(2, 26, 8\); they must be \(2, 26, 16\), \(B, F, D\)"

    embedding_dim = 16


class Coarse(Passable):
    says = r"features under bf16 autocast are torch.bfloat16; the front end must stay in float32"

    def features(self, waveform):
        return (
            (torch.eye(64) @ self.front_end(waveform))
            if torch.is_autocast_enabled("cpu")
            else super().features(waveform)
        )


class Noisy(Passable):
    says = r"in evaluation mode, two passes differ; it must be deterministic"

    def body(self, features):
        return super().body(F.dropout(features, 0.1))


class Gregarious(Passable):
    says = r"in evaluation mode, frames depend on the other clips of the batch"

    def body(self, features):
        return super().body(features - features.mean(dim=0))


class Bypassing(Passable):
    says = r"forward is not body\(features\(waveform\)\)"

    def forward(self, waveform):
        return 2 * super().forward(waveform)


class Greedy(Passable):
    says = r"no frame comes of 800 samples; declare in `shortest` how many it needs"

    def body(self, features):
        return super().body(features)[:, 2:]


class Frozen(Passable):
    says = r"1 of the encoder's 2 parameters get no gradient"

    def body(self, features):
        return F.conv1d(features, self.network.weight.detach(), self.network.bias, 2, 1).transpose(1, 2)


@pytest.mark.parametrize("name", registry.strategies.names())
def test_every_registered_strategy_keeps_the_contract(name: str) -> None:
    check_strategy(registry.strategies.get(name))


@pytest.mark.parametrize("name", buildable())
def test_every_registered_encoder_keeps_the_contract(name: str) -> None:
    check_encoder(registry.encoders.get(name))


def test_what_is_sound_passes_and_the_caller_keeps_its_random_state() -> None:
    before = torch.get_rng_state()
    check_strategy(Sound)
    check_strategy(Sound, Passable)
    check_strategy(Demanding, Passable, Demanding.Config(temperature=0.1))
    check_encoder(Passable)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("cls", Sound.__subclasses__(), ids=lambda cls: cls.__name__)
def test_each_defect_of_a_strategy_is_named(cls: type[Strategy]) -> None:
    with pytest.raises(AssertionError, match=f"^(sound|{cls.__name__}): .*{cls.says}"):
        check_strategy(cls)


@pytest.mark.parametrize("cls", Passable.__subclasses__(), ids=lambda cls: cls.__name__)
def test_each_defect_of_an_encoder_is_named(cls: type[Encoder]) -> None:
    with pytest.raises(AssertionError, match=f"^passable: .*{cls.says}"):
        check_encoder(cls)


def test_a_baseline_is_not_trained() -> None:
    class Untrained(NotANumber):
        trains = False

    check_strategy(Untrained)


def test_the_checks_survive_python_without_asserts() -> None:
    tree = ast.parse(Path(testing.__file__).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_the_made_up_batch_is_what_the_trainer_would_hand_over() -> None:
    batch = random_batch(Crops(count=3, seconds=0.25, sources=("drums",), tags=("family", "mode")), 16_000)
    assert batch.crops.shape == (8, 3, 4000)
    assert batch.crops.abs().max() <= 1
    assert batch.labels.sum(dim=1).tolist() == [2.0] * 4 + [0.0] * 4
    assert batch.active.tolist() == [True, False] * 4
    assert random_batch(Crops(count=1), 16_000).labels.shape == (8, 0)
    assert random_batch(Crops(count=1), 16_000).active.all()
