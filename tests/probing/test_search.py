"""How long, and with which settings, labels are learned: planted validation scores lead to known decisions."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from benchmark.audio.waveforms import Waveforms
from benchmark.encoders.constant import Constant
from benchmark.interfaces import Info
from benchmark.modules import Batch, Crops, Strategy
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.train import TrainingDiverged
from benchmark.probing import search
from benchmark.probing.search import Contender, Paced, Recipe, Setting, behind, checks, improves

RATES = (3e-3, 1e-3)
SETTINGS = [Setting(3e-3, True), Setting(1e-3, True), Setting(3e-3, False)]


def test_the_first_rate_is_tried_without_augmentation_if_that_is_wanted() -> None:
    assert Recipe(RATES, 8, views=lambda encoder: None).settings == SETTINGS  # type: ignore[arg-type, return-value]
    assert Recipe(RATES, 8, views=lambda encoder: None, plain=False).settings == SETTINGS[:2]  # type: ignore[arg-type, return-value]
    assert Recipe(RATES, 8).settings == [Setting(3e-3, False), Setting(1e-3, False)]


def test_validation_is_looked_at_equally_often_in_each_doubling_of_the_steps() -> None:
    assert checks(1500)[:5] == [100, 119, 141, 168, 200]
    assert [sum(low <= step < 2 * low for step in checks(6400)) for low in (100, 200, 400, 800, 1600, 3200)] == [4] * 6
    assert checks(1500)[-1] < 1500
    assert checks(100) == []


def test_a_training_goes_on_while_the_last_doubling_is_above_the_one_before() -> None:
    assert improves([0.1] * 7), "two doublings are not over yet"
    assert improves([0.1] * 4 + [0.1, 0.1, 0.1, 0.2])
    assert not improves([0.1] * 8)
    assert not improves([0.1] * 4 + [0.0, 0.0, 0.0, 0.3]), "one lucky moment is not enough"
    assert not improves([-np.inf] * 8), "a score that is never defined"


def contender(seen: list[float], learned_at: int = 0) -> Contender:
    """One that has learned its training tracks from a check on."""
    return Contender(SETTINGS[0], None, seen, [at >= learned_at for at in range(len(seen))])


def test_a_contender_has_to_be_above_the_leader_at_the_same_step() -> None:
    leader = contender([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert not behind(contender([0.0] * 3), leader), "no doubling is over yet"
    assert behind(contender([0.1, 0.2, 0.3, 0.4]), leader), "equal is not above"
    assert not behind(contender([0.1, 0.2, 0.3, 0.5]), leader)
    assert not behind(contender([0.5] * 8), leader), "one that goes on for longer: .5 against the leader's last, .45"
    assert behind(contender([0.4] * 8), leader)


def test_of_two_that_have_learned_nothing_neither_is_behind() -> None:
    late = contender([0.1] * 6 + [0.9] * 4, learned_at=6)
    assert not behind(contender([0.0] * 5, learned_at=9), late)
    assert behind(contender([0.0] * 7, learned_at=9), late), "the leader had learned by then"
    assert behind(contender([0.0] * 5, learned_at=4), late), "it has learned, and is not above chance"


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    """What the optimizer is given: up to step 100, down from 800, or from where it is told to."""
    paced = Paced(Toy(), PretrainConfig(crops=1, learning_rate=1.0), 0, 1000)
    rate = paced.configure_optimizers()["lr_scheduler"]["scheduler"].lr_lambdas[0]
    assert [rate(step) for step in (0, 49, 99, 400, 800, 900, 1000)] == [0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0]
    paced.cool(400)
    assert paced.last == 500
    assert [rate(step) for step in (400, 450, 500)] == [1.0, 0.5, 0.0]


class Toy(Strategy):
    """One weight; its loss is the weight's square, or undefined."""

    info = Info("toy", "Toy", "this test")

    def __init__(self, setting: Setting | None = None, broken: bool = False) -> None:
        super().__init__(Constant(), None)
        self.weight = nn.Parameter(torch.ones(1))
        self.setting, self.broken = setting, broken

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"x": batch.crops[:, 0]}

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"x": self.weight.expand(len(views["x"]), 1)}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": embeddings["x"].square().mean() * (float("nan") if self.broken else 1.0)}


@pytest.fixture
def stream() -> CropStream:
    """200 steps of 4 crops of .03 s: a crop of 3 s in 25 steps."""
    tracks = pd.DataFrame({"split": "train", "offset": np.arange(8) * 480, "length": 480})
    waves = Waveforms(tracks, {"mix": np.zeros(8 * 480, np.int16)}, 16_000)
    found = CropStream(waves, Crops(count=1, seconds=0.03), PretrainConfig(crops=8, batch_size=4), seed=0)
    assert (found.steps, found.batch) == (200, 4)
    return found


def run(stream: CropStream, plan: dict[Setting, Any], broken: tuple[Setting, ...] = (), blind: float = np.inf) -> Any:
    """Search; `plan` says what a setting scores at its n-th look at validation. Also how often each was looked at.

    By default it counts as learned at once.
    """
    looks: Counter[Setting] = Counter()

    def score(model: Any) -> float:
        looks[model.setting] += 1
        return float(plan[model.setting](looks[model.setting]))

    recipe = Recipe(RATES, crops=8, batch=4, views=lambda encoder: None)  # type: ignore[arg-type, return-value]
    config = PretrainConfig(crops=8, batch_size=4, precision="32-true")
    found = search.search(recipe, lambda setting: Toy(setting, setting in broken), stream, score, config, "cpu", blind)
    return *found, looks


def test_the_best_at_its_end_is_chosen_and_who_is_behind_is_given_up(
    stream: CropStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is level and below the first, which rises until its 5th look; the third is always above it by .01.

    The first's last doubling, four looks, is not above the one before as soon as both are level: at look 12.
    """
    monkeypatch.setattr(search, "FIRST_CHECK", 8)
    plan = {
        SETTINGS[0]: lambda n: min(n, 5) / 10,
        SETTINGS[1]: lambda n: 0.05,
        SETTINGS[2]: lambda n: min(n, 5) / 10 + 0.01,
    }
    model, score, chosen, looks = run(stream, plan)
    assert model.setting == SETTINGS[2]
    assert score == pytest.approx(0.51)
    assert (chosen["lr"], chosen["augmented"]) == (3e-3, 0)
    last = round(checks(200)[12 - 1] / 0.8)
    assert chosen["steps"] == last < 160
    assert looks == {SETTINGS[0]: 12 + 1, SETTINGS[1]: 4, SETTINGS[2]: 12 + 1}
    assert chosen["heard_by_all"] == round((2 * last + checks(200)[3]) / 25)
    assert chosen["epochs"] == round(last * 4 / 8, 2)


def test_a_training_that_has_learned_nothing_yet_is_not_stopped(
    stream: CropStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validation stays at chance for all 200 steps, while the loss comes down from 1: by Adam, .003 a step at most."""
    monkeypatch.setattr(search, "FIRST_CHECK", 8)
    chance = dict.fromkeys(SETTINGS, lambda n: 0.5)
    assert run(stream, chance)[2]["steps"] == round(checks(200)[7] / 0.8)
    assert run(stream, chance, blind=0.0)[2]["steps"] == 200
    late = run(stream, chance, blind=2 * 0.8)[2]["steps"]
    assert 50 < late < 100, "the weight's square is .8 after some 40 steps"


def test_the_first_wins_a_tie_and_the_budget_is_the_longest_that_there_is(
    stream: CropStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FIRST_CHECK", 150)
    model, _, chosen, looks = run(stream, dict.fromkeys(SETTINGS, lambda n: 0.5))
    assert model.setting == SETTINGS[0]
    assert chosen["steps"] == 200
    assert set(looks.values()) == {2}, "at 150, and at the end; 178 is in the cooldown"


def test_a_setting_that_diverges_costs_itself_only(stream: CropStream) -> None:
    model, score, _, looks = run(stream, dict.fromkeys(SETTINGS, lambda n: 0.5), broken=(SETTINGS[0],))
    assert model.setting == SETTINGS[1]
    assert score == 0.5
    assert SETTINGS[0] not in looks
    with pytest.raises(TrainingDiverged, match="the loss is nan at step 49 of 200"):
        run(stream, {}, broken=tuple(SETTINGS))
