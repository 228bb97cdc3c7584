"""Presets put crops through the chains they name, and say whether they shift pitch.

The encoder hears waveforms as they are, so that a click tells what it went through. `choi` has a file of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sounds import RATE, Raw, heard, peak_hz, seeded, tone
from torch import Tensor

from benchmark.audio import augment, filters
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.modules import Batch
from strategies.semisupcon import SemiSupCon
from strategies.views import ViewConfig, augmented

AT, N = RATE, 200


@pytest.fixture(scope="module")
def clicks() -> Tensor:
    """A click after one second of silence."""
    x = torch.zeros(N, int(2.1 * RATE))
    x[:, AT] = 1.0
    return x


@pytest.fixture(scope="module")
def clmr(clicks: Tensor) -> Tensor:
    return heard(clicks, preset="clmr", pitch_shift=False)


@pytest.fixture(scope="module")
def semisupcon(clicks: Tensor) -> Tensor:
    return heard(clicks, preset="semisupcon", pitch_shift=False)


def _direct(x: Tensor) -> Tensor:
    """The click itself, with what its filter leaves in the 25 ms around it."""
    return x[:, AT - 400 : AT + 400]


def _echo(x: Tensor, low_ms: int, high_ms: int) -> tuple[Tensor, Tensor]:
    """The largest sample in a range after the click: its delay in samples, and its level beside the click's."""
    after = x[:, AT + 16 * low_ms : AT + 16 * high_ms + 1]
    return after.abs().argmax(dim=1) + 16 * low_ms, after.abs().amax(dim=1) / x[:, AT].abs()


def _reverberant(x: Tensor) -> Tensor:
    """Whether 50 to 150 ms after the click, before any echo of CLMR's, there is sound."""
    return x[:, AT + 800 : AT + 2400].square().sum(dim=1) > 1e-6 * x[:, AT].square()


def test_the_default_is_todays_chain_bit_for_bit() -> None:
    encoder, config = CNNSmall(), ViewConfig()
    crops = torch.randn(12, RATE, generator=seeded(1))
    g = seeded(5)
    x = augment.gain(crops, -6.0, 6.0, g)
    x = augment.polarity(x, 0.5, g)
    x = augment.noise(x, 0.5, 10, 40, g)
    x = filters.pass_filter(x, 0.4, RATE, g)
    features = augment.mask_bands(encoder.features(x), 1, 0.2, g)
    features = augment.mask_bands(features, 2, 0.2, g)
    again = seeded(5)
    assert torch.equal(augmented(crops, encoder, config, again), features)
    assert torch.equal(torch.rand(8, generator=again), torch.rand(8, generator=g)), "as many draws"


def test_a_share_of_zero_and_a_batch_of_one_pass() -> None:
    assert heard(torch.randn(4, RATE), filter_p=0, noise_p=0).isfinite().all()
    for preset in ("pretext", "clmr", "semisupcon", "choi"):
        assert heard(torch.randn(1, RATE), preset=preset).shape == (1, RATE)


def test_raw_waveforms_are_not_masked() -> None:
    g = seeded()
    x = torch.randn(6, RATE, generator=seeded(1))
    expected = augment.polarity(augment.gain(x, -6, 6, g), 0.5, g)
    assert torch.equal(heard(x, noise_p=0, filter_p=0, mask_time=0.9), expected)


@pytest.mark.parametrize("preset", ["crop_only", "none"])
def test_a_crop_alone_is_the_crop(preset: str, clicks: Tensor) -> None:
    assert torch.equal(heard(clicks, preset=preset), clicks)


def test_clmr_inverts_80_percent(clmr: Tensor) -> None:
    assert (clmr[:, AT] < 0).sum() == 0.8 * N


def test_clmr_reverberates_60_percent(clmr: Tensor) -> None:
    assert abs(int(_reverberant(clmr).sum()) - 0.6 * N) <= 2


def test_clmrs_room_is_as_long_and_loud_as_soxs(clicks: Tensor) -> None:
    """Released code: RT60 .17 to 2.4 s, -15 to -9 dB beside the direct sound."""
    rooms = torch.cat([heard(clicks, preset="clmr", pitch_shift=False, seed=seed) for seed in range(1, 11)])
    _, echo = _echo(rooms, 190, 460)
    # zero-phase filters and noise sound before the click
    plain = rooms[_reverberant(rooms) & (echo < 0.3) & (rooms[:, :AT].abs().amax(dim=1) < 1e-6)].double()
    tail = plain[:, AT + 1 :].square()
    wet_db = 10 * torch.log10(tail.sum(dim=1) / plain[:, AT].square())
    assert len(plain) > 80
    assert -15.1 < wet_db.min() < -13.5
    assert -10.5 < wet_db.max() < -8.9
    t = torch.arange(1, tail.shape[1] + 1) / RATE
    rt60 = np.log(1e6) * (tail * t).sum(dim=1) / tail.sum(dim=1)
    assert 0.16 < rt60.min() < 0.3
    assert 1.2 < rt60.max() < 2.5
    assert rt60.median().item() == pytest.approx((0.17 * 2.4) ** 0.5, rel=0.3)


def test_clmr_delays_30_percent_in_steps(clmr: Tensor) -> None:
    lag, level = _echo(clmr, 190, 460)
    echoes = (level - 0.5).abs() < 0.15
    assert abs(int(echoes.sum()) - 0.3 * N) <= 3
    assert set((lag[echoes] // 16).tolist()) == {200, 250, 300, 350, 400, 450}


def test_clmr_filters_80_percent_half_of_them_high_pass(clmr: Tensor) -> None:
    dry = clmr[~_reverberant(clmr)]
    response = torch.fft.rfft(_direct(dry), 8000).abs()
    at_50, at_1600, at_8000 = response[:, 25], response[:, 800], response[:, -1]
    high, low = at_50 < 0.3 * at_1600, at_8000 < 0.6 * at_1600
    assert not (high & low).any()
    for kind in (high, low):
        assert kind.double().mean().item() == pytest.approx(0.4, abs=0.13)


def test_clmr_lowers_30_percent_by_1_to_20_db(clmr: Tensor) -> None:
    dry = clmr[~_reverberant(clmr)]
    _, echo = _echo(dry, 190, 460)
    response = torch.fft.rfft(_direct(dry), 8000).abs()
    passes_low = response[:, 25] > 0.5 * response[:, 800]
    level_db = 20 * torch.log10(response[:, 25] * torch.where(echo > 0.3, 2, 1))[passes_low]
    lowered = level_db < -0.5
    assert lowered.double().mean().item() == pytest.approx(0.3, abs=0.17)
    assert -20.5 < level_db[lowered].min() < -12
    assert level_db[~lowered].abs().max() < 0.2


def test_clmr_is_noisy_in_1_percent(clmr: Tensor) -> None:
    before = clmr[:, : AT // 2].square().mean(dim=1)
    assert (before > 1e-15).sum() == 0.01 * N


def test_semisupcon_leaves_20_percent_alone(semisupcon: Tensor, clicks: Tensor) -> None:
    untouched = (semisupcon == clicks).all(dim=1).sum()
    # the others miss every link of the chain in 0.6 * 0.4 * 0.4 * 0.7 * 0.4 = 3 % of the cases
    assert 0.2 * N <= untouched <= 0.27 * N


def test_semisupcon_inverts_48_percent_and_a_quarter_has_an_echo(semisupcon: Tensor) -> None:
    """60 % of the 80 % are delayed, but half of them by a single copy, which comes at once."""
    assert (semisupcon[:, AT] < 0).sum() == 0.48 * N
    quiet = semisupcon[semisupcon[:, : AT // 2].abs().amax(dim=1) < 1e-7]
    lag, level = _echo(quiet, 100, 500)
    level_db = 20 * torch.log10(level)
    echoes = level_db > -30  # of filters, nothing is left 100 ms after the click
    # of those without noise (0.52), the chain was gone through by 0.32
    assert echoes.double().mean().item() == pytest.approx(0.5 * 0.6 * 0.32 / 0.52, abs=0.1)
    assert -23.5 < level_db[echoes].min() < -18
    assert -13 < level_db[echoes].max() < -10.5
    assert len(lag[echoes].unique()) > 10


def test_semisupcon_adds_noise_to_60_percent_of_the_others(semisupcon: Tensor) -> None:
    before = semisupcon[:, : AT // 2].square().mean(dim=1).sqrt()
    assert abs(int((before > 1e-7).sum()) - 0.48 * N) <= 3


def test_semisupcon_gain_and_filters(semisupcon: Tensor, clicks: Tensor) -> None:
    quiet = semisupcon[semisupcon[:, : AT // 2].abs().amax(dim=1) < 1e-7]
    response = torch.fft.rfft(_direct(quiet), 8000).abs()
    spread = response.amax(dim=1) / response.amin(dim=1).clamp(min=1e-9)
    filtered = spread > 1.05
    # of those without noise (0.52), the chain was gone through by 0.32
    assert filtered.double().mean().item() == pytest.approx(0.3 * 0.32 / 0.52, abs=0.11)
    # a delay turns the direct sound down too, to .85 or .65 of its level: .4 of those keep their own
    level_db = 20 * torch.log10(response.mean(dim=1))[~filtered]
    changed = level_db.abs() > 0.01
    untouched = 1 - 0.7 * 0.32 * (1 - 0.6 * 0.4) / (0.52 - 0.3 * 0.32)
    assert changed.double().mean().item() == pytest.approx(1 - untouched, abs=0.13)
    assert -15 + 20 * np.log10(0.65) - 0.01 < level_db.min() < -8
    assert 0 < level_db.max() < 5.01


def _tracks(x: Tensor) -> tuple[Tensor, Tensor]:
    """Both views of SemiSupCon of (B, T), from the two equal crops that it is given."""
    strategy = SemiSupCon(Raw(), SemiSupCon.Config(preset="semisupcon", pitch_shift=False))
    batch = Batch(x[:, None].repeat(1, 2, 1), torch.ones(len(x), dtype=torch.bool), torch.zeros(len(x), 0))
    views = strategy.views(batch, seeded())
    return views["a"][:, 0], views["b"][:, 0]


def test_semisupcon_spares_both_crops_of_a_track_or_none(clicks: Tensor) -> None:
    """Released code: both crops of at least 20 % of the tracks are untouched; crop by crop 4.9 %."""
    a, b = ((view == clicks).all(dim=1) for view in _tracks(clicks))
    assert 0.2 <= (a & b).double().mean().item() <= 0.23
    # within the chain, each crop has fates of its own: .6 x .4 x .4 x .7 x .4 of them meet no link
    assert (a ^ b).double().mean().item() == pytest.approx(0.8 * 2 * 0.027, abs=0.035)


def test_semisupcon_draws_the_kind_of_filter_by_track() -> None:
    hz = torch.cat([torch.tensor([60.0]), torch.arange(100.0, 8000.0, 100.0)])
    chord = torch.cos(2 * torch.pi * hz[:, None] * torch.arange(RATE // 2) / RATE + hz[:, None].square()).sum(dim=0)
    lines = [torch.fft.rfft(view).abs()[:, (hz / 2).long()] for view in _tracks(chord.repeat(400, 1))]
    level = [20 * torch.log10(line / line.amax(dim=1, keepdim=True)) for line in lines]
    filtered = (level[0].amin(dim=1) < -30) & (level[1].amin(dim=1) < -30)
    # a high-pass and a band-stop keep the highest tone; a low-pass and a band-pass lose it
    high = [one[filtered, -1] > -12 for one in level]
    assert 15 < filtered.sum() < 50, "0.8 x 0.3 x 0.3 of 400 tracks"
    assert torch.equal(*high)
    assert 5 < high[0].sum() < filtered.sum() - 5


@pytest.mark.parametrize(("preset", "share", "cents"), [("clmr", 0.6, 700), ("semisupcon", 0.48, 400)])
def test_pitch_is_shifted_for_its_share_and_only_if_the_config_says_so(preset: str, share: float, cents: int) -> None:
    x = tone(440, n=25)
    moved = 1200 * abs(torch.log2(torch.tensor(peak_hz(heard(x, preset=preset)) / 440)))
    assert abs(int((moved > 3).sum()) - share * 25) <= 1
    assert cents / 2 < moved.max() < cents + 3
    still = peak_hz(heard(x, preset=preset, pitch_shift=False))
    assert abs(still - 440).max() < 0.7


def test_the_config_reports_whether_pitch_is_shifted() -> None:
    assert [ViewConfig(preset=p).shifts_pitch for p in ("pretext", "clmr", "semisupcon", "crop_only", "none")] == [
        *(False, True, True, False, False)
    ]
    assert not ViewConfig(preset="clmr", pitch_shift=False).shifts_pitch
    assert ViewConfig(pitch_shift_cents=100).shifts_pitch
    assert not ViewConfig(pitch_shift_cents=100, pitch_shift=False).shifts_pitch
    shifted = peak_hz(heard(tone(440, n=20), pitch_shift_cents=300, noise_p=0))
    assert len(set(shifted)) > 15
    assert max(abs(1200 * torch.log2(torch.tensor(shifted) / 440))) < 303


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"preset": "clmr", "gain_db": 3.0}, "gain_db: strengths of preset 'pretext', which 'clmr' does not use"),
        ({"preset": "crop_only", "pitch_shift": True}, "preset 'crop_only' has none"),
        ({"pitch_shift": True}, "pitch_shift_cents"),
        ({"preset": "cmlr"}, "clmr"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        ViewConfig(**options)


def test_a_config_survives_its_own_dump() -> None:
    config = ViewConfig(preset="clmr", pitch_shift=False)
    assert ViewConfig(**config.model_dump(mode="json")) == config
