"""PESTO on tones of known pitch: what 40 steps teach it, how its views are made, how its losses are weighed."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
from tones import RATE, batch, tones
from torch import Generator, Tensor

from benchmark.encoders.cqt_cnn import CQTCNN
from benchmark.modules import Batch
from strategies.pesto import PESTO, PESTOConfig, sounding

STEPS, BATCH, RATE_OF_LEARNING = 40, 16, 3e-3


def built() -> PESTO:
    torch.manual_seed(0)
    return PESTO(CQTCNN(), PESTOConfig(frames=1))


@functools.cache
def trained() -> PESTO:
    """Sawtooths of half a second between MIDI 40 and 86, at no pitch of a scale."""
    strategy, generator = built(), Generator().manual_seed(1)
    pool = tones(40 + 46 * torch.rand(64, generator=generator), 0.5, generator)
    optimizer = torch.optim.AdamW(strategy.parameters(), lr=RATE_OF_LEARNING)
    for step in range(STEPS):
        heard = batch(pool[torch.randint(64, (BATCH,), generator=generator)][:, None])
        optimizer.zero_grad()
        strategy.loss(strategy.embed(strategy.views(heard, generator)))["loss"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(strategy.parameters(), 1.0)
        optimizer.step()
        strategy.after_step(step + 1, STEPS)
    return strategy


@torch.no_grad()
def read(strategy: PESTO, sound: Tensor) -> Tensor:
    """The likeliest output in semitones, from the middle of each of (N, T); up to a constant, the pitch."""
    strategy = copy.deepcopy(strategy).eval()
    features = strategy.encoder.features(sound)[:, strategy.reach : -strategy.reach]
    maps = strategy.encoder.pitch_maps(features)[..., features.shape[2] // 2]
    return strategy.pitches(maps).argmax(dim=1) / 3


def accuracy(strategy: PESTO, partials: int) -> float:
    """Share of 100 unheard tones within 50 cents of their pitch, once the median offset is taken off."""
    generator = Generator().manual_seed(5)
    pitch = 45 + 36 * torch.rand(100, generator=generator)
    error = read(strategy, tones(pitch, 0.5, generator, partials)) - pitch
    return ((error - error.median()).abs() < 0.5).float().mean().item()


def test_forty_steps_teach_relative_pitch() -> None:
    assert accuracy(built(), 30) < 0.4
    assert accuracy(trained(), 30) >= 0.9


@pytest.mark.parametrize("partials", [1, 30])
def test_k_semitones_are_three_k_bins(partials: int) -> None:
    """Rendered anew at each pitch, from two octaves below A4 to a minor sixth above; within a bin."""
    semitones = torch.arange(-24, 9, 4)
    heard = tones(69.0 + semitones, 0.5, Generator().manual_seed(2), partials)
    bins = 3 * read(trained(), heard)
    assert (bins - bins[semitones == 0] - 3 * semitones).abs().max() <= 1


def test_the_third_view_is_the_first_one_transposed() -> None:
    strategy = PESTO(CQTCNN(), PESTOConfig(frames=5, distorted=0))
    heard = batch(0.1 * torch.randn(6, 1, 2 * RATE, generator=Generator().manual_seed(0)))
    views = strategy.views(heard, Generator().manual_seed(1))
    steps = views["steps"].tolist()
    assert views["plain"].shape == (6, 296 - 2 * 16, 5)
    assert len(set(steps)) > 2
    assert max(map(abs, steps)) <= 16
    assert torch.equal(views["plain"], views["distorted"])
    for plain, shifted, k in zip(views["plain"], views["shifted"], steps, strict=True):
        inside = slice(16, -16)
        assert torch.equal(shifted.roll(-k, 0)[inside], plain[inside])


def test_a_share_of_the_views_is_distorted() -> None:
    strategy = PESTO(CQTCNN(), PESTOConfig(frames=2))
    heard = batch(0.1 * torch.randn(1, 1, 4000, generator=Generator().manual_seed(0)).expand(400, 1, 4000))
    views = strategy.views(heard, Generator().manual_seed(1))
    change = (views["distorted"] - views["plain"]).flatten(1).abs().amax(dim=1)
    assert (change > 0).float().mean().item() == pytest.approx(1 - 0.7**2, abs=0.08)


def test_a_silent_stem_is_heard_by_nobody() -> None:
    crops = torch.arange(5.0)[:, None, None].expand(5, 1, 8)
    active = torch.tensor([False, True, False, True, False])
    heard = sounding(Batch(crops, active, torch.zeros(5, 0)))
    assert heard[:, 0, 0].tolist() == [1, 3, 1, 3, 1]
    assert torch.equal(sounding(batch(crops)), crops)


def test_the_louder_a_gradient_the_lighter_its_loss() -> None:
    """1 minus its share of the gradient norms at the last layer, which move by a thousandth per step."""
    strategy, generator = built(), Generator().manual_seed(3)
    views = strategy.views(batch(tones(torch.linspace(50, 70, 8), 0.5, generator)[:, None]), generator)
    losses = strategy.loss(strategy.embed(views))
    parts = [losses[name] for name in ("invariance", "shift", "equivariance")]
    assert losses["loss"].item() == pytest.approx(sum(w * x.item() for w, x in zip((0.5, 1, 0.5), parts, strict=True)))
    norms = [torch.autograd.grad(x, strategy.toeplitz.weight, retain_graph=True)[0].norm().item() for x in parts]
    strategy.after_step(1, 10)
    expected = [0.999 * old + 0.001 * new for old, new in zip((1, 0, 1), norms, strict=True)]
    assert strategy.gradients.tolist() == pytest.approx(expected, rel=1e-4)
    again = strategy.loss(strategy.embed(views))
    weights = [1 - x / sum(expected) for x in expected]
    parts = [again[name].item() for name in ("invariance", "shift", "equivariance")]
    assert again["loss"].item() == pytest.approx(sum(w * x for w, x in zip(weights, parts, strict=True)), rel=1e-4)


def test_the_released_network_hears_the_same_pitch() -> None:
    """`pesto-pitch` beside ours, on the same tones: within one of its bins of the truth, and of ours but an offset."""
    released = pytest.importorskip("pesto", reason="pesto-pitch is not installed")
    generator = Generator().manual_seed(6)
    pitch = 48 + 30 * torch.rand(60, generator=generator)
    sound = tones(pitch, 1.0, generator)
    theirs = released.load_model("mir-1k_g7", step_size=40.0, sampling_rate=RATE)
    with torch.no_grad():
        heard = torch.stack([theirs(x, sr=RATE, return_activations=False)[0][12] for x in sound])
    assert ((heard - pitch).abs() < 0.34).float().mean() >= 0.95
    apart = read(trained(), sound) - heard
    assert ((apart - apart.median()).abs() < 0.5).float().mean() >= 0.9
