"""Augmentations do to sound what they say, each example with its own draw."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sounds import RATE, click, level_db, seeded, tone
from torch import Generator, Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmark.audio import augment, filters, stretch, windowed_sinc

ALL: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "gain": lambda x, g: augment.gain(x, -6, 6, g),
    "noise": lambda x, g: augment.noise(x, 1.0, 10, 40, g),
    "colored_noise": lambda x, g: augment.colored_noise(x, (3, 30), (-2, 2), RATE, g),
    "delay": lambda x, g: augment.delay(x, 20, 220, RATE, g),
    "reverb": lambda x, g: augment.reverb(x, (0.1, 1.0), (-20, 0), RATE, g),
    "pass_filter": lambda x, g: filters.pass_filter(x, 1.0, RATE, g),
    "low_pass": lambda x, g: filters.low_pass(x, (150, 7500), RATE, g),
    "high_pass": lambda x, g: filters.high_pass(x, (200, 2400), RATE, g),
    "steep_pass_filter": lambda x, g: windowed_sinc.pass_filter(x, RATE, g),
    "any_filter": lambda x, g: windowed_sinc.any_filter(x, torch.arange(len(x)) % 4, RATE, g),
    "speed": lambda x, g: stretch.speed(x, 0.8, 1.2, g),
    "time_stretch": lambda x, g: stretch.time_stretch(x, 0.7, 1.3, RATE, g),
    "pitch_shift": lambda x, g: stretch.pitch_shift(x, -700, 700, RATE, g),
}
#: whose draws are few: two examples may get the same
COARSE = {"soft_echoes": lambda x, g: augment.soft_echoes(x, RATE, g)}
distinct = pytest.mark.parametrize("transform", ALL.values(), ids=ALL)
every = pytest.mark.parametrize("transform", (ALL | COARSE).values(), ids=ALL | COARSE)


@distinct
def test_each_example_has_its_own_draw_and_the_input_stays(transform: Callable[[Tensor, Generator], Tensor]) -> None:
    x = torch.randn(1, 4001, generator=seeded(1)).repeat(5, 1)
    before = x.clone()
    out = transform(x, seeded())
    assert out.shape == x.shape
    assert out.dtype == torch.float32
    assert out.isfinite().all()
    assert torch.equal(x, before)
    assert torch.equal(transform(x, seeded()), out)
    assert not torch.equal(transform(x, seeded(1)), out)
    rows = [*out, x[0]]
    assert all((a - b).abs().max() > 1e-3 for i, a in enumerate(rows) for b in rows[:i])


@every
def test_a_batch_of_one_and_silence_pass(transform: Callable[[Tensor, Generator], Tensor]) -> None:
    assert transform(torch.randn(1, 4000), seeded()).isfinite().all()
    assert torch.equal(transform(torch.zeros(2, 4000), seeded()).abs(), torch.zeros(2, 4000))


@every
def test_nothing_waits_for_the_device(
    transform: Callable[[Tensor, Generator], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors without values refuse whatever would read one, and whatever has a shape that follows from one."""
    monkeypatch.setattr(augment, "at_hand", lambda _: False)  # as on a GPU
    with FakeTensorMode():
        x = torch.empty(20, 4000)
        assert augment.sometimes(x, 0.3, lambda y: transform(y, seeded()), seeded()).shape == x.shape


def test_noise_is_white_and_each_examples_own() -> None:
    """Pieces of one long noise: flat in every octave, without an echo of another example's."""
    added = augment.noise(torch.ones(40, RATE), 1.0, 0, 0, seeded()) - 1
    power = torch.fft.rfft(added).abs().square().mean(dim=0)
    octaves = torch.stack([power[RATE // 2 ** (i + 1) : RATE // 2**i].mean() for i in range(1, 8)])
    assert (10 * torch.log10(octaves / power.mean())).abs().max() < 0.5
    alike = torch.corrcoef(added) - torch.eye(40)
    assert alike.abs().max() < 5 / RATE**0.5
    assert abs(added.mean().item()) < 3 / (40 * RATE) ** 0.5 + 0.01


def test_gain_stays_in_its_range_and_differs_by_example() -> None:
    x = tone(440)
    change = level_db(augment.gain(x, -6, 6, seeded())) - level_db(x)
    assert change.abs().max() <= 6.0001
    assert change.std() > 1


def test_noise_lands_at_its_snr() -> None:
    x = tone(440, seconds=3)
    for snr in (0.0, 20.0):
        added = augment.noise(x, 1.0, snr, snr, seeded()) - x
        assert (level_db(x) - level_db(added) - snr).abs().max() < 0.5
    assert torch.equal(augment.noise(x, 0.0, 0, 0, seeded()), x)


@pytest.mark.parametrize("decay", [-2.0, -1.0, 0.0, 1.0, 2.0])
def test_colored_noise_has_its_slope_and_its_snr(decay: float) -> None:
    """Released code: -5.5 dB per octave at decay 1, -11 at 2."""
    x = tone(440, n=64)
    added = augment.colored_noise(x, (12, 12), (decay, decay), RATE, seeded()) - x
    assert (level_db(x) - level_db(added) - 12).abs().max() < 0.05
    assert _slope(added) == pytest.approx(-5.5 * decay, abs=0.2)


def test_colored_noise_is_torch_audiomentations() -> None:
    """Its magnitude over frequency, in the words of version 0.12.0: one second, powers of an axis from 1 to the root
    of the Nyquist frequency."""
    added = augment.colored_noise(tone(440, n=400), (0, 0), (1.5, 1.5), RATE, seeded()) - tone(440, n=400)
    measured = torch.fft.rfft(added).abs().square().mean(dim=0).sqrt()
    expected = 1 / torch.linspace(1, (RATE / 2) ** 0.5, RATE // 2 + 1) ** 1.5
    ratio = (measured / expected)[1:-1].log()
    assert ratio.std() < 0.05
    assert (ratio[:20].mean() - ratio[-20:].mean()).abs() < 0.03


def test_colors_and_levels_are_drawn_over_their_ranges() -> None:
    x = tone(440, n=200)
    added = augment.colored_noise(x, (3, 30), (-2, 2), RATE, seeded()) - x
    snr = level_db(x) - level_db(added)
    slopes = np.array([_slope(row[None]) for row in added])
    for values, low, high in ((snr.numpy(), 3, 30), (slopes, -11, 11)):
        quarters = np.histogram(values, np.linspace(low - 0.5, high + 0.5, 5))[0]
        assert quarters.sum() == 200
        assert quarters.min() > 25


def _slope(x: Tensor) -> float:
    """In dB per octave: of the level in thirds of octaves, 200 to 6400 Hz."""
    f = np.fft.rfftfreq(x.shape[1], 1 / RATE)
    power = (np.abs(np.fft.rfft(x.numpy())) ** 2).mean(axis=0)
    edges = 200 * 2 ** (np.arange(16) / 3)
    levels = [10 * np.log10(power[(f >= a) & (f < b)].mean()) for a, b in itertools.pairwise(edges)]
    slope: float = np.polyfit(np.arange(15) / 3, levels, 1)[0]
    return slope


def test_polarity_inverts_some() -> None:
    x = tone(440, n=64)
    sign = (augment.polarity(x, 0.5, seeded()) * x).sum(dim=1).sign()
    assert 16 < (sign < 0).sum() < 48


@pytest.mark.parametrize(("n", "share", "expected"), [(20, 0.3, 6), (7, 0.5, 4), (9, 1.0, 9), (9, 0.0, 0), (1, 0.2, 0)])
def test_a_share_is_exact_and_falls_on_everyone_in_turn(n: int, share: float, expected: int) -> None:
    generator, hit = seeded(), torch.zeros(n)
    for _ in range(200):
        changed = (augment.sometimes(torch.ones(n, 8), share, torch.neg, generator) < 0).all(dim=1)
        assert changed.sum() == expected
        hit += changed
    assert (hit / 200 - expected / n).abs().max() < 0.15


def test_crops_of_a_track_share_its_fate_and_what_is_told_of_them() -> None:
    def transform(x: Tensor, told: Tensor) -> Tensor:
        return x + told[:, None]

    x, told = torch.zeros(30, 8), torch.arange(10.0).repeat(3) + 1
    out = augment.sometimes(x, 0.4, transform, seeded(), told, crops_per_track=3)
    crops = out[:, 0].view(3, 10)
    assert torch.equal(crops[0], crops[1])
    assert torch.equal(crops[0], crops[2])
    assert (crops[0] > 0).sum() == 4
    assert torch.equal(out[:, 0][out[:, 0] > 0], told[out[:, 0] > 0])


def test_the_echo_of_clmr_comes_in_steps_at_half_the_level() -> None:
    out = augment.delay(click(0.1, n=64, seconds=1), 200, 450, RATE, seeded(), step_ms=50)
    assert (out[:, 1600] == 0.5).all()
    lags = out.argsort(dim=1)[:, -2] - 1600
    assert (out.gather(1, lags[:, None] + 1600) == 0.25).all()
    assert ((out != 0).sum(dim=1) == 2).all()
    assert sorted(set(lags.tolist())) == [RATE * ms // 1000 for ms in (200, 250, 300, 350, 400, 450)]


def test_echoes_repeat_and_fade() -> None:
    out = augment.delay(click(0, seconds=1), 100, 100, RATE, seeded(), volume=1.0, repeats=2, attenuation=0.5)[0]
    assert {int(i): float(out[i]) for i in out.nonzero()[:, 0]} == {0: 0.5, 1600: 0.5, 3200: 0.25}


def _delayed_as_released(x: np.ndarray, lag: int, volume: float, repeats: int, attenuation: float) -> np.ndarray:
    """SemiSupCon's code, in its own steps: add up the copies in a longer buffer, cut it, mix."""
    buffer = np.zeros(len(x) + repeats * lag)
    for i in range(repeats):
        buffer[i * lag : i * lag + len(x)] += x * attenuation**i
    return (x + volume * buffer[: len(x)]) / 2


@pytest.mark.parametrize(
    ("strength", "volumes", "attenuations", "repeats"),
    [
        (0.5, (0.05, 0.45), (0.05, 0.45), (0, 2)),
        (1.0, (0.3, 0.7), (0.3, 0.7), (1, 3)),
        (1.5, (0.55, 0.95), (0.55, 0.95), (2, 4)),
        (2.0, (0.8, 1.2), (0.8, 1.2), (3, 5)),
    ],
)
def test_soft_echoes_are_semisupcons(
    strength: float, volumes: tuple[float, ...], attenuations: tuple[float, ...], repeats: tuple[int, ...]
) -> None:
    """Each example is one of the eight combinations, at a lag of its own; they all come up."""
    x, clicks = torch.randn(24, 42_000, generator=seeded(1)), click(0, n=24, seconds=42_000 / RATE)
    out, heard = (augment.soft_echoes(y, RATE, seeded(), strength) for y in (x, clicks))
    found = set()
    for row, echoes, sound in zip(out.numpy(), heard, x.numpy(), strict=True):
        lag = int(echoes[1:].nonzero()[0, 0]) + 1 if echoes[1:].any() else 8000
        assert int(1600 / strength) <= lag <= 8000
        cases = list(itertools.product(volumes, repeats, attenuations))
        gaps = [np.abs(row - _delayed_as_released(sound, lag, *case)).max() for case in cases]
        assert min(gaps) < 1e-5
        found.add(cases[int(np.argmin(gaps))][:2])
    assert len(found) == 4 - (0 in repeats), "without a copy, no volume"


def test_half_of_the_soft_echoes_cannot_be_heard_and_the_others_are_far_below() -> None:
    """Released code: 48 % of draws without one; -23 to -11 dB."""
    out = augment.soft_echoes(click(0, n=600, seconds=1.1), RATE, seeded())
    level = 20 * torch.log10(out[:, 1:].amax(dim=1) / out[:, 0])
    echoes = level.isfinite()
    assert 1 - echoes.double().mean().item() == pytest.approx(0.48, abs=0.04)
    assert level[echoes].min().item() == pytest.approx(-23, abs=0.5)
    assert level[echoes].max().item() == pytest.approx(-11, abs=0.5)


def test_an_echo_beyond_the_end_is_not_heard() -> None:
    out = augment.delay(click(0.9, seconds=1), 200, 200, RATE, seeded())
    assert (out != 0).sum() == 1


@pytest.mark.parametrize("rt60", [0.3, 1.0])
def test_a_room_decays_at_its_rt60(rt60: float) -> None:
    response = augment.reverb(click(0, n=8), (rt60, rt60), (-6, -6), RATE, seeded())
    remaining = response[:, 1:].square().flip(1).cumsum(dim=1).flip(1)
    decay = 10 * torch.log10(remaining / remaining[:, :1])
    for curve in decay:  # Schroeder's curve from -5 to -25 dB (ISO 3382, T20)
        span = ((curve < -5) & (curve > -25)).nonzero()[:, 0]
        slope = np.polyfit(span.numpy() / RATE, curve[span].numpy(), 1)[0]
        assert -60 / slope == pytest.approx(rt60, rel=0.15)


def test_a_room_keeps_the_direct_sound_and_has_its_level() -> None:
    response = augment.reverb(click(0, n=8), (0.5, 0.5), (-6, -6), RATE, seeded())
    assert (response[:, 0] - 1).abs().max() < 1e-5
    assert (10 * torch.log10(response[:, 1:].square().sum(dim=1)) + 6).abs().max() < 0.05


def test_times_of_rooms_are_uniform_on_a_log_scale() -> None:
    response = augment.reverb(click(0, n=200, seconds=2.5), (0.17, 2.4), (-15, -9), RATE, seeded())
    tail = response[:, 1:].double().square()
    wet_db = 10 * torch.log10(tail.sum(dim=1) / response[:, 0].square())
    # energy that decays by 60 dB in RT60 has its center at RT60 / ln(10^6)
    t = torch.arange(1, tail.shape[1] + 1) / RATE
    rt60 = np.log(1e6) * (tail * t).sum(dim=1) / tail.sum(dim=1)
    for values, low, high in ((wet_db, -15, -9), (rt60.log(), np.log(0.17), np.log(2.4))):
        quarters = np.histogram(values, np.linspace(low - 0.1, high + 0.1, 5))[0]
        assert quarters.sum() == 200
        assert quarters.min() > 30


def test_a_room_rings_after_the_sound_not_before() -> None:
    response = augment.reverb(click(1.5, n=4), (1.5, 2.0), (0, 0), RATE, seeded())
    assert response[:, : int(1.5 * RATE)].abs().max() < 1e-5


def test_masks_hide_one_span_of_one_axis() -> None:
    features = torch.randn(32, 64, 150, generator=seeded())
    for axis, other in ((1, 2), (2, 1)):
        changed = augment.mask_bands(features, axis, 0.3, seeded()) != features
        lines = changed.all(dim=other)
        assert torch.equal(lines, changed.any(dim=other)), "a mask spans the other axis"
        assert lines.sum(dim=1).max() <= 0.3 * features.shape[axis] + 1
        assert len(lines.sum(dim=1).unique()) > 5
        assert (lines.int().diff(dim=1).abs().sum(dim=1) <= 2).all()
