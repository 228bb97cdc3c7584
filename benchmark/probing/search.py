"""How labels are learned end to end: with which settings, and for how long, decided on validation.

A training goes on at a constant rate until it has learned its training tracks, and from then on as long as validation
improves: as long as its scores over the last doubling of the steps are on average above those over the doubling before.
Then, or when all its crops are heard, the rate comes down linearly, and what that ends in is kept. Single moments are
not chosen: a small fraction leaves a dozen validation tracks, whose best moment is a matter of luck. That validation is
at chance, and stays there, is no reason to stop: tempo does for the first 2,000 steps, and reads .9 after 4,000.

The first setting is trained so to its end. The others follow, and are given up as soon as the same averages are not
above the first one's at the same step, if either had learned its training tracks by then. Of those that reach their
end, the best on validation is taken, of equal ones the first. All settings hear the same crops and start from the same
weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

from benchmark.modules import Batch, Encoder, Strategy
from benchmark.pretraining.budget import Precision, PretrainConfig
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.monitor import trend
from benchmark.pretraining.train import Pretraining, TrainingDiverged, fit

#: steps of rising learning rate, but no more than a quarter of those that there can be
WARM_UP = 100
#: validation is looked at from this step on, so many times per doubling of the steps
FIRST_CHECK, PER_DOUBLING = 100, 4
#: training tracks are learned when what is lost on them is this share of what constant outputs would lose
LEARNED = 0.5
#: the rate comes down over this share of the whole training
COOLDOWN = 0.2

#: crops of a batch to augmented features
Views = Callable[[Batch, torch.Generator], dict[str, Tensor]]
#: of a model on validation, higher is better
Score = Callable[[Any], float]


@dataclass(frozen=True)
class Recipe:
    """What is tried.

    Attributes:
        rates: AdamW's, after warm-up; the one that is likely to be the best first.
        batch: crops per step, fewer where there are fewer labelled tracks.
        crops: of 3 s, heard at most.
        views: an encoder to what makes its augmented `features`; None where that would change what labels say.
        precision: of the network.
        plain: whether the first rate is tried without augmentation, too.
    """

    rates: Sequence[float]
    crops: int
    batch: int = 16
    views: Callable[[Encoder], Views] | None = None
    precision: Precision = "32-true"
    plain: bool = True

    @property
    def settings(self) -> list[Setting]:
        """Each rate, augmented where that can be; the first also without."""
        augmented = self.views is not None
        settings = [Setting(rate, augmented) for rate in self.rates]
        return [*settings, Setting(self.rates[0], False)] if augmented and self.plain else settings


@dataclass(frozen=True)
class Setting:
    """One of the things to choose."""

    rate: float
    augmented: bool


@dataclass
class Contender:
    """A setting's training.

    Attributes:
        seen: its scores on validation, check by check.
        learned: whether it had learned its training tracks by then.
        score: at its end; minus infinity if it was given up.
        curve: its loss, step by step.
        error: why its loss is not finite.
    """

    setting: Setting
    model: Any
    seen: list[float] = field(default_factory=list)
    learned: list[bool] = field(default_factory=list)
    score: float = -math.inf
    curve: Tensor = field(default_factory=lambda: torch.zeros(0))
    error: TrainingDiverged | None = None


def checks(limit: int) -> list[int]:
    """Steps at which validation is looked at, before the last of `limit` that there can be."""
    found, at = [], float(FIRST_CHECK)
    while round(at) < limit:
        found.append(round(at))
        at *= 2 ** (1 / PER_DOUBLING)
    return found


def level(seen: Sequence[float], at: int | None = None) -> float:
    """Mean over the doubling of the steps that ends with check `at`, by default the last; NaN where it is not whole."""
    whole = seen[: len(seen) if at is None else at + 1]
    return float(np.mean(whole[-PER_DOUBLING:])) if len(whole) >= PER_DOUBLING else np.nan


def improves(seen: Sequence[float]) -> bool:
    """Whether the last doubling of the steps is above the one before, or there were none yet."""
    now, before = level(seen), level(seen[:-PER_DOUBLING])
    return not now <= before


def behind(contender: Contender, leader: Contender) -> bool:
    """Whether a contender is not above the leader at the same step; one that goes on for longer, above its last.

    As long as neither has learned its training tracks, it cannot be told.
    """
    at = min(len(contender.seen), len(leader.seen)) - 1
    if not (contender.learned[-1] or leader.learned[at : at + 1] == [True]):
        return False
    return level(contender.seen) <= level(leader.seen, at)


class Paced(Pretraining):
    """Warm-up, a constant rate until `cool` or the budget says otherwise, then down to zero at step `last`."""

    def __init__(self, model: Strategy, config: PretrainConfig, seed: int, limit: int) -> None:
        super().__init__(model, config, seed, limit)
        self.warm_up = max(1, min(WARM_UP, limit // 4))
        self.cool_at, self.last = limit - round(COOLDOWN * limit), limit

    def cool(self, step: int) -> None:
        """Bring the rate down from here."""
        self.cool_at, self.last = step, min(self.steps, round(step / (1 - COOLDOWN)))

    def _rate(self, step: int) -> float:
        rising, falling = (step + 1) / self.warm_up, (self.last - step) / max(1, self.last - self.cool_at)
        return max(0.0, min(1.0, rising, falling))


class _Watch(L.Callback):
    """Looks at validation on the way, and says when it is enough."""

    def __init__(self, contender: Contender, leader: Contender, score: Score, enough: float) -> None:
        self.contender, self.leader, self.score, self.enough = contender, leader, score, enough
        self.checked, self.lost = 0, False

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        step, own = trainer.global_step, self.contender
        if step < module.cool_at and step in checks(module.steps):
            own.seen.append(self.score(module.strategy))
            own.learned.append(own.learned[-1:] == [True] or self._learned(module.curve[self.checked :]))
            self.checked = step
            self.lost = own is not self.leader and behind(own, self.leader)
            if own.learned[-1] and not improves(own.seen):
                module.cool(step)
        trainer.should_stop = self.lost or step >= module.last

    def _learned(self, losses: Sequence[Tensor]) -> bool:
        return float(torch.stack(list(losses)).float().mean()) <= self.enough


def search(
    recipe: Recipe,
    model: Callable[[Setting], Strategy],
    stream: CropStream,
    score: Score,
    config: PretrainConfig,
    device: str,
    blind: float,
) -> tuple[Any, float, dict[str, float]]:
    """Try a recipe's settings.

    Args:
        recipe: what to try.
        model: makes a setting's model, each time from the same weights.
        stream: of labelled crops, as long as a training may last.
        score: a model's, on validation, higher is better; may be NaN.
        config: of each training, but for its rate.
        device: `cpu` or `cuda:N`.
        blind: what the best constant outputs would lose on the training tracks.

    Returns:
        The best model, its score on validation, and what is recorded: rate (`lr`), whether it was `augmented`, `steps`,
        `epochs`, the crops of 3 s it `heard` and those that all settings heard together, and the `trend` of its loss.

    Raises:
        TrainingDiverged: the loss of every setting became NaN or infinite.
    """

    def known(strategy: Any) -> float:
        return float(np.nan_to_num(score(strategy), nan=-np.inf))

    every: list[Contender] = []
    for setting in recipe.settings:
        every.append(Contender(setting, model(setting)))
        watch = _Watch(every[-1], every[0], known, LEARNED * blind)
        _train(watch, stream, config, device)
    errors = [contender.error for contender in every if contender.error]
    if len(errors) == len(every):
        raise errors[0]
    best = max(every, key=lambda contender: contender.score)  # the first of equal ones
    return best.model, best.score, _record(best, every, stream)


def _train(watch: _Watch, stream: CropStream, config: PretrainConfig, device: str) -> None:
    """Train to the end, or until behind the leader; a loss that is not finite costs a setting its place, no more."""
    contender = watch.contender
    config = config.model_copy(update={"learning_rate": contender.setting.rate})
    training = Paced(contender.model, config, stream.seed, stream.steps)
    try:
        fit(training, stream, device, [watch])
    except TrainingDiverged as error:
        contender.error = error
    contender.curve = torch.stack(training.curve).float().cpu()
    if not (watch.lost or contender.error):
        contender.score = watch.score(contender.model)


def _record(best: Contender, every: Sequence[Contender], stream: CropStream) -> dict[str, float]:
    crops, moving = stream.heard, trend(best.curve)
    return {
        "lr": best.setting.rate,
        "augmented": float(best.setting.augmented),
        "steps": float(len(best.curve)),
        "epochs": round(len(best.curve) * stream.batch / len(stream.rows), 2),
        "heard": round(len(best.curve) * crops),
        "heard_by_all": round(sum(len(contender.curve) for contender in every) * crops),
        "trend": math.nan if moving is None else moving,
    }
