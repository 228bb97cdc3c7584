"""SemiSupCon's training chain, weaker or stronger than in training: what test audio goes through by its protocol.

One example at a time; draws on the CPU, and the same at every strength.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from benchmark.audio import augment, stretch, windowed_sinc


def training_chain(x: Tensor, rate: int, g: Generator, f: float) -> Tensor:
    """Put (1, T) through gain, noise, a filter, pitch shift and echoes, each for a share of the examples.

    Args:
        x: one example, float32.
        rate: in Hz.
        g: on the CPU.
        f: what probabilities and ranges are multiplied by; at 1 they are training's (preset `semisupcon`).
            Most probabilities reach their caps by 1.5: 2 moves a spectrum hardly further.

    Source: the paper's code (Guinot et al. 2024), except that the range of the noise's color stays (scaled, it takes
    noise out of most bands) and that no polarity is inverted (labels and mel spectra are deaf to it).
    """
    steps: list[tuple[float, Callable[[Tensor, Generator], Tensor]]] = [
        (min(0.7, 0.4 * f), lambda y, own: augment.gain(y, -15 * f, 5 * f, own)),
        (min(0.8, 0.6 * f), lambda y, own: augment.colored_noise(y, (3 / f, 30 / f), (-2, 2), rate, own)),
        (min(0.6, 0.3 * f), lambda y, own: _filter(y, rate, own, f)),
        (min(0.75, 0.6 * f), lambda y, own: _pitch_shift(y.to(x.device), rate, own, 400 * f).cpu()),
        (min(0.6, 0.6 * f), lambda y, own: augment.soft_echoes(y, rate, own, f)),
    ]
    # all fates and a generator for each step are drawn first, so that the strength changes no draw
    fates = torch.rand(1 + len(steps), generator=g).tolist()
    own_seeds = torch.randint(2**31, (len(steps),), generator=g).tolist()
    y = x.cpu()
    if fates[0] < min(1.0, 0.8 * f):
        for fate, seed, (p, transform) in zip(fates[1:], own_seeds, steps, strict=True):
            y = transform(y, Generator().manual_seed(seed)) if fate < p else y
    return y


def _filter(x: Tensor, rate: int, g: Generator, f: float) -> Tensor:
    """Band-pass, band-stop, high-pass or low-pass."""
    return windowed_sinc.any_filter(x, torch.randint(4, (1,), generator=g), rate, g, f)


def _pitch_shift(x: Tensor, rate: int, g: Generator, cents: float) -> Tensor:
    shift = augment.uniform(1, -cents, cents, g).item()
    return stretch.pitch_shift(x, shift, shift, rate, Generator(x.device))
