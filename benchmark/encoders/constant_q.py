"""A constant-Q spectrogram: a note is the same picture at every pitch, moved up or down a log-frequency axis.

Each bin correlates the waveform with a windowed sine whose length is a fixed number of its periods (Brown 1991). An
octave further down is heard at half the sample rate, so that its kernels are as short as those of the octave above and
a frame costs two strided convolutions per octave.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLE_RATE, HOP = 16_000, 640
BINS_PER_SEMITONE = 3
PER_OCTAVE = 12 * BINS_PER_SEMITONE
#: the axis of PESTO's released code: from a third of a semitone below A0 up to 98 semitones above it, 7,902 Hz
BINS, LOWEST_HZ = 296, 27.5 * 2 ** (-1 / PER_OCTAVE)
#: length of a window in periods: tones a semitone apart lie at each other's first zero
PERIODS = 2 / (2 ** (1 / 12) - 1)
#: taps of the low-pass filter before each halving of the rate: flat below 1/8 of it, and 80 dB down above 3/8
TAPS = 31


def frequencies() -> Tensor:
    """Center of each bin in Hz, (296,) float64, from low to high; semitone s above A0 is bin 3 s + 1."""
    return LOWEST_HZ * 2 ** (torch.arange(BINS, dtype=torch.float64) / PER_OCTAVE)


class _Octave(nn.Module):
    """The bins of one octave.

    The shortest windows of the four highest octaves are shorter than a hop: there a frame is the mean power of `parts`
    windows that cover it.
    """

    kernels: Tensor

    def __init__(self, centers: Tensor, number: int) -> None:
        """Build the kernels of the `number`-th octave from the top (0, 1, ...)."""
        super().__init__()
        divisor = 2 ** max(0, number - 1)
        self.hop, self.parts = HOP // divisor, 2 ** max(0, 4 - number)
        radians = 2 * math.pi * centers[:, None] * divisor / SAMPLE_RATE
        self.reach = math.ceil(PERIODS * math.pi / float(radians.min()))
        phase = radians * torch.arange(-self.reach, self.reach + 1)
        window = torch.cos((phase / (2 * PERIODS)).clamp(-math.pi / 2, math.pi / 2)).square()
        window = window / window.sum(dim=1, keepdim=True)
        kernels = torch.stack([window * phase.cos(), window * phase.sin()])
        self.register_buffer("kernels", kernels.flatten(0, 1).unsqueeze(1).float(), persistent=False)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(B, T) at the octave's rate to the power of each bin, (B, bins, frames): amplitude squared / 4 of a tone."""
        step = self.hop // self.parts
        before = self.reach + (self.parts - 1) * step // 2
        after = (frames * self.parts - 1) * step + 2 * self.reach + 1 - before - x.shape[1]
        padded = F.pad(x.unsqueeze(1), (before, after))
        real, imaginary = F.conv1d(padded, self.kernels, stride=step).chunk(2, dim=1)
        power = real.square() + imaginary.square()
        return torch.unflatten(power, 2, (frames, self.parts)).mean(dim=3)


class ConstantQ(nn.Module):
    """(B, T) to (B, 296, T / 640 + 1): log power, roughly zero mean and unit deviation on music; 3 bins a semitone."""

    lowpass: Tensor

    def __init__(self) -> None:
        super().__init__()
        octaves = torch.split(frequencies().flip(0), PER_OCTAVE)
        self.octaves = nn.ModuleList(_Octave(centers.flip(0), i) for i, centers in enumerate(octaves))
        times = torch.arange(TAPS, dtype=torch.float64) - TAPS // 2
        lowpass = torch.sinc(times / 2) / 2 * torch.kaiser_window(TAPS, periodic=False, beta=8.0, dtype=torch.float64)
        self.register_buffer("lowpass", (lowpass / lowpass.sum())[None, None].float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Float32 inside, whatever autocast says: power spans many decades."""
        # on a CPU, a few examples at a time stay in its cache; a trace of fewer does not fix how many there are
        parts = torch.split(waveform, 8) if waveform.device.type == "cpu" and waveform.shape[0] > 8 else (waveform,)
        with torch.autocast(waveform.device.type, enabled=False):
            power = torch.cat([self._power(part.float()) for part in parts])
            return (torch.log(power + 1e-9) + 16.0) / 3.5

    def _power(self, x: Tensor) -> Tensor:
        frames, bands = x.shape[1] // HOP + 1, []
        for number, octave in enumerate(self.octaves):
            if number > 1:
                x = F.conv1d(x.unsqueeze(1), self.lowpass, stride=2, padding=TAPS // 2).squeeze(1)
            bands.append(octave(x, frames))
        return torch.cat(bands[::-1], dim=1)
