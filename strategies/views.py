"""The augmented views that contrastive and predictive strategies share."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.audio import augment
from benchmark.interfaces import Config
from benchmark.modules import Encoder


class ViewConfig(Config):
    """Augmentation strengths. Pitch shift is off: it erases key and pitch."""

    gain_db: float = 6.0
    noise_p: float = 0.5
    filter_p: float = 0.4
    mask_frequency: float = 0.2
    mask_time: float = 0.2
    pitch_shift_cents: int = 0


def augmented(crops: Tensor, encoder: Encoder, config: ViewConfig, generator: torch.Generator) -> Tensor:
    """(B, T) waveforms to augmented features (B, bands, frames), each example with its own draw."""
    x = augment.gain(crops, -config.gain_db, config.gain_db, generator)
    x = augment.polarity(x, 0.5, generator)
    if config.pitch_shift_cents:
        x = augment.pitch_shift(x, -config.pitch_shift_cents, config.pitch_shift_cents, generator)
    x = augment.noise(x, config.noise_p, 10, 40, generator)
    x = augment.pass_filter(x, config.filter_p, encoder.sample_rate, generator)
    features = encoder.features(x)
    features = augment.mask_bands(features, 1, config.mask_frequency, generator)
    return augment.mask_bands(features, 2, config.mask_time, generator)
