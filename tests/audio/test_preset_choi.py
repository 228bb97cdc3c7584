"""Choi et al.'s views: a tone tells what pitch and speed did together, the time between two clicks what speed did."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sounds import RATE, click, heard, level_db, peak_hz, tone
from torch import Tensor

from strategies.pairs import PairConfig
from strategies.views import ViewConfig

N, BETWEEN_S = 24, 1.5
SLOWEST, FASTEST = 1200 * math.log2(0.8), 1200 * math.log2(1.2)


def _two_clicks() -> Tensor:
    """At 0.7 and 2.2 s: at any speed one is in the first 1.3 s, the other after it, and the loop brings no third."""
    return click(0.7, N) + click(0.7 + BETWEEN_S, N)


def _speeds(x: Tensor) -> np.ndarray:
    """How much faster than `_two_clicks` each example is, by the time between its clicks."""
    energy, split = x.square(), int(1.3 * RATE)
    first, second = energy[:, :split].argmax(dim=1), energy[:, split:].argmax(dim=1) + split
    return BETWEEN_S * RATE / (second - first).numpy()


@pytest.fixture(scope="module")
def speeds() -> np.ndarray:
    return _speeds(heard(_two_clicks(), preset="choi"))


@pytest.fixture(scope="module")
def tones() -> Tensor:
    return heard(tone(440, N, seconds=3), preset="choi")


def test_every_view_is_played_at_a_speed_of_its_own(speeds: np.ndarray) -> None:
    assert 0.79 < speeds.min() < 0.84
    assert 1.16 < speeds.max() < 1.21
    assert speeds.mean() == pytest.approx(1, abs=0.05)
    assert (abs(speeds - 1) > 0.005).mean() > 0.8


def test_speed_moves_pitch_beyond_the_pitch_shift(speeds: np.ndarray, tones: Tensor) -> None:
    """The draws are the same for tone and clicks: what speed does not explain of a tone is within two semitones."""
    cents = 1200 * np.log2(peak_hz(tones) / 440)
    shift = cents - 1200 * np.log2(speeds)
    assert SLOWEST - 203 < cents.min() < SLOWEST
    assert FASTEST < cents.max() < FASTEST + 203
    assert abs(shift).max() < 210, "half a percent of the time between clicks is 9 cents"
    assert shift.min() < -130
    assert shift.max() > 130
    assert abs(np.corrcoef(shift, speeds)[0, 1]) < 0.4, "drawn apart"


def test_a_view_is_as_long_as_its_crop_and_sounds_to_its_end(tones: Tensor) -> None:
    """At speed 1.2 the crop ends after 2.5 s, and starts over."""
    assert tones.shape == (N, 3 * RATE)
    assert level_db(tones[:, -RATE // 4 :]).numpy() == pytest.approx(level_db(tone(440)).mean().item(), abs=0.5)


def test_without_pitch_shift_the_tempo_alone_moves() -> None:
    still = heard(tone(440, N, seconds=3), preset="choi", pitch_shift=False)
    assert abs(peak_hz(still) - 440).max() < 0.7
    speeds = _speeds(heard(_two_clicks(), preset="choi", pitch_shift=False))
    assert 0.79 < speeds.min() < 0.84
    assert 1.16 < speeds.max() < 1.21


def test_the_config_says_whether_pitch_moves() -> None:
    assert ViewConfig(preset="choi").shifts_pitch
    assert not ViewConfig(preset="choi", pitch_shift=False).shifts_pitch


def test_the_same_place_can_be_heard_twice() -> None:
    """Positives `self` need views that differ."""
    assert PairConfig(preset="choi", positives="self").positives == "self"
    views = heard(torch.sin(torch.arange(RATE) / 7).repeat(2, 1), preset="choi")
    assert not torch.allclose(views[0], views[1], atol=0.1)
