"""Distortion has its harmonics, compression its curve, MP3 its bit rate and its place in time."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import torch
from sounds import RATE, level_db, seeded, tone
from torch import Tensor

from benchmark.audio import degrade
from benchmark.audio.corrupt import CORRUPTIONS
from benchmark.interfaces import UserError


def _strengths(name: str) -> list[tuple[float, ...]]:
    return list(CORRUPTIONS[name].strengths)


def _db(ratio: float) -> float:
    return float(20 * np.log10(ratio))


@pytest.mark.parametrize("peak", [1.0, 0.03])
def test_distortion_adds_the_odd_harmonics_of_tanh(peak: float) -> None:
    x, thd = peak * tone(500, n=1), []
    cycle = np.sin(2 * np.pi * np.arange(4096) / 4096)
    for (drive_db,) in _strengths("distortion"):
        out = degrade.distort(x, drive_db)
        harmonics = torch.fft.rfft(out)[0].abs()[500 * torch.arange(1, 8)] / (RATE / 2)
        expected = np.abs(np.fft.rfft(np.tanh(10 ** (drive_db / 20) * cycle)))[1:8]
        assert (harmonics / harmonics[0]).numpy() == pytest.approx(expected / expected[0], abs=4e-3)  # aliased
        assert (harmonics[1::2] < 1e-5).all()
        thd.append((harmonics[1:].norm() / harmonics[0]).item())
        assert level_db(out).item() == pytest.approx(level_db(x).item(), abs=1e-3)
    assert thd == sorted(thd)
    assert (thd[0] > 0.05, thd[-1] > 0.3) == (True, True)


@pytest.mark.parametrize("peak", [1.0, 0.03])
def test_compression_follows_its_curve(peak: float) -> None:
    """A tone at 0, -10 and -30 dB of the peak, a second each."""
    levels = np.array([0.0, -10.0, -30.0])
    x = peak * torch.cat([10 ** (db / 20) * tone(500, n=1) for db in levels], dim=1)
    for threshold, ratio in _strengths("compression"):
        out = degrade.compress(x, RATE, threshold, ratio)
        heard = np.array([level_db(out[:, i * RATE + 2000 : (i + 1) * RATE - 2000]).item() for i in range(3)])
        expected = np.where(levels > threshold, threshold + (levels - threshold) / ratio, levels)
        assert np.diff(heard) == pytest.approx(np.diff(expected), abs=0.1)
        assert level_db(out).item() == pytest.approx(level_db(x).item(), abs=1e-3)


def test_compression_lowers_the_crest_factor_and_lets_no_attack_through() -> None:
    t = torch.arange(RATE) / RATE
    x = torch.sin(2 * torch.pi * 200 * t)[None] * torch.exp(-6 * (t % 0.25))
    crests = [_db((y.abs().max() / y.square().mean().sqrt()).item()) for y in _compressed(x)]
    assert crests == sorted(crests, reverse=True)
    assert crests[0] - crests[-1] > 2


def _compressed(x: Tensor) -> list[Tensor]:
    return [x, *(degrade.compress(x, RATE, threshold, ratio) for threshold, ratio in _strengths("compression"))]


@pytest.mark.parametrize("peak", [1.0, 0.1])
def test_bits_are_the_logarithm_of_the_number_of_levels(peak: float) -> None:
    ramp = torch.linspace(-peak, peak, 20_000)[None]
    for (bits,) in _strengths("quantize"):
        out = degrade.quantize(ramp, bits)
        levels = out.unique()
        assert len(levels) == 2**bits
        step = 2 * peak / 2**bits
        assert levels.diff().numpy() == pytest.approx(step, rel=1e-3)
        assert (out - ramp)[:, :-1].abs().max() <= step * 1.001
        assert (0.0 in levels, (out[ramp.abs() < 0.49 * step] == 0).all()) == (True, True)


def test_a_band_keeps_its_inside_and_loses_its_outside() -> None:
    impulse = torch.zeros(1, RATE)
    impulse[:, RATE // 2] = 1
    for low, high in _strengths("band_limit"):
        out = degrade.band_limit(impulse, RATE, low, high)
        response = torch.fft.rfft(out)[0].abs().numpy()
        assert [_db(response[int(f)]) for f in (low, high)] == pytest.approx([-3.01, -3.01], abs=0.05)
        inside = response[int(1.4 * low) : int(high / 1.4)]
        assert _db(inside.min()) > -0.2
        assert _db(response[: int(low / 2)].max()) < -47
        if 2 * high < RATE / 2:
            assert _db(response[int(2 * high) :].max()) < -47
        assert out.abs().argmax() == RATE // 2


def test_a_reversal_reverses_the_whole_or_its_segments() -> None:
    x = torch.arange(3500.0)[None]
    assert torch.equal(degrade.reverse(x, 1000, float("inf")), x.flip(1))
    segments = [x[:, :1600].flip(1), x[:, 1600:3200].flip(1), x[:, 3200:].flip(1)]
    assert torch.equal(degrade.reverse(x, 1000, 1.6), torch.cat(segments, dim=1))
    x = x[:, :3200]
    moved = [(degrade.reverse(x, 1000, s) - x).abs().mean().item() for (s,) in _strengths("reverse")]
    assert moved == pytest.approx([50, 200, 800, 1600])


#: kbps of the 14 constant rates of layer III, by the two bits of the header that name the version
KBPS = {
    0b11: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    0b10: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0b00: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_mp3_has_its_bit_rate_and_stays_in_place(rate: int) -> None:
    """A header in the middle says the bit rate; the correlation with the original is highest at lag 0."""
    x = torch.randn(1, rate // 2 + 77, generator=seeded()) / 10
    for below, above in _strengths("mp3"):
        kbps = above if rate >= 32_000 else below
        file = degrade.mp3_bytes(x[0].numpy(), rate, kbps)
        at = file.find(b"\xff", len(file) // 2)
        while (file[at + 1] & 0b11100110) != 0b11100010:  # sync, layer III
            at = file.find(b"\xff", at + 1)
        assert KBPS[file[at + 1] >> 3 & 3][(file[at + 2] >> 4) - 1] == kbps
        assert soundfile.info(io.BytesIO(file)).samplerate == rate
        out = degrade.mp3(x, rate, kbps)
        assert out.shape == x.shape
        assert _lag(x, out) == 0


def _lag(x: Tensor, out: Tensor) -> int:
    n = 2 * x.shape[1]
    correlation = torch.fft.irfft(torch.fft.rfft(out, n) * torch.fft.rfft(x, n).conj(), n=n)
    at = int(correlation.argmax())
    return at if at < n // 2 else at - n


def test_mp3_loses_the_top_of_the_spectrum() -> None:
    x = torch.randn(1, 2 * RATE, generator=seeded()) / 10
    f = torch.arange(RATE + 1) / 2
    highest = []
    for kbps, _ in _strengths("mp3"):
        power = torch.fft.rfft(degrade.mp3(x, RATE, kbps))[0].abs().square().cumsum(dim=0)
        highest.append(f[(power < 0.999 * power[-1]).sum()].item())
    assert highest == sorted(highest, reverse=True)
    assert highest[0] > 7000
    assert highest[-1] < 3200


def test_mp3_passes_the_shortest_sounds_and_refuses_rates_it_does_not_have() -> None:
    for samples in (1, 100, 1151, 1153):
        assert degrade.mp3(torch.full((1, samples), 0.1), RATE, 8).shape == (1, samples)
    with pytest.raises(UserError, match="no sample rate of 20000 Hz; corrupt at one of"):
        degrade.mp3(torch.zeros(1, 800), 20_000, 32)
