"""Augmentations do to sound what they say, each example with its own draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.audio import augment

RATE = 16_000


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _tone(hz: float, n: int = 16, seconds: float = 1.0) -> torch.Tensor:
    t = torch.arange(int(RATE * seconds)) / RATE
    return torch.sin(2 * torch.pi * hz * t).repeat(n, 1)


def _level_db(x: torch.Tensor) -> torch.Tensor:
    return 10 * torch.log10(x.square().mean(dim=1))


def test_gain_stays_in_its_range_and_differs_by_example() -> None:
    x = _tone(440)
    change = _level_db(augment.gain(x, -6, 6, _generator())) - _level_db(x)
    assert change.abs().max() <= 6.0001
    assert change.std() > 1


def test_noise_lands_at_its_snr() -> None:
    x = _tone(440, seconds=3)
    for snr in (0.0, 20.0):
        added = augment.noise(x, 1.0, snr, snr, _generator()) - x
        assert (_level_db(x) - _level_db(added) - snr).abs().max() < 0.5
    assert torch.equal(augment.noise(x, 0.0, 0, 0, _generator()), x)


def test_polarity_inverts_some() -> None:
    x = _tone(440, n=64)
    sign = (augment.polarity(x, 0.5, _generator()) * x).sum(dim=1).sign()
    assert 16 < (sign < 0).sum() < 48


def test_filters_attenuate_what_they_should() -> None:
    middle = augment.pass_filter(_tone(1600, n=64), 1.0, RATE, _generator())
    low = augment.pass_filter(_tone(50, n=64), 1.0, RATE, _generator())
    high = augment.pass_filter(_tone(7500, n=64), 1.0, RATE, _generator())
    loss_low, loss_high = (_level_db(_tone(1, 1)) - _level_db(x) for x in (low, high))
    high_pass = loss_low > 10  # 50 Hz is two octaves or more below every high-pass cutoff
    assert 16 < high_pass.sum() < 48
    assert (loss_high[~high_pass] > 10).all()
    assert loss_high[high_pass].abs().max() < 1
    assert (_level_db(_tone(1, 1)) - _level_db(middle)).max() < 9


def test_pitch_shift_finds_its_tone() -> None:
    x = augment.pitch_shift(_tone(440, n=1), 300, 300, _generator())[0, : RATE // 2]
    spectrum = np.abs(np.fft.rfft(x.numpy() * np.hanning(len(x)), 16 * len(x)))
    assert spectrum.argmax() * RATE / (16 * len(x)) == pytest.approx(523.25, abs=1)


def test_masks_hide_one_span_of_one_axis() -> None:
    features = torch.randn(32, 64, 150, generator=_generator())
    for axis, other in ((1, 2), (2, 1)):
        changed = augment.mask_bands(features, axis, 0.3, _generator()) != features
        lines = changed.all(dim=other)
        assert torch.equal(lines, changed.any(dim=other)), "a mask spans the other axis"
        assert lines.sum(dim=1).max() <= 0.3 * features.shape[axis] + 1
        assert len(lines.sum(dim=1).unique()) > 5
        assert (lines.int().diff(dim=1).abs().sum(dim=1) <= 2).all()
