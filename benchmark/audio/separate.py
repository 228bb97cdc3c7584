"""Stems of audio that comes without: a mixture, taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

#: what each separator finds; `hpss` needs no weights, `demucs` fetches its own on first use (an extra)
SEPARATORS = {"hpss": ("harmonic", "percussive"), "demucs": ("vocals", "drums", "bass", "other")}
DEMUCS_MODEL = "hf://htdemucs"  # of its models the one that is loaded from safetensors, never by unpickling
N_FFT, HOP, WIDTH = 2048, 512, 31


def separator_for(stems: Iterable[str]) -> str | None:
    """The separator that finds all `stems`, if there is one."""
    return next((name for name, found in SEPARATORS.items() if set(stems) <= set(found)), None)


def separator_version(name: str) -> str:
    """Of what a separator's output follows from; empty if it is not installed."""
    if name != "demucs":
        return "1"
    try:
        return f"{version('demucs')} {DEMUCS_MODEL}"
    except PackageNotFoundError:
        return ""


def separate(mix: NDArray[np.int16], rate: int, name: str, device: str) -> dict[str, NDArray[np.int16]]:
    """Stems of one track, each as long as the mixture, by name.

    Args:
        mix: (T,) samples at `rate`.
        name: `hpss`: they add up to the mixture; `demucs`: almost.
    """
    if not len(mix):
        return dict.fromkeys(SEPARATORS[name], mix)
    x = torch.from_numpy(mix / np.float32(32768)).to(device)
    if name == "demucs":
        return {stem: _int16(part) for stem, part in _demucs(x, rate, device).items()}
    harmonic = _int16(harmonic_part(x).cpu().numpy())
    return {"harmonic": harmonic, "percussive": (mix.astype(np.int32) - harmonic).clip(-32768, 32767).astype(np.int16)}


def harmonic_part(x: Tensor) -> Tensor:
    """What lasts: (T,) to (T,); what remains is percussive.

    Source: Fitzgerald 2010 (medians of the magnitudes along time and along frequency, Wiener masks of exponent 2).
    """
    window = torch.hann_window(N_FFT, device=x.device)
    spectrum = torch.stft(x, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    magnitude = spectrum.abs()
    lasting, struck = _median(magnitude).square(), _median(magnitude.T).T.square()
    total = lasting + struck
    mask = torch.where(total > 0, lasting / total, 0.5)
    return torch.istft(spectrum * mask, N_FFT, HOP, window=window, length=len(x))


def _median(rows: Tensor, block: int = 2_000_000) -> Tensor:
    """Running median of WIDTH values along each row, mirrored at the ends; in blocks of rows, to bound memory."""
    half = WIDTH // 2
    padded = F.pad(rows[None], (half, half), mode="reflect" if rows.shape[1] > half else "replicate")[0]
    parts = torch.split(padded, max(1, block // rows.shape[1]))
    return torch.cat([part.unfold(1, WIDTH, 1).median(dim=2).values for part in parts])


@lru_cache(maxsize=1)
def _demucs_model(device: str) -> Any:
    from demucs.api import Separator

    return Separator(DEMUCS_MODEL, device=device, shifts=0)  # no random shift: the same stems every time


def _demucs(x: Tensor, rate: int, device: str) -> dict[str, NDArray[np.float32]]:
    model = _demucs_model(device)
    _, stems = model.separate_tensor(x[None].expand(2, -1).clone(), rate)
    back = {stem: soxr.resample(part.mean(dim=0).cpu().numpy(), model.samplerate, rate) for stem, part in stems.items()}
    return {stem: np.pad(part, (0, max(0, len(x) - len(part))))[: len(x)] for stem, part in back.items()}


def _int16(x: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.round(x * 32768), -32768, 32767).astype(np.int16)
