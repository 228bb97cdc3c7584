"""Pitch and tempo: tones are found where they should be, onsets too."""

from __future__ import annotations

import pytest
import torch
from sounds import RATE, click, level_db, peak_hz, peak_s, seeded, tone
from torch import Tensor

from benchmark.audio import augment, stretch


def _share_near(x: Tensor, hz: float, width: float = 30.0) -> float:
    """Share of the energy within `width` of a frequency."""
    middle = x[:, RATE // 4 : -RATE // 4]
    power = torch.fft.rfft(middle * torch.hann_window(middle.shape[1])).abs().square()
    f = torch.fft.rfftfreq(middle.shape[1], 1 / RATE)
    return float(power[:, (f - hz).abs() < width].sum() / power.sum())


@pytest.mark.parametrize(("cents", "hz"), [(300, 523.25), (-300, 369.99), (700, 659.26), (-1200, 220.0), (100, 466.16)])
def test_a_shifted_tone_is_found_at_its_new_pitch(cents: int, hz: float) -> None:
    x = tone(440, n=2, seconds=3)
    out = stretch.pitch_shift(x, cents, cents, RATE, seeded())
    assert peak_hz(out) == pytest.approx(hz, rel=0.001)
    assert _share_near(out, hz) > 0.999
    assert (level_db(out) - level_db(x)).abs().max() < 0.5


@pytest.mark.parametrize("cents", [-700, -300, 300, 700])
def test_a_shift_keeps_the_time_of_a_click_and_of_an_onset(cents: int) -> None:
    assert abs(peak_s(stretch.pitch_shift(click(1.5), cents, cents, RATE, seeded())).item() - 1.5) < 0.02
    held = tone(440, n=1, seconds=3)
    held[:, : int(1.5 * RATE)] = 0
    out = stretch.pitch_shift(held, cents, cents, RATE, seeded())[0]
    loud = out.unfold(0, 160, 160).square().mean(dim=1).sqrt() > 0.35
    # the first hundredths of the crop hear the end of the loop
    first = loud[50:].nonzero()[0, 0].item() + 50
    assert abs(first * 0.01 - 1.5) < 0.02
    assert loud[155:290].all(), "it sounds until the end"
    assert not loud[10:147].any()
    assert level_db(out[None, 26_000:40_000]).item() == pytest.approx(level_db(held[:, 26_000:40_000]).item(), abs=0.3)


def test_a_click_stays_sharp() -> None:
    """Wherever in a hop. A click's spectrum is flat, and which bins are its peaks is rounding: hence on the mean."""
    shares = []
    for at in (1.5 + torch.arange(24) * 0.0007).tolist():
        energy = stretch.pitch_shift(click(at), 700, 700, RATE, seeded())[0].square()
        peak = int(energy.argmax())
        assert abs(peak / RATE - at) < 0.005
        shares.append(float(energy[peak - 80 : peak + 80].sum() / energy.sum()))
    assert sum(shares) / len(shares) > 0.94
    assert min(shares) > 0.85


def test_a_shift_moves_every_note_of_a_chord_and_an_arpeggio_keeps_its_times() -> None:
    chord = sum((tone(hz, n=1, seconds=3) for hz in (261.63, 329.63, 392.0)), torch.zeros(1, 3 * RATE))
    out = stretch.pitch_shift(chord, 200, 200, RATE, seeded())
    shares = [_share_near(out, hz, 10) for hz in (293.66, 369.99, 440.0)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.05)
    notes = torch.cat([tone(hz, n=1) for hz in (220.0, 330.0, 440.0)], dim=1)
    up = stretch.pitch_shift(notes, 300, 300, RATE, seeded())
    for i, hz in enumerate((261.63, 392.44, 523.25)):
        note = up[:, i * RATE + 1000 : (i + 1) * RATE - 1000]
        assert peak_hz(note) == pytest.approx(hz, rel=0.005)


@pytest.mark.parametrize("cents", [-400, 400])
def test_a_sung_note_keeps_its_vibrato_and_its_timbre(cents: int) -> None:
    """Ten partials, vibrato of 17 cents at 5.5 Hz: its spectrogram is that of the note sung higher."""
    t = torch.arange(3 * RATE, dtype=torch.float64) / RATE

    def sung(hz: float) -> Tensor:
        phase = 2 * torch.pi * hz * t + hz * 0.01 / 5.5 * torch.sin(2 * torch.pi * 5.5 * t)
        return sum((torch.sin(k * phase) / k for k in range(1, 11)), torch.zeros(1)).float()[None]

    def spectrogram(x: Tensor) -> Tensor:
        return torch.stft(x, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()[..., 4:-4]

    out, ideal = (
        spectrogram(x)
        for x in (stretch.pitch_shift(sung(220), cents, cents, RATE, seeded()), sung(220 * 2 ** (cents / 1200)))
    )
    assert (out - ideal).norm() / ideal.norm() < 0.07


def test_no_shift_gives_the_sound_back() -> None:
    x = torch.randn(2, 10_000, generator=seeded())
    torch.testing.assert_close(stretch.time_stretch(x, 1, 1, RATE, seeded()), x, atol=1e-4, rtol=0)
    x = tone(440, n=2)
    torch.testing.assert_close(
        stretch.pitch_shift(x, 0, 0, RATE, seeded())[:, 500:-500], x[:, 500:-500], atol=1e-3, rtol=0
    )


def test_nothing_folds_down_from_above_nyquist() -> None:
    out = stretch.pitch_shift(tone(6000, n=1), 700, 700, RATE, seeded())  # would be 8990 Hz
    assert level_db(out[:, 2000:-2000]).item() < -40
    assert level_db(stretch.speed(tone(7000, n=1), 1.2, 1.2, seeded())).item() < -60


def test_the_examples_of_a_batch_are_shifted_by_different_amounts() -> None:
    hz = peak_hz(stretch.pitch_shift(tone(440, n=40), -700, 700, RATE, seeded()))
    cents = 1200 * torch.log2(torch.tensor(hz) / 440)
    assert cents.abs().max() < 702
    assert torch.histogram(cents.double(), torch.linspace(-702, 702, 5).double()).hist.min() >= 4
    assert len(cents.unique()) > 30


def test_a_batch_is_its_examples_one_by_one() -> None:
    x = torch.randn(20, 5000, generator=seeded())
    ratio = torch.linspace(0.7, 1.4, 20)[:, None]
    for i in (0, 7, 19):
        one = slice(i, i + 1)
        for f in (
            lambda x, r: stretch.resample(x, r, 4000),
            lambda x, r: stretch.stretch(x, r, 4000, RATE),
        ):
            torch.testing.assert_close(f(x, ratio)[one], f(x[one], ratio[one]), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("ratio", "hz"), [(1.25, 550.0), (0.8, 352.0)])
def test_speed_moves_pitch_and_tempo(ratio: float, hz: float) -> None:
    x = tone(440, n=2, seconds=3)
    out = stretch.speed(x, ratio, ratio, seeded())
    # 440 Hz fits into the loop, so the series is exact
    torch.testing.assert_close(out, tone(hz, n=2, seconds=3), atol=2e-4, rtol=0)
    assert peak_s(stretch.speed(click(1.5), ratio, ratio, seeded())).item() == pytest.approx(1.5 / ratio, abs=1e-4)


def test_resampling_is_the_sum_of_the_fourier_series() -> None:
    x = torch.randn(3, 101, generator=seeded())
    ratio = torch.tensor([[0.5], [0.93], [1.37]])
    series, k = torch.fft.rfft(x.double()), torch.arange(51)
    for row, r, out in zip(series, ratio[:, 0].double(), stretch.resample(x, ratio, 70), strict=True):
        kept = torch.where(k * r.clamp(min=1) < 50.5, torch.where(k == 0, 1, 2), 0) * row / 101
        expected = [(kept * torch.exp(2j * torch.pi * k * n * r / 101)).sum().real for n in range(70)]
        torch.testing.assert_close(out.double(), torch.stack(expected), atol=5e-5, rtol=0)


@pytest.mark.parametrize("rate", [0.7, 0.9, 1.1, 1.3])
def test_time_stretch_keeps_pitch_and_moves_a_click(rate: float) -> None:
    out = stretch.time_stretch(tone(440, n=2, seconds=3), rate, rate, RATE, seeded())
    assert peak_hz(out) == pytest.approx(440, abs=0.5)
    assert _share_near(out, 440) > 0.99
    at = peak_s(stretch.time_stretch(click(1.5), rate, rate, RATE, seeded())).item()
    assert at == pytest.approx(1.5 / rate, abs=0.02)


def test_a_shift_is_the_same_whoever_is_beside_it_and_on_either_kind_of_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples are grouped by the length that they need; on a GPU all have the longest, which the ends alone hear."""
    notes = torch.cat([tone(hz, n=1, seconds=2) for hz in (220.0, 313.0, 440.0, 555.0, 660.0, 781.0)])
    shifted = stretch.pitch_shift(notes, -700, 700, RATE, seeded())
    cents = 1200 * torch.log2(torch.tensor(peak_hz(shifted)) / torch.tensor(peak_hz(notes)))
    for i, shift in enumerate(cents.tolist()):
        alone = stretch.pitch_shift(notes[i : i + 1], shift, shift, RATE, seeded())
        assert peak_hz(alone)[0] == pytest.approx(peak_hz(shifted)[i], rel=1e-4)
    monkeypatch.setattr(augment, "at_hand", lambda _: False)
    other = stretch.pitch_shift(notes, -700, 700, RATE, seeded())
    middle = slice(4000, -4000)
    assert (other - shifted)[:, middle].norm() / shifted[:, middle].norm() < 0.02
