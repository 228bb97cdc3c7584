"""The constant-Q front end and the encoder on it: Brown's sum as a slow twin, tones, clicks, and transposition."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import Tensor, nn

from benchmark.encoders.constant_q import BINS, HOP, ConstantQ, frequencies
from benchmark.encoders.cqt_cnn import CQTCNN

RATE = 16_000


def tone(frequency: float, seconds: float = 2.0, harmonics: int = 1, level: float = 0.3) -> Tensor:
    times = torch.arange(int(seconds * RATE), dtype=torch.float64) / RATE
    partials = [torch.sin(2 * math.pi * k * frequency * times + k) / k for k in range(1, harmonics + 1)]
    return (level * torch.stack(partials).sum(dim=0))[None].float()


@functools.cache
def front_end() -> ConstantQ:
    return ConstantQ()


def power(waveform: Tensor) -> Tensor:
    """(bins, frames), without the logarithm."""
    return torch.exp(front_end()(waveform)[0] * 3.5 - 16) - 1e-9


def brown(waveform: Tensor, frequency: float, centers: list[float]) -> float:
    """Brown 1991 by its definition, at the full rate: the mean power of Hann windows of 33.6 periods around samples."""
    reach = RATE / (2 ** (1 / 12) - 1) / frequency
    powers = []
    for center in centers:
        times = torch.arange(math.ceil(center - reach), math.floor(center + reach) + 1)
        window = torch.cos(math.pi * (times - center) / (2 * reach)).square().double()
        sine = torch.exp(-2j * math.pi * frequency / RATE * (times - center).double())
        powers.append((window * sine * waveform[0, times].double()).sum().abs() / window.sum())
    return float(torch.stack(powers).square().mean())


@pytest.mark.parametrize("number", [0, 8, 43, 100, 151, 187, 223, 259, 295])
def test_each_octave_is_browns_sum(number: int) -> None:
    """On noise, to 1 %: every rate, every kernel, and where high octaves take the mean of several windows."""
    noise = 0.1 * torch.randn(1, 2 * RATE, generator=torch.Generator().manual_seed(0))
    octave = (BINS - 1 - number) // 36
    parts = 2 ** max(0, 4 - octave)
    frame = 25
    centers = [frame * HOP + (j - (parts - 1) / 2) * HOP / parts for j in range(parts)]
    expected = brown(noise, float(frequencies()[number]), centers)
    assert power(noise)[number, frame].item() == pytest.approx(expected, rel=0.01)


def test_the_axis_is_pestos() -> None:
    """A0 is bin 1; three bins a semitone; all below the Nyquist frequency."""
    f = frequencies()
    assert len(f) == 296
    assert f[1].item() == pytest.approx(27.5)
    assert f[1 + 3 * 48].item() == pytest.approx(440)
    assert f[-1].item() < RATE / 2


@pytest.mark.parametrize("number", range(3, BINS, 17))
def test_a_tone_is_the_same_picture_at_every_pitch(number: int) -> None:
    """Its bin has a quarter of the squared amplitude, its neighbors are 2.4 dB down, a semitone away at least 30 dB."""
    heard = 10 * torch.log10(power(tone(float(frequencies()[number])))[:, 25].clamp(min=1e-12) / (0.3**2 / 4))
    expected = torch.tensor([-11.25, -2.46, 0, -2.37, -10.28])
    torch.testing.assert_close(heard[number - 2 : number + 3], expected, rtol=0, atol=0.05)
    away = (torch.arange(BINS) - number).abs() >= 3
    assert heard[away].max().item() < -30


@pytest.mark.parametrize("number", [60, 150, 220, 290])
def test_a_click_sounds_in_its_frame(number: int) -> None:
    """Wherever it falls, within 6 dB: in the high octaves too, whose windows are shorter than a hop."""
    loudness = []
    for start in range(30 * HOP, 31 * HOP, 80):
        audio = torch.zeros(1, 2 * RATE)
        audio[0, start] = 1.0
        heard = power(audio)[number]
        assert abs(int(heard.argmax()) - start / HOP) <= 1
        loudness.append(heard.sum())
    levels = torch.stack(loudness)
    assert (levels.max() / levels.min()).item() < 4


def test_no_clip_is_too_short() -> None:
    assert front_end()(torch.zeros(2, 100)).shape == (2, BINS, 1)


@functools.cache
def encoder() -> CQTCNN:
    """In evaluation mode, with BatchNorm statistics unlike the initial."""
    torch.manual_seed(0)
    built = CQTCNN()
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = 0.1 * torch.randn(module.num_features)
            module.running_var = 0.5 + torch.rand(module.num_features)
    return built.eval()


@pytest.mark.parametrize("steps", [1, 3, 16, 36])
@torch.no_grad()
def test_shifted_features_have_shifted_maps(steps: int) -> None:
    """Exactly, but for the 13 bins at either end that see beyond it (7 by the stem, 3 by each block)."""
    features = torch.randn(2, BINS, 20, generator=torch.Generator().manual_seed(0))
    whole = encoder().pitch_maps(features)
    cut = encoder().pitch_maps(features[:, steps:])
    torch.testing.assert_close(cut[:, :, 13:-13], whole[:, :, steps + 13 : -13])
    assert not torch.allclose(cut[:, :, 12], whole[:, :, steps + 12], atol=1e-4)


@pytest.mark.parametrize("semitones", [-12, -5, 1, 4, 7, 12])
@torch.no_grad()
def test_a_transposed_sound_has_shifted_maps(semitones: int) -> None:
    """Rendered anew, from 220 Hz: the maps move by three bins a semitone, to within a bin."""
    maps = []
    for pitch in (0, semitones):
        heard = tone(220 * 2 ** (pitch / 12), harmonics=8)
        maps.append(encoder().pitch_maps(encoder().features(heard))[0, :, :, 25])
    shifts = range(-45, 46)
    inside = slice(60, 230)
    errors = [(maps[1][:, inside] - maps[0].roll(k, 1)[:, inside]).norm().item() for k in shifts]
    best = shifts[errors.index(min(errors))]
    assert abs(best - 3 * semitones) <= 1
    assert min(errors) < 0.2 * errors[shifts.index(0)]


@torch.no_grad()
def test_the_embedding_is_read_from_the_maps() -> None:
    """Both maps at 99 semitones, then the mean over pitch of what is below them; no parameter of its own."""
    features = torch.randn(2, BINS, 20, generator=torch.Generator().manual_seed(0))
    frames, maps = encoder().body(features), encoder().pitch_maps(features)
    assert frames.shape == (2, 20, 214)
    for semitone in (0, 48, 97):
        expected = maps[:, :, 3 * semitone : 3 * semitone + 3].mean(dim=2)
        for channel in range(2):
            torch.testing.assert_close(frames[:, :, 99 * channel + semitone], expected[:, channel])
    below = encoder().stem(features[:, None])
    torch.testing.assert_close(frames[:, :, 198:], below.mean(dim=2).transpose(1, 2))
