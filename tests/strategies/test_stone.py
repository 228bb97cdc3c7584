"""STONE on music of known key: chords that are transposed, what 25 steps teach it, how its views and modes are made."""

from __future__ import annotations

import copy
import functools
import math

import pytest
import torch
from tones import RATE, batch, music, tones
from torch import Generator, Tensor

from benchmark.encoders.constant_q import ConstantQ
from benchmark.encoders.cqt_cnn import CQTCNN
from benchmark.testing import check_strategy
from strategies.equivariance import key_coefficient
from strategies.stone import STONE, STONEConfig
from strategies.transposition import chroma

STEPS, BATCH, RATE_OF_LEARNING = 25, 16, 3e-3


def built() -> STONE:
    torch.manual_seed(0)
    return STONE(CQTCNN(), STONEConfig(seconds=0.3))


@functools.cache
def trained() -> STONE:
    """Two crops each of 96 pieces in random major keys."""
    strategy, generator = built(), Generator().manual_seed(1)
    tonic = torch.randint(12, (96,), generator=generator)
    pool = torch.stack([music(tonic, 0.3, generator) for _ in range(2)], dim=1)
    optimizer = torch.optim.AdamW(strategy.parameters(), lr=RATE_OF_LEARNING)
    for _ in range(STEPS):
        heard = batch(pool[torch.randint(96, (BATCH,), generator=generator)])
        optimizer.zero_grad()
        strategy.loss(strategy.embed(strategy.views(heard, generator)))["loss"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(strategy.parameters(), 1.0)
        optimizer.step()
    return strategy


@torch.no_grad()
def profiles(strategy: STONE, sound: Tensor) -> Tensor:
    """(N, T) to key signature profiles (N, 12), from the lowest bin on."""
    strategy = copy.deepcopy(strategy).eval()
    logits = strategy.head(strategy.encoder.pitch_maps(strategy.encoder.features(sound)[:, : strategy.height]))
    return logits.flatten(1).softmax(dim=1).view_as(logits).sum(dim=1)


def accuracy(strategy: STONE) -> float:
    """Share of 60 unheard pieces, of 24 notes each, whose peak is as far from their tonic as most pieces' is."""
    tonic = torch.arange(60) % 12
    heard = music(tonic, 0.4, Generator().manual_seed(9), notes=24)
    offset = (profiles(strategy, heard).argmax(dim=1) - tonic) % 12
    return torch.bincount(offset).max().item() / 60


def test_a_few_steps_teach_the_key_signature() -> None:
    assert accuracy(built()) < 0.4
    assert accuracy(trained()) >= 0.8


@pytest.mark.parametrize("semitones", [1, 2, 5, 7, 11])
def test_transposed_chords_turn_by_seven_twelfths(semitones: int) -> None:
    """I IV V I, rendered anew: the coefficient of their chroma turns by 2 pi 7 k / 12, within two degrees."""
    chords = torch.tensor([[60, 64, 67], [65, 69, 72], [67, 71, 74], [60, 64, 67]])
    coefficients = []
    for k in (0, semitones):
        voices = tones((chords + k).flatten().float(), 0.5, Generator().manual_seed(0), partials=6)
        sequence = torch.unflatten(voices, 0, chords.shape).sum(dim=1).flatten()
        energy = torch.exp(3.5 * ConstantQ()(sequence[None])[:, :252])
        coefficients.append(key_coefficient(chroma(energy, 3), 7)[0])
    turned = coefficients[1] / coefficients[0] * torch.exp(torch.tensor(-2j * math.pi * 7 * semitones / 12))
    assert abs(torch.angle(turned).item()) < math.radians(2)


def test_transposed_music_turns_the_learned_profile() -> None:
    """Higher by k, from features cut 3 k bins lower: the median piece within 15 degrees of 2 pi 7 k / 12."""
    strategy = copy.deepcopy(trained()).eval()
    features = strategy.encoder.features(music(torch.arange(24) % 12, 0.6, Generator().manual_seed(4)))
    with torch.no_grad():
        z = []
        for first in (36, 24, 9):
            logits = strategy.head(strategy.encoder.pitch_maps(features[:, first : first + strategy.height]))
            z.append(key_coefficient(logits[:, 0].softmax(dim=1), 7))
    for moved, k in ((z[1], 4), (z[2], 9)):
        turned = moved / z[0] * torch.exp(torch.tensor(-2j * math.pi * 7 * k / 12))
        assert torch.angle(turned).abs().median().item() < math.radians(15)


def test_the_third_view_is_the_first_one_transposed() -> None:
    strategy = STONE(CQTCNN(), STONEConfig(mode=True))
    heard = batch(0.1 * torch.randn(40, 2, RATE, generator=Generator().manual_seed(0)))
    views = strategy.views(heard, Generator().manual_seed(1))
    assert all(views[name].shape == (40, 7 * 36, 26) for name in ("a", "b", "transposed"))
    steps = views["steps"].tolist()
    assert 0 not in steps
    assert 5 < max(map(abs, steps)) <= 11
    for a, transposed, k in zip(views["a"], views["transposed"], steps, strict=True):
        inside = slice(max(0, 3 * k), 252 + min(0, 3 * k))
        assert torch.equal(a.roll(3 * k, 0)[inside], transposed[inside])
    expected = (views["a"] + views["b"]).mean(dim=2).view(40, 7, 12, 3).mean(dim=(1, 3)) / 2
    torch.testing.assert_close(views["chroma"], expected)


def test_modes_keep_the_contract() -> None:
    check_strategy(STONE, config=STONEConfig(mode=True))


def test_modes_follow_the_louder_tonic() -> None:
    """Logits that say the mode which the chroma says have a lower loss than the other mode's."""
    strategy = STONE(CQTCNN(), STONEConfig(mode=True))
    energy = torch.zeros(4, 12)
    energy[:, 4], energy[2:, 7] = 0.5, 1
    losses = []
    for first in (0, 1):
        logits = torch.zeros(4, 2, 12)
        logits[:2, first, 4], logits[2:, 1 - first, 4] = 6, 6
        views = dict.fromkeys(("a", "b", "transposed"), logits)
        losses.append(strategy.loss({**views, "steps": torch.full((4,), 12), "chroma": energy}))
    assert losses[0]["mode"] < 1 < losses[1]["mode"]
    assert losses[0]["balance"].item() == pytest.approx(0, abs=1e-6)
    parts = losses[0]["invariance"] + losses[0]["equivariance"] + 1.5 * losses[0]["mode"] + 20 * losses[0]["balance"]
    torch.testing.assert_close(losses[0]["loss"], parts)
