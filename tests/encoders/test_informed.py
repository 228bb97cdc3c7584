"""Informed features measure what they are named after: clicks of known tempo, cadences of known key, known decays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.encoders.informed import CONTEXT, TEMPI, Informed, key_profiles

RATE = 16_000
KEYS, TEMPO = slice(12, 36), slice(36, 36 + len(TEMPI))
ONSET = 12 + 24 + len(TEMPI) + 9 + CONTEXT


def heard(x: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return Informed().eval()(torch.from_numpy(x.astype(np.float32))[None])[0]


def clicks(bpm: float, seconds: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    x, times = 0.001 * np.random.default_rng(0).standard_normal(int(seconds * RATE)), np.arange(0.3, seconds, 60 / bpm)
    for at in (times * RATE).astype(int):
        n = min(800, len(x) - at)
        x[at : at + n] += np.sin(2 * np.pi * 1500 * np.arange(n) / RATE) * np.exp(-np.arange(n) / 200)
    return x, times


@pytest.mark.parametrize("bpm", [70.0, 97.0, 120.0, 151.0])
def test_the_tempogram_of_clicks_peaks_at_their_tempo(bpm: float) -> None:
    row = heard(clicks(bpm)[0])[0, TEMPO].numpy()
    usual = np.array(TEMPI) > bpm * 0.7  # half the tempo is a period, too
    assert TEMPI[int(np.argmax(np.where(usual, row, -1)))] == pytest.approx(bpm, rel=0.03)


def test_onset_strength_peaks_where_clicks_are() -> None:
    """Within a frame of 40 ms, and nowhere else."""
    x, times = clicks(100.0)
    frames = heard(x)
    strength = frames[:, ONSET].numpy()
    assert np.abs(np.flatnonzero(strength > 0.5 * strength.max())[:, None] / 25 - times).min(axis=1).max() <= 0.041
    peaks = np.flatnonzero(frames[:, ONSET + CONTEXT + 2].numpy() > 0.5 * strength.max()) / 25
    assert len(peaks) == len(times)
    assert np.abs(peaks - times).max() <= 0.041


@pytest.mark.parametrize(("tonic", "minor"), [(0, False), (7, False), (3, False), (9, True), (2, True)])
def test_a_cadence_correlates_most_with_its_key(tonic: int, minor: bool) -> None:
    third = 3 if minor else 4
    chords = [(0, third, 7), (5, 8 if minor else 9, 12), (7, 11, 14), (0, third, 7)]
    t = np.arange(2 * RATE) / RATE
    tones = [
        sum(np.sin(2 * np.pi * h * 261.63 * 2 ** ((tonic + note) / 12) * t) / h for note in chord for h in (1, 2, 3))
        for chord in chords
    ]
    row = heard(0.05 * np.concatenate(tones))[0, KEYS]
    assert int(row.argmax()) == tonic + 12 * minor
    assert float(row.max()) > 0.6


def test_profiles_are_transpositions() -> None:
    rows = key_profiles()
    assert torch.allclose(rows[5], rows[0].roll(5))
    assert torch.allclose(rows.norm(dim=1), torch.ones(24))
    assert rows[0].argmax() == 0
    assert rows[12 + 9].argmax() == 9


def test_the_envelope_tells_a_decay_from_a_steady_tone() -> None:
    t = np.arange(4 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 440 * t)
    envelope = slice(36 + len(TEMPI), 36 + len(TEMPI) + 9)
    steady, plucked = (heard(x)[0, envelope] for x in (tone, tone * np.exp(-2 * (t % 1.0) * 3)))
    assert steady[3] > -0.1  # the median is the loudest
    assert plucked[3] < -1.5  # 26 dB per second: half of the frames are 13 dB down
    assert plucked[-2] < 3 * steady[-2].clamp(max=-0.01)
