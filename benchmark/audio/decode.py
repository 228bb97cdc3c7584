"""Audio files become mono int16 at one rate: the only place that decodes, and says what was wrong with a file.

What can be heard is heard: a file that breaks off up to there, a stream without a length to its end, stereo whose
channels cancel by the louder one, floats beyond ±1 turned down instead of clipped.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmark.audio.waveforms import MIX
from benchmark.files import ABSENT, patiently, read_through
from benchmark.interfaces import Odd, Unreadable, Verdict

#: an excerpt shorter than this is a damaged file
SHORTEST_SECONDS = 0.05
#: missing seconds that are none: decoders and durations are not exact
TOLERANCE = 0.05
#: annotations that end at this share of a file or before belong to it; other editions end a few seconds earlier
REACHED = 0.8
#: the mean of channels is weaker than this share of the louder one's level, where they cancel
CANCELED = 0.1
#: sample rates of sound, in Hz
RATES = (1_000, 1_000_000)
#: frames that are read at once: what a break in a file costs at most
_BLOCK = 8192
#: headers that promise more bytes than this promise nothing: they were written before what follows
_ENDLESS = 2**31 - 2**20
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from front to back: soundfile would look for its place after each block, and lose it."""

    def seekable(self) -> bool:
        """Not while reading."""
        return False


@dataclass(frozen=True)
class _Read:
    """Samples (T, channels) as they are in a file, and what is odd about them."""

    sound: NDArray[np.float32]
    rate: int
    lossy: bool
    odd: list[Verdict]

    @property
    def seconds(self) -> float:
        return len(self.sound) / self.rate


def decode(
    path: Path, rate: int, start: float = 0.0, seconds: float | None = None, reach: float = 0.0
) -> dict[str, NDArray[np.int16]] | Unreadable:
    """Read wav, flac, ogg or mp3 (whatever libsndfile reads), mix it down, and resample it.

    Args:
        path: the file.
        rate: of the result, in Hz.
        start: where the excerpt begins, in seconds.
        seconds: its length; by default, and at most, to the end.
        reach: until when annotations refer to it, in seconds.

    Returns:
        (T,) samples as the mixture, with what is odd about them; or why there are none.

    Raises:
        OSError: the disk or the network fails, which says nothing about the file.
    """
    try:
        read = _read_surely(path, start, seconds)
    except (*ABSENT, ValueError, MemoryError, soundfile.SoundFileError) as error:
        return Unreadable(str(error) or type(error).__name__)
    if len(read.sound) < SHORTEST_SECONDS * read.rate:
        return Unreadable(f"only {len(read.sound)} samples at {read.rate} Hz")
    if not np.isfinite(read.sound).all():
        return Unreadable("holds NaN or infinity")
    if read.seconds < REACHED * reach:
        return Unreadable(f"lasts {read.seconds:.1f} s, and is annotated up to {reach:.1f} s", "truncated")
    samples, odd = mixed(read.sound, read.rate, rate, read.lossy)
    return Odd.unless_fine({MIX: samples}, [*read.odd, *odd])


def mixed(
    sound: NDArray[np.float32], native: float, rate: int, lossy: bool = False
) -> tuple[NDArray[np.int16], list[Verdict]]:
    """Mix down, resample and quantize what has been read.

    Args:
        sound: (T, channels), finite.
        native: its rate, in Hz.
        rate: of the result.
        lossy: whether it was coded so, and may overshoot a little.

    Returns:
        (T,) samples, and what is odd about them.
    """
    mono, odd = _mixed_down(sound)
    samples, level = _quantized(
        soxr.resample(mono, native, rate), float(max(sound.max(initial=0), -sound.min(initial=0))), lossy
    )
    return samples, [*odd, *level]


def _read_surely(path: Path, start: float, seconds: float | None) -> _Read:
    """What is there, and not what could be read at the moment.

    libsndfile takes an error of the disk for the end of the file, or for damage. So, where it finds nothing, or less
    than the header promises, the file is read through: once that succeeds, what libsndfile then says holds.
    """
    with contextlib.suppress(OSError, soundfile.SoundFileError):
        read = _read(path, start, seconds)
        if not read.odd:
            return read
    with contextlib.suppress(*ABSENT):
        patiently(read_through, path)
    return _read(path, start, seconds)


def _read(path: Path, start: float, seconds: float | None) -> _Read:
    with _Stream(path) as file:
        native, first = file.samplerate, round(start * file.samplerate)
        if not RATES[0] <= native <= RATES[1]:
            raise ValueError(f"its header says {native} Hz")
        promised = _promised(file)
        if promised is not None:
            file.seek(min(first, file.frames))
        skipped = first if promised is None else 0  # where a stream cannot tell its length, it cannot seek either
        wanted = None if seconds is None else skipped + round(seconds * native)
        blocks, error = _blocks(file, wanted)
        sound = np.concatenate(blocks)[skipped:] if blocks else np.zeros((0, file.channels), np.float32)
        if error and not len(sound):
            raise error
        left = None if promised is None else promised - first
        if left is not None and seconds is not None:
            left = min(left, round(seconds * native))
        odd = _broken_promises(file, path, len(sound), left, error is not None, whole=seconds is None)
        return _Read(sound, native, file.subtype in _LOSSY, odd)


def _promised(file: _Stream) -> int | None:
    """How many frames a file has by its header; None if that says nothing."""
    # libsndfile corrects a length in bytes that the file has no room for, and notes what it was
    noted = [(int(was), int(is_)) for was, is_ in re.findall(r": (\d+) \(should be (\d+)\)", file.extra_info)]
    if file.frames >= _ENDLESS * file.samplerate or any(was >= _ENDLESS > is_ for was, is_ in noted):
        return None
    share = max((was / is_ for was, is_ in noted if is_), default=1.0)
    return round(int(file.frames) * share)


def _blocks(file: _Stream, wanted: int | None) -> tuple[list[NDArray[np.float32]], Exception | None]:
    """What can be read up to so many frames, and what it broke off with."""
    blocks: list[NDArray[np.float32]] = []
    left = np.inf if wanted is None else wanted
    while left > 0:
        block = np.empty((int(min(_BLOCK, left)), file.channels), np.float32)
        try:
            read = file.read(out=block)
        except soundfile.SoundFileError as error:
            return blocks, error
        blocks.append(read)
        left -= len(read)
        if len(read) < len(block):
            break
    return blocks, None


def _broken_promises(
    file: _Stream, path: Path, found: int, promised: int | None, broken: bool, whole: bool
) -> list[Verdict]:
    """What is odd about how many frames there are.

    Args:
        file: at its end.
        path: of the file.
        found: frames that were read.
        promised: how many there should be; None if its header says nothing.
        broken: whether reading ended with an error.
        whole: whether all was to be read.
    """
    heard = f"{found / file.samplerate:.1f} s"
    if promised is None:
        return [Verdict("unknown length", f"a stream whose header has no length; {heard} were found")]
    if whole and file.format == "OGG" and not _has_end(path):
        return [Verdict("unknown length", f"an Ogg stream without its last page; {heard} were found")]
    if not broken and promised - found <= TOLERANCE * file.samplerate:
        return []
    if file.format == "MP3" and not _has_length(path):
        return [Verdict("unknown length", f"no length in its first frame; {heard} were found")]
    return [Verdict("truncated", f"{heard} of {promised / file.samplerate:.1f} s are there")]


def _has_length(path: Path) -> bool:
    """Whether an MP3 says how many frames it has; else libsndfile guesses from the first one's bit rate."""
    with path.open("rb") as file:
        tag = file.read(10)
        size = 0
        if tag[:3] == b"ID3":
            size = 10 + sum((byte & 127) << shift for byte, shift in zip(tag[6:10], (21, 14, 7, 0), strict=True))
        file.seek(size)
        first = file.read(4096)
    return any(name in first[:200] for name in (b"Xing", b"Info", b"VBRI"))


def _has_end(path: Path) -> bool:
    """Whether the last page of an Ogg file, of 64 KB at most, says that it is the last."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2**17))
        end = file.read()
    last = end.rfind(b"OggS")
    return last >= 0 and bool(end[last + 5 : last + 6].ljust(1, b"\0")[0] & 4)


def _mixed_down(sound: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[Verdict]]:
    """The mean of the channels; the loudest one where they cancel."""
    mono: NDArray[np.float32] = sound.mean(axis=1)
    power = _power(sound)
    loudest = int(power.argmax())
    if _power(mono) >= CANCELED**2 * power[loudest] or not power[loudest]:
        return mono, []
    what = f"its {sound.shape[1]} channels cancel each other; channel {loudest + 1} is heard alone"
    return np.ascontiguousarray(sound[:, loudest]), [Verdict("canceled", what)]


def _power(sound: NDArray[np.float32]) -> Any:
    """The mean square over time, of (T, channels) or (T,); of an hour, no copy is made in double precision."""
    blocks = (sound[i : i + _BLOCK] for i in range(0, len(sound), _BLOCK))
    return sum(np.square(block, dtype=np.float64).sum(axis=0) for block in blocks) / len(sound)


def _quantized(mono: NDArray[np.float32], peak: float, lossy: bool) -> tuple[NDArray[np.int16], list[Verdict]]:
    """As int16, turned down where it would be clipped; lossy formats overshoot a little, of which nothing is said.

    Args:
        peak: of the file.
        lossy: whether its format is.
    """
    highest, odd = float(np.abs(mono).max(initial=0)), []
    if highest > 1:
        mono = mono / highest
        if peak > 1 and not lossy:
            odd.append(Verdict("rescaled", f"its peak is {peak:.3g}, beyond ±1: turned down instead of clipped"))
    samples: NDArray[np.int16] = np.clip(np.round(mono * 32767), -32768, 32767).astype(np.int16)
    if not samples.any():
        odd.append(Verdict("silent", "no sample is above the level of one bit"))
    return samples, odd
