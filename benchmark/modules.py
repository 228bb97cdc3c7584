"""The two contracts that are torch modules: Encoder and Strategy (the others, in interfaces.py, need no torch)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmark.interfaces import Config, Info


@dataclass(frozen=True)
class Crops:
    """What a strategy wants to hear of each track: `count` crops of `seconds`, each placed at random in the clip."""

    count: int
    seconds: float


class Encoder(nn.Module):
    """Waveform to frame embeddings. The front end belongs to the encoder and runs on the device.

    `forward` is `body(features(waveform))`; strategies that mask or augment features call the two separately.
    """

    info: ClassVar[Info]
    Config: ClassVar[type[Config]] = Config
    sample_rate: int
    embedding_dim: int
    frame_rate: float

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) float32 at `sample_rate` to (B, bands, frames)."""

    @abstractmethod
    def body(self, features: Tensor) -> Tensor:
        """(B, bands, frames) to (B, F, D) at `frame_rate`."""

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, F, D)."""
        return self.body(self.features(waveform))


class Strategy(nn.Module):
    """One pretext task: which crops it hears, the views it makes of them, and its loss.

    Class attributes:
        encoder_name: set by strategies that bring their own encoder (handcrafted features).
        trains: False for baselines that leave the encoder as it is.
        learning_rate: AdamW's, after warm-up.
    """

    info: ClassVar[Info]
    Config: ClassVar[type[Config]] = Config
    encoder_name: ClassVar[str | None] = None
    trains: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 1e-3
    crops: Crops = Crops(count=2, seconds=3.0)

    def __init__(self, encoder: Encoder, config: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config

    def views(self, crops: Tensor, generator: torch.Generator) -> list[Tensor]:
        """(B, count, T) waveforms to views, each (B, bands, frames): what the encoder's body sees."""
        raise NotImplementedError

    def loss(self, views: list[Tensor]) -> dict[str, Tensor]:
        """`loss` (float32 scalar) and monitors by name."""
        raise NotImplementedError

    def after_step(self, step: int, total: int) -> None:
        """Called after each optimizer step (EMA teachers move here)."""
