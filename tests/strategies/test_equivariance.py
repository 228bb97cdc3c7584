"""Equivariant pretext tasks on known answers: what transposition does to them, and that collapse is no solution."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from strategies.equivariance import (
    agreement,
    aligned,
    cross_power,
    key_coefficient,
    mode_balance,
    mode_labels,
    pitch_ratio,
)
from strategies.transposition import Circulant, Toeplitz, bins_from, chroma

REACH, OCTAVE = 16, 36
STEPS = torch.arange(-REACH, REACH + 1)
#: a major scale's notes, by how often they sound
SCALE = torch.tensor([1.0, 0, 0.6, 0, 0.8, 0.5, 0, 0.9, 0, 0.6, 0, 0.3])


def one_hot(at: Tensor, bins: int = 384) -> Tensor:
    return F.one_hot(at, bins).float()


def pesto(a: Tensor, b: Tensor, steps: Tensor) -> Tensor:
    """PESTO's three losses, with equal weights; `a` is also the undistorted view."""
    x, y = aligned(a, b, steps, REACH)
    shift = (agreement(x, y) + agreement(y, x)) / 2
    return agreement(a, a) + shift + pitch_ratio(a, b, steps, OCTAVE, 2 ** (1 / 6) - 1)


def stone(a: Tensor, b: Tensor, transposed: Tensor, steps: Tensor) -> float:
    pairs = ((a, b, 0 * steps), (a, transposed, steps), (b, transposed, steps))
    return sum(cross_power(x, y, k, 7).item() for x, y, k in pairs)


def test_shifted_outputs_have_the_ratio_of_their_frequencies() -> None:
    pitch = torch.full_like(STEPS, 200)
    assert pitch_ratio(one_hot(pitch), one_hot(pitch + STEPS), STEPS, OCTAVE, 0.1).item() < 1e-10
    octave = torch.full((1,), 12)
    up = pitch_ratio(one_hot(pitch[:1]), one_hot(pitch[:1] + 24), octave, OCTAVE, 0.1).item()
    ratio = 2 ** (24 / 36), 2 ** (12 / 36)
    errors = ratio[0] - ratio[1], 1 / ratio[1] - 1 / ratio[0]
    assert up == pytest.approx(sum(0.1 * (error - 0.05) for error in errors) / 2, rel=1e-5)


def test_alignment_undoes_the_shift() -> None:
    pitch = torch.full_like(STEPS, 200)
    a, b = aligned(one_hot(pitch), one_hot(pitch + STEPS), STEPS, REACH)
    assert torch.equal(a, b)
    assert a.shape == (len(STEPS), 384 + 2 * REACH)


def test_pesto_prefers_what_follows_the_pitch() -> None:
    """To any constant output, peaked or flat, and to one that follows it the wrong way."""
    pitch = torch.full_like(STEPS, 200)
    follows = pesto(one_hot(pitch), one_hot(pitch + STEPS), STEPS).item()
    peaked = pesto(one_hot(pitch), one_hot(pitch), STEPS).item()
    flat = pesto(torch.full((33, 384), 1 / 384), torch.full((33, 384), 1 / 384), STEPS).item()
    wrong = pesto(one_hot(pitch), one_hot(pitch - STEPS), STEPS).item()
    assert follows < min(peaked, flat, wrong) - 0.5


def test_stone_prefers_what_follows_the_key() -> None:
    """0 where the profile follows; 3 where it is flat; above where it is constant, or follows the wrong way."""
    steps = torch.tensor([k for k in range(-11, 12) if k])
    key = torch.full_like(steps, 5)
    profile, moved, back = (one_hot(k % 12, 12) for k in (key, key + steps, key - steps))
    assert stone(profile, profile, moved, steps) == pytest.approx(0, abs=1e-6)
    assert stone(*(torch.full((22, 12), 1 / 12),) * 3, steps) == pytest.approx(3, abs=1e-5)
    # the mean of |1 - e^(i phi)|^2 over the 11 steps of a circle, twice
    assert stone(profile, profile, profile, steps) == pytest.approx(2 * 24 / 11, abs=1e-5)
    assert stone(profile, profile, back, steps) > 3.5


@pytest.mark.parametrize(("turns", "neighbor"), [(7, 7), (1, 1)])
def test_transposition_turns_the_key_coefficient(turns: int, neighbor: int) -> None:
    """By 2 pi turns k / 12: on the circle of fifths a fifth is the smallest angle, 30 degrees."""
    z = key_coefficient(torch.stack([SCALE.roll(k) for k in range(12)]), turns)
    for k in range(12):
        expected = z[0] * complex(math.cos(2 * math.pi * turns * k / 12), math.sin(2 * math.pi * turns * k / 12))
        assert abs(z[k] - expected) < 1e-5
    angle = torch.angle(z[neighbor] / z[0])
    assert angle.abs().item() == pytest.approx(math.pi / 6, abs=1e-5)


def test_a_scale_is_short_on_the_semitones_and_long_on_the_fifths() -> None:
    """Why STONE compares on the circle of fifths: there the notes of a key lie side by side."""
    profile = (SCALE / SCALE.sum())[None]
    assert key_coefficient(profile, 7).abs().item() > 0.6 > 0.2 > key_coefficient(profile, 1).abs().item()


def test_the_louder_tonic_is_the_mode() -> None:
    profile = one_hot(torch.tensor([9, 9, 11]), 12)
    energy = 0.5 * profile
    energy[0, 0], energy[1, 0], energy[2, 2] = 0.4, 1, 1
    assert mode_labels(profile, energy).tolist() == [1.0, 0.0, 0.0]
    assert not mode_labels(profile.requires_grad_(), energy).requires_grad


def test_modes_are_balanced_over_the_batch_alone() -> None:
    assert mode_balance(torch.tensor([1.0, 0.0, 0.9, 0.1])).item() == pytest.approx(0)
    assert mode_balance(torch.ones(4)).item() == pytest.approx(0.25)


def test_toeplitz_moves_with_its_input() -> None:
    """A pattern anywhere in the input is the same output, moved; and it is a convolution over all there is."""
    torch.manual_seed(0)
    layer = Toeplitz(2, 264, 384)
    x = torch.zeros(2, 264)
    x[:, 100:140] = torch.randn(2, 40)
    for k in (-100, -16, 1, 36, 124):
        torch.testing.assert_close(layer(x.roll(k, 1))[150:234], layer(x).roll(k)[150:234])
        inside = slice(max(0, k), 384 + min(0, k))
        torch.testing.assert_close(layer(x.roll(k, 1))[inside], layer(x).roll(k)[inside])
    convolved = F.conv1d(F.pad(x, (383, 383))[None], layer.weight.flip(1)[None])
    torch.testing.assert_close(layer(x), convolved[0, 0])


def test_circulant_turns_with_its_input() -> None:
    torch.manual_seed(0)
    layer, x = Circulant(2, 3), torch.randn(4, 2, 12)
    for k in range(12):
        torch.testing.assert_close(layer(x.roll(k, 2)), layer(x).roll(k, 2))


def test_lower_bins_are_a_higher_sound() -> None:
    features = torch.arange(20.0)[None, :, None].expand(2, 20, 3)
    cut = bins_from(features, torch.tensor([4, 1]), 10)
    assert cut.shape == (2, 10, 3)
    assert torch.equal(cut[0, :, 0], torch.arange(4.0, 14))
    assert torch.equal(cut[1, 3:, 2], cut[0, :-3, 2])


def test_chroma_gathers_octaves() -> None:
    """A tone in one bin is 1 / (7 octaves * 3 bins) of its pitch class, whatever the octave."""
    maps = torch.zeros(1, 252, 4)
    maps[0, 3 * (5 + 12 * 4) + 1] = 1
    expected = torch.zeros(12)
    expected[5] = 1 / 21
    torch.testing.assert_close(chroma(maps, 3)[0], expected)
