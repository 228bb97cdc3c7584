"""Files of a tiny data set: text as it is distributed, and short sounds in any format."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile


def written(path: Path, text: str = "") -> Path:
    """A file; without text it stands for audio that no index may open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def tone(path: Path, hertz: float, seconds: float, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), rate)


def music(
    path: Path,
    hertz: float | Sequence[float],
    seconds: float = 1.2,
    rate: int = 22_050,
    beats: Iterable[float] = (),
    overtones: int = 2,
    channels: int = 1,
) -> Path:
    """A tone, a click on every beat, and noise of this file's own, in the format of its suffix.

    Args:
        hertz: of the tone; several share the time equally, 0 is silence.
    """
    time = np.arange(round(seconds * rate)) / rate
    pitches = np.atleast_1d(np.asarray(hertz, float))
    phase = 2 * np.pi * np.cumsum(pitches[np.arange(len(time)) * len(pitches) // len(time)]) / rate
    sound = 0.15 * sum(np.sin(k * phase) for k in range(1, overtones + 2)) / (1 + overtones) ** 0.5
    for beat in beats:
        after = np.maximum(time - beat, 0)
        sound = sound + 0.5 * np.sin(2 * np.pi * 1500 * after) * np.exp(-100 * after)
    seed = zlib.crc32("/".join(path.parts[-2:]).encode())
    sound = sound + 0.01 * np.random.default_rng(seed).standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate)
    return path


def linked(path: Path, original: Path) -> None:
    """The same file once more, at no cost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(original, path)


def pick(i: int, count: int) -> int:
    """One of `count`, in no regular order: labels that are shifted against their tracks do not fit them."""
    return hashlib.sha256(b"track %d" % i).digest()[0] % count


def parts(train: int, val: int, test: int) -> list[str]:
    """Name the split of each of so many tracks."""
    return ["train"] * train + ["val"] * val + ["test"] * test
