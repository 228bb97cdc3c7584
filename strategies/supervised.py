"""Supervised: no pretext task; the same encoder learns each downstream task's labels from scratch."""

from __future__ import annotations

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from benchmark.interfaces import Info
from benchmark.modules import Batch, Strategy
from strategies.views import ViewConfig, augmented


class SupervisedConfig(ViewConfig):
    """How labels are learned, also where a pre-trained encoder is fine-tuned: what is tried, validation decides.

    Each learning rate is tried with augmented crops, the first one also without; for how long is no option, but what
    training tracks and validation say, up to `crops`. Where augmentation would change a
    task's labels (pitch shift those of pitch, speed those of tempo and of frames), all is tried without.

    Attributes:
        learning_rates: of an encoder from scratch; the first, and the batch size, by the equal search (results/tune).
        finetune_rates: of a pre-trained one.
        batch_size: crops per step; fewer where there are fewer labelled tracks.
        plain: whether the first rate is tried without augmentation, too.
        crops: heard at most, and never more than a pretext task hears.
    """

    learning_rates: tuple[PositiveFloat, ...] = Field(default=(1e-2, 3e-3), min_length=1)
    finetune_rates: tuple[PositiveFloat, ...] = Field(default=(1e-3, 3e-4), min_length=1)
    batch_size: int = Field(default=16, gt=1)
    plain: bool = True
    crops: PositiveInt | None = None

    @property
    def augments(self) -> bool:
        """Whether crops are changed at all."""
        return self.preset not in ("crop_only", "none")

    @property
    def moves_pitch(self) -> bool:
        """Whether the pitch of an augmented crop is another one."""
        return self.shifts_pitch

    @property
    def moves_time(self) -> bool:
        """Whether what happens in an augmented crop happens at other times."""
        return self.preset == "choi"


class Supervised(Strategy):
    """The bar that CLMR compares with: one training per task, fraction and resample, on the probes' own subsets.

    It is the best that encoder, labels and compute can do: settings and length are chosen on validation.
    """

    info = Info("supervised", "Supervised from scratch", "baseline; Spijkervet & Burgoyne 2021, section 4", version=3)
    family = "labels"
    Config = SupervisedConfig
    trains = False
    supervised = True

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Augmented features of the first crop."""
        return {"features": augmented(batch.crops[:, 0], self.encoder, self.config, generator)}
