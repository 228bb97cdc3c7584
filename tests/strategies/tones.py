"""Tones and music of known pitch and key, made up: what equivariant pretext tasks are trained and read on."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmark.modules import Batch

RATE = 16_000
#: semitones of a major scale above its tonic, and how often each is heard
DEGREES, WEIGHTS = torch.tensor([0, 2, 4, 5, 7, 9, 11]), torch.tensor([1.0, 0.5, 0.8, 0.6, 0.9, 0.6, 0.4])


def tones(pitch: Tensor, seconds: float, generator: Generator, partials: int = 30) -> Tensor:
    """(N,) MIDI pitches to (N, T): partials at 1 / k (30: a sawtooth, 1: a sine), each at any phase; some noise."""
    n = len(pitch)
    numbers = torch.arange(1, partials + 1)
    frequency = 440 * 2 ** ((pitch[:, None] - 69) / 12) * numbers
    level = (frequency < 0.49 * RATE) / numbers
    phase = 2 * math.pi * torch.rand(n, partials, 1, generator=generator)
    times = torch.arange(int(seconds * RATE)) / RATE
    x = (level[:, :, None] * torch.sin(2 * math.pi * frequency[:, :, None] * times + phase)).sum(dim=1)
    loudness = 0.05 + 0.3 * torch.rand(n, 1, generator=generator)
    return loudness * x / x.abs().amax(dim=1, keepdim=True) + 1e-3 * torch.randn(x.shape, generator=generator)


def music(tonic: Tensor, seconds: float, generator: Generator, notes: int = 12) -> Tensor:
    """(N,) tonics, 0 for C, to (N, T): notes of the major key, all at once, in three octaves."""
    shape = len(tonic), notes
    degree = torch.multinomial(WEIGHTS.expand(len(tonic), -1), notes, replacement=True, generator=generator)
    pitch = 48 + 12 * torch.randint(0, 3, shape, generator=generator) + DEGREES[degree] + tonic[:, None]
    voices = tones(pitch.flatten(), seconds, generator, partials=4)
    return torch.unflatten(voices, 0, shape).mean(dim=1)


def batch(crops: Tensor) -> Batch:
    """(B, count, T) as a batch in which all sounds and nothing is labeled."""
    return Batch(crops, torch.ones(len(crops), dtype=torch.bool), torch.zeros(len(crops), 0))
