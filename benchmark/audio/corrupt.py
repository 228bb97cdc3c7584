"""Corruptions of test audio, to measure how well probes that were trained on clean audio keep their scores.

Conventions: severity 0 is the audio as it is, bit for bit; 1 to 4 move it further and further. What is random (a
color, a room, up or down) follows from an example's seed and the corruption alone and is the same at every severity,
so that strength alone tells severities apart. Draws are made on the CPU: every device hears the same corruption.
Levels are free to leave [-1, 1], since clipping would be a corruption of its own.

Source: SemiSupCon's protocol (Guinot et al. 2024): `chain` at severities 0 to 4, and effects that training has not
heard. The paper's code has one strength of each effect: stretch 0.7 to 1.3, distortion 9 dB, compression at -30 dB by
5, 4 bits, MP3 at the lowest variable bit rate, reversal; they are at severity 3 or 4 here.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from benchmark.audio import augment, degrade, filters, stretch
from benchmark.audio.training_chain import training_chain
from benchmark.interfaces import UserError

SEVERITIES = range(5)
#: (1, T) samples, the rate in Hz, draws on the CPU, and the strengths of a severity
Apply = Callable[..., Tensor]
Strengths = tuple[float, ...]


@dataclass(frozen=True)
class Corruption:
    """A way to make test audio worse, at four strengths.

    Attributes:
        description: what it does, in one line.
        apply: from (1, T), rate in Hz, generator on the CPU and the strengths of one severity to (1, T).
        units: of the strengths, one each.
        strengths: of severities 1 to 4.
        held_out: training's chain has no such effect.
        moves_time: events are heard at other times: labels with times or a tempo no longer hold.
        moves_pitch: notes are heard at other pitches: labels of pitch, chord or key no longer hold.
    """

    description: str
    apply: Apply
    units: tuple[str, ...]
    strengths: tuple[Strengths, Strengths, Strengths, Strengths]
    held_out: bool = True
    moves_time: bool = False
    moves_pitch: bool = False


def corrupt(x: Tensor, rate: int, name: str, severity: int, seeds: Tensor) -> Tensor:
    """Corrupt (B, T) audio, each example by its own draw.

    Args:
        x: float32 in [-1, 1].
        rate: in Hz.
        name: one of `CORRUPTIONS`.
        severity: 0 to 4.
        seeds: (B,) int64, such as the number of the track: with name and severity they decide everything.

    Returns:
        (B, T) float32 on the device of `x`; `x` itself at severity 0.

    Raises:
        UserError: no such corruption or severity, or the corruption cannot be had at this rate.
    """
    if name not in CORRUPTIONS:
        raise UserError(f"no corruption {name!r}; choose among {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise UserError(f"no severity {severity} of corruption {name!r}; choose 0 (none) to 4 (strongest)")
    if severity == 0:
        return x
    corruption = CORRUPTIONS[name]
    strengths = corruption.strengths[severity - 1]
    # one by one, so that nothing depends on the batch, not even how sums are rounded
    rows = zip(torch.split(x, 1), seeds.tolist(), strict=True)
    return torch.cat([corruption.apply(row, rate, _draws(name, seed), *strengths).to(x.device) for row, seed in rows])


def _draws(name: str, seed: int) -> Generator:
    words = np.random.SeedSequence([zlib.crc32(name.encode()), seed % 2**64]).generate_state(1)
    return Generator().manual_seed(int(words[0]))


def _gain(x: Tensor, rate: int, g: Generator, db: float) -> Tensor:
    return x * 10 ** (db / 20)


def _noise(x: Tensor, rate: int, g: Generator, snr_db: float) -> Tensor:
    return augment.colored_noise(x.cpu(), (snr_db, snr_db), (-1, 1), rate, g)


def _filter(x: Tensor, rate: int, g: Generator, low_pass_hz: float, high_pass_hz: float) -> Tensor:
    if _coin(g) > 0:
        return filters.low_pass(x.cpu(), (low_pass_hz, low_pass_hz), rate, g)
    return filters.high_pass(x.cpu(), (high_pass_hz, high_pass_hz), rate, g)


def _pitch_shift(x: Tensor, rate: int, g: Generator, cents: float) -> Tensor:
    shift = _coin(g) * cents
    # on the device, where it is far faster; a range of one value needs no draw of the CPU's
    return stretch.pitch_shift(x, shift, shift, rate, Generator(x.device))


def _delay(x: Tensor, rate: int, g: Generator, volume: float) -> Tensor:
    return augment.delay(x.cpu(), 100, 500, rate, g, volume=volume, repeats=2)


def _time_stretch(x: Tensor, rate: int, g: Generator, change: float) -> Tensor:
    tempo = 1 + _coin(g) * change
    return stretch.time_stretch(x, tempo, tempo, rate, Generator(x.device))


def _reverb(x: Tensor, rate: int, g: Generator, rt60_s: float, wet_db: float) -> Tensor:
    return degrade.leveled(augment.reverb(x.cpu(), (rt60_s, rt60_s), (wet_db, wet_db), rate, g), x.cpu())


def _coin(g: Generator) -> int:
    """-1 or 1."""
    return int(torch.randint(2, (), generator=g)) * 2 - 1


#: by name: first training's chain and its parts, then what training has not heard
CORRUPTIONS: dict[str, Corruption] = {
    "chain": Corruption(
        "Gain, colored noise, a filter, pitch shift and echoes, each of a share of the examples",
        training_chain,
        ("times the chain in training",),
        ((0.5,), (1.0,), (1.5,), (2.0,)),
        held_out=False,
        moves_pitch=True,
    ),
    "gain": Corruption("Lower level", _gain, ("dB",), ((-7.5,), (-15.0,), (-22.5,), (-30.0,)), held_out=False),
    "noise": Corruption(
        "Noise of a color from violet to brown",
        _noise,
        ("dB of signal to noise",),
        ((30.0,), (20.0,), (10.0,), (0.0,)),
        held_out=False,
    ),
    "filter": Corruption(
        "Low-pass or high-pass of 12 dB per octave",
        _filter,
        ("Hz, low-pass", "Hz, high-pass"),
        ((4000.0, 200.0), (2000.0, 400.0), (1000.0, 800.0), (500.0, 1600.0)),
        held_out=False,
    ),
    "pitch_shift": Corruption(
        "Pitch up or down, tempo kept",
        _pitch_shift,
        ("cents",),
        ((100.0,), (200.0,), (400.0,), (800.0,)),
        held_out=False,
        moves_pitch=True,
    ),
    "delay": Corruption(
        "Two echoes, 100 to 500 ms apart, the second at half the level of the first",
        _delay,
        ("times the direct sound, first echo",),
        ((0.25,), (0.5,), (0.75,), (1.0,)),
        held_out=False,
    ),
    "time_stretch": Corruption(
        "Faster or slower, pitch kept; faster ones start over at their end, slower ones are cut",
        _time_stretch,
        ("change of tempo as a ratio",),
        ((0.05,), (0.1,), (0.2,), (0.3,)),
        moves_time=True,
    ),
    "reverb": Corruption(
        "A synthetic room, direct sound kept, power kept",
        _reverb,
        ("s to fall by 60 dB", "dB of reverberation beside direct sound"),
        ((0.3, -12.0), (0.6, -6.0), (1.2, 0.0), (2.4, 6.0)),
    ),
    "distortion": Corruption(
        "Saturation by tanh, power kept",
        lambda x, rate, g, db: degrade.distort(x, db),
        ("dB of drive at the peak",),
        ((3.0,), (6.0,), (9.0,), (18.0,)),
    ),
    "compression": Corruption(
        "Dynamic range compression, power kept",
        lambda x, rate, g, db, ratio: degrade.compress(x, rate, db, ratio),
        ("dB below the peak, threshold", "to 1, ratio"),
        ((-20.0, 2.0), (-25.0, 3.0), (-30.0, 5.0), (-40.0, 10.0)),
    ),
    "band_limit": Corruption(
        "A narrow band; at severity 3 the telephone's",
        lambda x, rate, g, low, high: degrade.band_limit(x, rate, low, high),
        ("Hz, lowest", "Hz, highest"),
        ((100.0, 6000.0), (200.0, 4000.0), (300.0, 3400.0), (500.0, 2000.0)),
    ),
    "mp3": Corruption(
        "MP3 of a low constant bit rate",
        lambda x, rate, g, mpeg2, mpeg1: degrade.mp3(x, rate, mpeg2 if rate < 32_000 else mpeg1),
        ("kbps at sample rates below 32 kHz", "kbps from there"),
        ((48.0, 96.0), (24.0, 56.0), (16.0, 40.0), (8.0, 32.0)),
    ),
    "quantize": Corruption(
        "Few bits, full scale at the example's peak",
        lambda x, rate, g, bits: degrade.quantize(x, bits),
        ("bits",),
        ((8.0,), (6.0,), (4.0,), (3.0,)),
    ),
    "reverse": Corruption(
        "Segments played backwards; at severity 4 the whole",
        lambda x, rate, g, seconds: degrade.reverse(x, rate, seconds),
        ("s",),
        ((0.1,), (0.4,), (1.6,), (math.inf,)),
        moves_time=True,
    ),
}
