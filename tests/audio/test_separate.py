"""Separation: tones are harmonic, clicks percussive, nothing is lost, and librosa hears the same."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.audio.separate import SEPARATORS, harmonic_part, separate, separator_for

RATE = 16_000
TIME = np.arange(4 * RATE) / RATE
TONES = (0.2 * sum(np.sin(2 * np.pi * f * TIME) for f in (220, 440, 659))).astype(np.float32)
CLICKS = np.zeros_like(TONES)
CLICKS[RATE // 4 :: RATE // 2] = 0.3


def _int16(x: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(x * 32767).astype(np.int16)


def _energy(x: NDArray[np.int16]) -> float:
    return float(np.square(x.astype(np.float64)).sum())


def test_tones_are_harmonic_and_clicks_percussive() -> None:
    tones, clicks = (separate(_int16(x), RATE, "hpss", "cpu") for x in (TONES, CLICKS))
    assert _energy(tones["harmonic"]) > 50 * _energy(tones["percussive"])
    assert _energy(clicks["percussive"]) > 50 * _energy(clicks["harmonic"])


def test_each_finds_its_own_in_a_mixture() -> None:
    found = separate(_int16(TONES + CLICKS), RATE, "hpss", "cpu")
    assert np.corrcoef(found["harmonic"], TONES)[0, 1] > 0.98
    percussive, at = found["percussive"] / 32767, CLICKS > 0
    assert (percussive[at] > 0.2).all(), "of the 0.3 of a click"
    assert percussive[~at].std() < 0.03, "of the 0.25 of the tones"


def test_the_parts_add_up() -> None:
    mix = _int16(TONES + CLICKS)
    found = separate(mix, RATE, "hpss", "cpu")
    np.testing.assert_array_equal(found["harmonic"].astype(int) + found["percussive"], mix)


def test_librosa_separates_alike() -> None:
    noise = np.random.default_rng(0).normal(size=TONES.shape).astype(np.float32)
    x = TONES + CLICKS + 0.02 * noise
    expected = librosa.effects.hpss(x, kernel_size=31, n_fft=2048, hop_length=512)[0]
    ours = harmonic_part(torch.from_numpy(x)).numpy()
    inside = slice(
        RATE // 2, -RATE // 2
    )  # and at the ends of time and frequency, mirrored with or without the last value
    np.testing.assert_allclose(ours[inside], expected[inside], atol=1e-3)


@pytest.mark.parametrize("length", [0, 1, 700, 3000])
def test_short_tracks_and_silence(length: int) -> None:
    found = separate(np.zeros(length, np.int16), RATE, "hpss", "cpu")
    assert all(len(part) == length and not part.any() for part in found.values())


def test_names_choose_the_separator() -> None:
    assert separator_for(["percussive"]) == "hpss"
    assert separator_for(["drums", "vocals"]) == "demucs"
    assert separator_for(["drums", "harmonic"]) is None


def test_demucs_keeps_length_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights, since there is no network: what goes through is not music, but goes through."""
    pytest.importorskip("demucs", reason="the extra 'separate' is not installed")
    monkeypatch.setattr("benchmark.audio.separate.DEMUCS_MODEL", "demucs_unittest")
    found = separate(_int16(TONES[:20_001]), RATE, "demucs", "cpu")
    assert found.keys() == set(SEPARATORS["demucs"])
    assert all(part.shape == (20_001,) and part.dtype == np.int16 for part in found.values())
