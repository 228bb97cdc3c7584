"""Audio files become mono int16 at one rate: the only place that decodes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmark.files import ABSENT, patiently, read_through
from benchmark.interfaces import Unreadable

#: an excerpt shorter than this is a damaged file
SHORTEST_SECONDS = 0.05


def decode(path: Path, rate: int, start: float = 0.0, seconds: float | None = None) -> NDArray[np.int16] | Unreadable:
    """Read wav, flac, ogg or mp3 (whatever libsndfile reads), mix it down, and resample it.

    Args:
        path: the file.
        rate: of the result, in Hz.
        start: where the excerpt begins, in seconds.
        seconds: its length; by default, and at most, to the end.

    Returns:
        (T,) samples, or why there are none.

    Raises:
        OSError: the disk or the network fails, which says nothing about the file.
    """
    try:
        sound, native = _read(path, start, seconds)
    except soundfile.SoundFileError as error:
        return Unreadable(str(error) or type(error).__name__)
    if len(sound) < SHORTEST_SECONDS * native:
        return Unreadable(f"only {len(sound)} samples at {native} Hz")
    if not np.isfinite(sound).all():
        return Unreadable("holds NaN or infinity")
    mono = soxr.resample(sound.mean(axis=1), native, rate)
    samples: NDArray[np.int16] = np.clip(np.round(mono * 32767), -32768, 32767).astype(np.int16)
    return samples


def _read(path: Path, start: float, seconds: float | None) -> tuple[NDArray[np.float32], int]:
    """The excerpt as it is stored, (T, channels), and its rate.

    libsndfile takes an error of the disk for the end of the file, or for damage. So, where it finds nothing, or less
    than the header promises, the file is read through: once that succeeds, what libsndfile then says holds.
    """
    try:
        sound, native, is_short = _read_once(path, start, seconds)
        if not is_short:
            return sound, native
    except soundfile.SoundFileError:
        pass
    with contextlib.suppress(*ABSENT):
        patiently(read_through, path)
    sound, native, _ = _read_once(path, start, seconds)
    return sound, native


def _read_once(path: Path, start: float, seconds: float | None) -> tuple[NDArray[np.float32], int, bool]:
    with soundfile.SoundFile(path) as file:
        begin = min(round(start * file.samplerate), file.frames)
        file.seek(begin)
        frames = -1 if seconds is None else round(seconds * file.samplerate)
        sound = file.read(frames, dtype="float32", always_2d=True)
        promised = file.frames - begin if frames < 0 else min(frames, file.frames - begin)
        return sound, file.samplerate, len(sound) < promised
