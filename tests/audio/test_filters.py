"""Gentle filters attenuate by as many decibels as they say, and nothing is delayed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sounds import RATE, click, level_db, peak_s, seeded, tone
from torch import Tensor

from benchmark.audio import filters

LOW, HIGH = (
    lambda x: filters.low_pass(x, (1000, 1000), RATE, seeded()),
    lambda x: filters.high_pass(x, (1000, 1000), RATE, seeded()),
)


@pytest.mark.parametrize(
    ("apply", "hz", "loss_db"),
    [
        # 20 log10(1 + ratio^2)
        (LOW, 100, 0.086),
        (LOW, 1000, 6.02),
        (LOW, 2000, 13.98),
        (LOW, 4000, 24.61),
        (HIGH, 7000, 0.175),
        (HIGH, 1000, 6.02),
        (HIGH, 500, 13.98),
        (HIGH, 250, 24.61),
    ],
)
def test_losses_are_the_prototypes(apply: Callable[[Tensor], Tensor], hz: float, loss_db: float) -> None:
    x = tone(hz, n=1)
    assert (level_db(x) - level_db(apply(x))).item() == pytest.approx(loss_db, abs=0.03)


@pytest.mark.parametrize(("apply", "hz"), [(LOW, 3500), (HIGH, 125)])
def test_slopes_go_to_12_db_per_octave(apply: Callable[[Tensor], Tensor], hz: float) -> None:
    octave = (level_db(apply(tone(hz, n=1))) - level_db(apply(tone(2 * hz, n=1)))).abs()
    assert octave.item() == pytest.approx(12.0, abs=1.2)


@pytest.mark.parametrize("apply", [LOW, HIGH])
def test_filters_delay_nothing(apply: Callable[[Tensor], Tensor]) -> None:
    out = apply(click(0.5, seconds=1))
    at = RATE // 2
    assert peak_s(out).item() == 0.5
    torch.testing.assert_close(out[:, at + 1 :], out[:, 1:at].flip(1), atol=1e-6, rtol=0)


def test_cutoffs_cover_their_range_evenly_on_the_mel_scale() -> None:
    # the transfer function is real and positive, so a click's spectrum at 1000 Hz says the cutoff: 1/H - 1 = (f/c)^2
    out = filters.low_pass(click(0, n=400, seconds=1), (150, 7500), RATE, seeded())
    cutoff = 1000 / (1 / torch.fft.rfft(out)[:, 1000].abs() - 1).sqrt()
    mel = 2595 * torch.log10(1 + cutoff / 700)
    assert cutoff.min() > 149
    assert cutoff.max() < 7600
    assert torch.histogram(mel, torch.linspace(218, 2772, 5)).hist.min() > 70  # 150 and 7500 Hz are 219 and 2771 mel


def test_pass_filters_attenuate_what_they_should() -> None:
    middle = filters.pass_filter(tone(1600, n=64), 1.0, RATE, seeded())
    low = filters.pass_filter(tone(50, n=64), 1.0, RATE, seeded())
    high = filters.pass_filter(tone(7500, n=64), 1.0, RATE, seeded())
    loss_low, loss_high = (level_db(tone(1, 1)) - level_db(x) for x in (low, high))
    high_pass = loss_low > 10  # 50 Hz is two octaves or more below every high-pass cutoff
    assert 16 < high_pass.sum() < 48
    assert (loss_high[~high_pass] > 10).all()
    assert loss_high[high_pass].abs().max() < 1
    assert (level_db(tone(1, 1)) - level_db(middle)).max() < 9
