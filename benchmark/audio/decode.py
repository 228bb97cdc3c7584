"""Audio files become mono int16 at one rate: the only place that decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

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
    """
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(min(round(start * file.samplerate), file.frames))
            frames = -1 if seconds is None else round(seconds * file.samplerate)
            sound, native = file.read(frames, dtype="float32", always_2d=True), file.samplerate
    except (OSError, soundfile.SoundFileError) as error:
        return Unreadable(str(error) or type(error).__name__)
    if len(sound) < SHORTEST_SECONDS * native:
        return Unreadable(f"only {len(sound)} samples at {native} Hz")
    if not np.isfinite(sound).all():
        return Unreadable("holds NaN or infinity")
    mono = soxr.resample(sound.mean(axis=1), native, rate)
    samples: NDArray[np.int16] = np.clip(np.round(mono * 32767), -32768, 32767).astype(np.int16)
    return samples
