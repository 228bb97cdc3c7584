"""Steep filters are a windowed sinc's, to rounding, and lose what the papers' code was measured to lose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sounds import RATE, click, level_db, peak_s, seeded, tone
from torch import Tensor

from benchmark.audio import filters, windowed_sinc
from benchmark.encoders.cnn_small import LogMel

BAND_PASS, BAND_STOP, HIGH_PASS, LOW_PASS = range(4)


def _any(x: Tensor, kind: int, strength: float = 1.0) -> Tensor:
    return windowed_sinc.any_filter(x, torch.full((len(x),), kind), RATE, seeded(), strength)


def _response(filtered_clicks: Tensor) -> NDArray[np.float64]:
    """The magnitude at each hertz."""
    return torch.fft.rfft(filtered_clicks.double()).abs().numpy()


def _slow_low_pass(cutoff_hz: float, reach: int) -> NDArray[np.float64]:
    """julius's filter as it writes it down: taps of a sinc under a Hann window, normalized; its magnitude per hertz."""
    c, t = cutoff_hz / RATE, np.arange(-reach, reach + 1)
    taps = 2 * c * np.sinc(2 * c * t) * np.hanning(2 * reach + 1)
    return np.fft.rfft(taps / taps.sum(), RATE) * np.exp(2j * np.pi * reach * np.arange(RATE // 2 + 1) / RATE)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 150), (0, 200), (0, 1200), (0, 3170), (0, 7500), (500, 1500), (53, 7211)]
)
def test_the_response_is_that_of_the_taps(low: float, high: float) -> None:
    reach = int(8 / ((low or high) / RATE) / 2)
    expected = _slow_low_pass(high, reach) - (_slow_low_pass(low, reach) if low else 0)
    cutoffs = (torch.tensor([[hz / RATE]], dtype=torch.float64) for hz in (low, high))
    assert np.abs(windowed_sinc.band(*cutoffs, RATE, RATE // 2)[0].numpy() - expected).max() < 1e-6


def test_a_tone_an_octave_past_the_cutoff_is_lost_as_in_clmr() -> None:
    """Released code: 81 dB (low-pass), 64 dB (high-pass); the gentle filter: 14 dB."""
    response = _response(windowed_sinc.pass_filter(click(0, n=60, seconds=1), RATE, seeded()))
    low_pass = response[:, 1] > 0.5
    assert 15 < low_pass.sum() < 45, "a fair coin"
    losses: dict[bool, list[float]] = {True: [], False: []}
    for row, low in zip(response, low_pass.tolist(), strict=True):
        cutoff = int(np.abs(row - 0.5).argmin())  # -6 dB
        losses[low].append(-20 * np.log10(row[2 * cutoff if low else cutoff // 2]))
        passed = row[: int(0.7 * cutoff)] if low else row[int(1.4 * cutoff) :]
        assert np.abs(20 * np.log10(passed)).max() < 0.5
        assert 2199 <= cutoff <= 4001 if low else 199 <= cutoff <= 1201
    # windows are whole samples long, so that a low-pass may have one of its zeros there
    for low, loss in ((True, 81), (False, 64)):
        assert np.median(losses[low]) == pytest.approx(loss, abs=3)
        assert min(losses[low]) > loss - 3


def test_clmrs_filter_moves_log_mel_as_far_as_released() -> None:
    """Root mean square on white noise, 60 to 8000 Hz: released 1.52; the gentle filter .44."""
    x = 0.1 * torch.randn(96, RATE, generator=seeded())
    front_end = LogMel()
    steep, gentle = windowed_sinc.pass_filter(x, RATE, seeded()), filters.pass_filter(x, 1.0, RATE, seeded())
    moved = [(front_end(y) - front_end(x)).square().mean().sqrt().item() for y in (steep, gentle)]
    assert moved[0] == pytest.approx(1.52, abs=0.15)
    assert moved[1] == pytest.approx(0.44, abs=0.05)


def test_a_tone_keeps_its_level_or_is_gone() -> None:
    cutoff = torch.tensor([[1000.0]])
    for hz, loss in ((700, 0), (1000, 6.02), (2000, 80.5)):
        passed = windowed_sinc._filtered(tone(hz, 1), torch.zeros(1, 1), cutoff, torch.tensor([[False]]), RATE)
        assert (level_db(tone(hz, 1)) - level_db(passed)).item() == pytest.approx(loss, abs=0.5)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_each_kind_of_semisupcon_has_its_ranges(strength: float) -> None:
    clicks = click(0, n=120, seconds=1)
    high_pass, low_pass, band = (_response(_any(clicks, k, strength)) for k in (HIGH_PASS, LOW_PASS, BAND_PASS))
    highs = np.abs(high_pass - 0.5).argmin(axis=1)
    assert highs.min() >= 200 * strength - 1
    assert highs.max() <= 2400 * strength + 1
    lows = np.abs(low_pass - 0.5).argmin(axis=1)
    mel = 2595 * np.log10(1 + lows / 700)
    ends = 2595 * np.log10(1 + np.array([max(75, 150 / strength), 7500 / max(1, strength)]) / 700)
    assert np.histogram(mel, np.linspace(ends[0] - 3, ends[1] + 3, 5))[0].min() > 15, "uniform on the mel scale"
    passed = band > 0.5
    first, last = passed.argmax(axis=1), RATE // 2 - passed[:, ::-1].argmax(axis=1)
    center = (first + last) / 2
    assert 195 < center.min() < 260
    assert 3400 < center.max() < 4005
    assert ((last - first) / center).min() >= 0.5 * strength - 0.02
    assert ((last - first) / center).max() <= 2.0


def test_a_band_stop_is_what_a_band_pass_takes_away() -> None:
    x = torch.randn(8, RATE, generator=seeded())
    torch.testing.assert_close(_any(x, BAND_PASS) + _any(x, BAND_STOP), x, atol=1e-5, rtol=0)


def test_kinds_are_told_apart_by_example() -> None:
    x = torch.randn(8, RATE, generator=seeded())
    mixed = windowed_sinc.any_filter(x, torch.arange(4).repeat(2), RATE, seeded())
    for kind in range(4):
        assert torch.equal(mixed[kind::4], _any(x, kind)[kind::4])


@pytest.mark.parametrize("kind", range(4))
def test_filters_delay_nothing(kind: int) -> None:
    out, at = _any(click(0.5, seconds=1), kind), RATE // 2
    assert peak_s(out).item() == 0.5
    torch.testing.assert_close(out[:, at + 1 :], out[:, 1:at].flip(1), atol=1e-6, rtol=0)
