"""All that we use of torchaudio, against NumPy and SciPy: its last release is 2.11, and torch goes on.

transforms.MelSpectrogram      conv_mel, efficientnet_b0, resnet, vit
transforms.MFCC                mfcc_chroma
functional.melscale_fbanks     cnn_small
functional.resample            sample_cnn
datasets.gtzan                 the fault-filtered lists (tests/corpora/datasets/test_gtzan.py)
"""

from __future__ import annotations

import ast
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from numpy.typing import NDArray
from scipy.fft import dct
from torch import nn

from benchmark.encoders.cnn_small import LogMel
from benchmark.encoders.conv_mel import ConvMel
from benchmark.encoders.efficientnet_b0 import EfficientNetB0
from benchmark.encoders.mfcc_chroma import MFCCChroma
from benchmark.encoders.resnet import ResNet
from benchmark.encoders.sample_cnn import SampleCNN
from benchmark.encoders.vit import ViT

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
USED = {
    "functional.melscale_fbanks",
    "functional.resample",
    "transforms.MFCC",
    "transforms.MelSpectrogram",
    "datasets.gtzan",
}


def sound(samples: int = RATE) -> Array:
    """A glide over three octaves and noise, 60 dB below at the end as at the beginning."""
    t = np.arange(samples) / RATE
    glide = np.sin(2 * np.pi * 440 * np.cumsum(2 ** (3 * t / t[-1])) / RATE)
    noise = np.random.default_rng(0).normal(size=samples)
    return np.float64(np.float32((0.3 * glide + 0.03 * noise) * 10 ** (-3 * t / t[-1])))


def mel(f: Array, htk: bool) -> Array:
    """O'Shaughnessy's scale, as HTK has it; or Slaney's: 200/3 Hz a mel up to 1 kHz, then 27 mels per factor of 6.4."""
    if htk:
        return 2595 * np.log10(1 + f / 700)
    return np.where(f < 1000, 3 * f / 200, 15 + 27 * np.log(np.maximum(f, 1000) / 1000) / math.log(6.4))


def bank(n_fft: int, low: float, high: float, bands: int, htk: bool, unit_area: bool) -> Array:
    """(bands, bins) triangles in Hz between frequencies evenly spaced in mel, found by interpolation, not inversion."""
    fine = np.linspace(0, RATE / 2, 800_001)
    edges = np.interp(np.linspace(*mel(np.array([low, high]), htk), bands + 2), mel(fine, htk), fine)
    f = np.arange(n_fft // 2 + 1) * RATE / n_fft
    triangles = np.array([np.interp(f, edges[i : i + 3], [0, 1, 0], 0, 0) for i in range(bands)])
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None] if unit_area else triangles


def magnitudes(x: Array, n_fft: int, window: int, hop: int) -> Array:
    """(bins, frames) of a periodic Hann window in the middle of `n_fft` samples, the ends mirrored."""
    padded = np.pad(x, n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    hann = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window), (n_fft - window) // 2)
    return np.abs(np.fft.rfft(frames * hann)).T


def front_end(encoder: type[nn.Module]) -> tuple[nn.Module, Array]:
    """What an encoder takes of torchaudio, and what it should hear."""
    slaney, htk = partial(bank, htk=False, unit_area=True), partial(bank, htk=True, unit_area=False)
    of = partial(magnitudes, sound())
    heard: dict[type[nn.Module], Array] = {
        ConvMel: slaney(512, 0, 8000, 96) @ of(512, 512, 256) ** 2,
        EfficientNetB0: htk(1024, 60, 7800, 64) @ of(1024, 400, 160),
        ResNet: slaney(1024, 0, 8000, 128) @ of(1024, 1024, 512) ** 2 / (1024 * 3 / 8),  # the window's power
        ViT: htk(1024, 50, 8000, 80) @ of(1024, 400, 160) ** 2,
    }
    return encoder().mel, heard[encoder]


@pytest.mark.parametrize("encoder", [ConvMel, EfficientNetB0, ResNet, ViT])
def test_mel_spectrograms(encoder: type[nn.Module]) -> None:
    ours, expected = front_end(encoder)
    found = ours(torch.tensor(sound()).float())
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6 * expected.max())


def test_mel_filter_bank() -> None:
    expected = bank(1024, 60, 8000, 64, htk=False, unit_area=True)
    np.testing.assert_allclose(LogMel().bank[::2].T, expected, atol=2e-4 * expected.max())


def test_mfcc() -> None:
    """HTK's scale, no area norm; decibels of power at most 80 below the loudest; orthonormal DCT-II."""
    power = bank(1024, 60, 8000, 64, htk=True, unit_area=False) @ magnitudes(sound(), 1024, 1024, 640) ** 2
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    expected = dct(np.maximum(decibels, decibels.max() - 80), axis=0, norm="ortho")[:20]
    np.testing.assert_allclose(MFCCChroma().mfcc(torch.tensor(sound()).float()[None])[0], expected, atol=0.1)
    assert np.abs(expected).max() > 100


def test_resampling() -> None:
    """Sample m of 22.05 kHz is the sum of all samples n under a sinc at m / 22,050 s, Hann-windowed to six zeros."""
    x, old, new = sound(1600), RATE, 22_050
    cutoff = 0.99 * min(old, new)
    t = cutoff * (np.arange(len(x)) / old - np.arange(math.ceil(len(x) * new / old))[:, None] / new)
    window = np.where(np.abs(t) < 6, np.cos(np.pi * t / 12) ** 2, 0.0)
    expected = (np.sinc(t) * window * cutoff / old) @ x
    found = SampleCNN().features(torch.tensor(x).float()[None])[0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_nothing_else_is_used() -> None:
    """A name that is not held here would break unnoticed."""
    used = set()
    for path in (path for room in ("benchmark", "strategies", "tasks") for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("torchaudio."):
                used.add(ast.unparse(node).removeprefix("torchaudio."))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torchaudio."):
                module = str(node.module).removeprefix("torchaudio.")
                used |= {f"{module}.{alias.name}" for alias in node.names}
    modules = {name.rpartition(".")[0] for name in USED}
    assert used - modules == USED
    for name in USED - {"datasets.gtzan"}:
        module, _, function = name.partition(".")
        assert callable(getattr(getattr(torchaudio, module), function))
