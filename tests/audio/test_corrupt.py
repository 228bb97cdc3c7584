"""Corruptions move test audio as far as their severity says, each example by its own seed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sounds import RATE, click, level_db, peak_hz, seeded, tone
from torch import Tensor

from benchmark.audio.corrupt import CORRUPTIONS, SEVERITIES, corrupt
from benchmark.interfaces import UserError

LEVELS = [1, 2, 3, 4]


def _by_severity(*strengths: list[float]) -> list[tuple[float, ...]]:
    return list(zip(LEVELS, *strengths, strict=True))


every = pytest.mark.parametrize("name", CORRUPTIONS)
#: distances of spectra do not rise with these, whose strength is a ratio or a time: they have tests of their own
RATIOS = {"pitch_shift", "time_stretch", "reverse"}
DRAWN = {"chain", "noise", "filter", "pitch_shift", "delay", "time_stretch", "reverb"}


@pytest.fixture(scope="module")
def music() -> Tensor:
    """Plucked notes of five partials, three per second: (16, 1.5 s), peaks at 0.5."""
    g, t = seeded(), torch.arange(3 * RATE // 2) / RATE
    pieces = []
    for _ in range(16):
        piece = torch.zeros(len(t))
        for k in range(4):
            hz = 110 * 2 ** (int(torch.randint(24, (), generator=g)) / 12)
            decay = torch.exp(-5 * (t - k / 3)) * (t >= k / 3)
            piece += sum(torch.sin(2 * torch.pi * h * hz * t) / h for h in range(1, 6)) * decay
        pieces.append(0.5 * piece / piece.abs().max())
    return torch.stack(pieces)


def _corrupted(x: Tensor, name: str, severity: int) -> Tensor:
    return corrupt(x, RATE, name, severity, torch.arange(len(x)))


def _spectrum(x: Tensor) -> Tensor:
    level = x.square().mean(dim=1, keepdim=True).sqrt()
    stft = torch.stft(x / level, 1024, 256, window=torch.hann_window(1024), return_complex=True)
    return torch.log(stft.abs() + 0.1)


def _cents(x: Tensor, hz: float = 440) -> np.ndarray:
    cents: np.ndarray = 1200 * np.log2(peak_hz(x) / hz)
    return cents


def _onset_s(x: Tensor) -> Tensor:
    """When each example first comes near its peak; an echo as loud as the direct sound is not the first."""
    return (x.abs() > 0.7 * x.abs().amax(dim=1, keepdim=True)).float().argmax(dim=1) / RATE


@every
@pytest.mark.parametrize("severity", [1, 4])
def test_an_example_is_its_own_whatever_the_batch(music: Tensor, name: str, severity: int) -> None:
    x, seeds = music[:3, :12_001], torch.tensor([7, 2**62, -3])
    before = x.clone()
    out = corrupt(x, RATE, name, severity, seeds)
    assert (out.shape, out.dtype) == (x.shape, torch.float32)
    assert out.isfinite().all()
    assert torch.equal(x, before)
    torch.rand(5)  # another global state
    alone = [corrupt(x[i : i + 1], RATE, name, severity, seeds[i : i + 1]) for i in (2, 0, 1)]
    assert torch.equal(out, torch.cat([alone[1], alone[2], alone[0]]))


@every
def test_severity_0_is_the_audio_as_it_is(music: Tensor, name: str) -> None:
    assert torch.equal(_corrupted(music, name, 0), music)


@every
def test_silence_and_a_tenth_of_a_second_pass(name: str) -> None:
    for severity in LEVELS:
        assert _corrupted(torch.zeros(2, 4000), name, severity).abs().max() == 0
        assert _corrupted(torch.randn(2, 1600, generator=seeded()) / 8, name, severity).isfinite().all()


@every
def test_seeds_decide_what_is_drawn_and_nothing_else(name: str) -> None:
    x = torch.randn(1, 8000, generator=seeded()).repeat(12, 1) / 8
    distinct = len(torch.unique(_corrupted(x, name, 4), dim=0))
    assert (distinct > 1) == (name in DRAWN)
    if name in {"chain", "noise", "delay", "reverb"}:  # not a mere coin
        assert distinct >= 10


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - RATIOS - {"gain"}))
def test_spectra_move_further_with_severity(music: Tensor, name: str) -> None:
    clean = _spectrum(music)
    moved = [(_spectrum(_corrupted(music, name, s)) - clean).abs().mean().item() for s in SEVERITIES]
    assert moved[0] == 0
    # the chain's probabilities are capped at severity 3, and its filters take some noise away: 4 is hardly further
    steps = moved[:4] if name == "chain" else moved
    assert all(b > a for a, b in itertools.pairwise(steps)), moved
    assert moved[4] > 1.2 * moved[2]


@every
def test_units_and_strengths_are_told_for_each_severity(name: str) -> None:
    corruption = CORRUPTIONS[name]
    assert corruption.description
    assert all(len(strengths) == len(corruption.units) for strengths in corruption.strengths)
    for column in zip(*corruption.strengths, strict=True):
        assert list(column) in (sorted(column), sorted(column, reverse=True))


@every
def test_flags_say_whether_pitch_and_time_move(name: str) -> None:
    cents = _cents(_corrupted(tone(440, n=10) / 2, name, 4))
    assert (np.abs(cents).max() > 20) == CORRUPTIONS[name].moves_pitch
    late = _onset_s(_corrupted(click(0.7, n=10, seconds=1.5) / 2, name, 4)) - 0.7
    assert (late.abs().max() > 0.02) == CORRUPTIONS[name].moves_time, late


def test_unknown_names_and_severities_are_told() -> None:
    x, seeds = torch.zeros(1, 800), torch.zeros(1, dtype=torch.int64)
    with pytest.raises(UserError, match=r"no corruption 'vinyl'.*reverb"):
        corrupt(x, RATE, "vinyl", 1, seeds)
    for severity in (-1, 5):
        with pytest.raises(UserError, match=f"no severity {severity}"):
            corrupt(x, RATE, "gain", severity, seeds)


@pytest.mark.parametrize(("severity", "db"), _by_severity([7.5, 15, 22.5, 30]))
def test_gain_falls_by_its_decibels(severity: int, db: float) -> None:
    x = tone(440, n=2)
    assert (level_db(x) - level_db(_corrupted(x, "gain", severity))).tolist() == pytest.approx([db, db], abs=1e-3)


@pytest.mark.parametrize(("severity", "snr_db"), _by_severity([30, 20, 10, 0]))
def test_noise_lands_at_its_snr(music: Tensor, severity: int, snr_db: float) -> None:
    added = _corrupted(music, "noise", severity) - music
    assert (level_db(music) - level_db(added) - snr_db).abs().max() < 0.05


def test_strength_alone_tells_severities_apart(music: Tensor) -> None:
    """The same noise, the same lags, the same direction at every severity."""
    weak, strong = (_corrupted(music, "noise", s) - music for s in (1, 4))
    assert torch.cosine_similarity(weak, strong).min() > 0.9999
    lags = [_corrupted(click(0.1, n=8, seconds=1), "delay", s)[:, 1601:].argmax(dim=1) for s in LEVELS]
    assert all(torch.equal(lag, lags[0]) for lag in lags)
    ups = [_cents(_corrupted(tone(440, n=8, seconds=0.5), "pitch_shift", s)) > 0 for s in LEVELS]
    assert all((up == ups[0]).all() for up in ups)
    assert 0 < ups[0].sum() < 8


@pytest.mark.parametrize(("severity", "low", "high"), _by_severity([4000, 2000, 1000, 500], [200, 400, 800, 1600]))
def test_a_filter_is_a_low_pass_or_a_high_pass_at_its_cutoff(severity: int, low: int, high: int) -> None:
    response = torch.fft.rfft(_corrupted(click(0, n=12, seconds=1), "filter", severity)).abs()
    passes_low = response[:, 1] > 0.9
    assert 0 < passes_low.sum() < 12
    assert response[passes_low, low].numpy() == pytest.approx(0.5, abs=1e-3)
    assert response[~passes_low, high].numpy() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("severity", "cents"), _by_severity([100, 200, 400, 800]))
def test_pitch_moves_by_its_cents(severity: int, cents: int) -> None:
    assert np.abs(_cents(_corrupted(tone(440, n=4), "pitch_shift", severity))) == pytest.approx(cents, abs=8)


@pytest.mark.parametrize(("severity", "volume"), _by_severity([0.25, 0.5, 0.75, 1.0]))
def test_echoes_follow_at_their_levels(severity: int, volume: float) -> None:
    for row in _corrupted(click(0.1, n=6, seconds=2), "delay", severity):
        direct, first, second = row.nonzero()[:, 0].tolist()
        assert direct == 1600
        assert second - first == first - direct
        assert 0.1 <= (first - direct) / RATE <= 0.5
        assert (row[[first, second]] / row[direct]).tolist() == pytest.approx([volume, volume / 2])


@pytest.mark.parametrize(("severity", "change"), _by_severity([0.05, 0.1, 0.2, 0.3]))
def test_a_stretch_keeps_pitch_and_spaces_clicks_anew(severity: int, change: float) -> None:
    assert np.abs(_cents(_corrupted(tone(440, n=4, seconds=2), "time_stretch", severity))).max() < 3
    clicks = click(0.5, n=6) + click(1.3, n=6)
    for row in _corrupted(clicks, "time_stretch", severity):
        first = _onset_s(row[None, : int(0.85 * RATE)]).item()
        second = _onset_s(row[None, int(0.85 * RATE) : int(1.95 * RATE)]).item() + 0.85
        tempo = 0.8 / (second - first)
        assert abs(tempo - 1) == pytest.approx(change, abs=0.04)


@pytest.mark.parametrize(("severity", "rt60_s", "wet_db"), _by_severity([0.3, 0.6, 1.2, 2.4], [-12, -6, 0, 6]))
def test_a_room_rings_as_long_and_as_loud_as_it_says(severity: int, rt60_s: float, wet_db: float) -> None:
    out = _corrupted(click(0, n=6), "reverb", severity)
    direct, tail = out[:, :1], out[:, 1:].double()
    assert 10 * torch.log10(tail.square().sum(dim=1) / direct[:, 0].square()).numpy() == pytest.approx(wet_db, abs=0.1)
    # Schroeder's integral falls by 60 dB in RT60; read where it falls from 5 to 25
    left = tail.square().flip(1).cumsum(dim=1).flip(1)
    decay = 10 * torch.log10(left / left[:, :1])
    at5, at25 = ((decay < -db).float().argmax(dim=1) / RATE for db in (5, 25))
    assert (3 * (at25 - at5)).numpy() == pytest.approx(rt60_s, rel=0.1)


def test_the_chain_reaches_as_many_as_its_probabilities_say() -> None:
    """An example stays as it is if the whole chain spares it, or each of its five steps does."""
    x = torch.randn(1, 1600, generator=seeded()).repeat(100, 1) / 8
    for severity, f in zip(LEVELS, (0.5, 1.0, 1.5, 2.0), strict=True):
        caps = ((0.7, 0.4), (0.8, 0.6), (0.6, 0.3), (0.75, 0.6), (0.6, 0.6))
        spared = math.prod(1 - min(cap, p * f) for cap, p in caps)
        reached = min(1.0, 0.8 * f) * (1 - spared)
        share = (_corrupted(x, "chain", severity) != x).any(dim=1).float().mean().item()
        assert share == pytest.approx(reached, abs=3.5 * math.sqrt(reached * (1 - reached) / 100) + 0.01)


def test_the_chains_echoes_are_trainings() -> None:
    """At severity 2, as in training: none, or one 11 to 23 dB below, where nothing else touched the click."""
    rows = _corrupted(click(0.1, n=120, seconds=1.2), "chain", 2)
    bare = [row[row != 0] / row[1600] for row in rows if (row != 0).sum() <= 3]
    first_db = [20 * math.log10(row[1].item()) for row in bare if len(row) > 1]
    assert len(first_db) > 1
    assert all(-23.5 < db < -10.5 for db in first_db), first_db
    assert len(bare) > 3 * len(first_db)
