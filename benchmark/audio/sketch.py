"""Is it the same sound? A sketch of each says which are worth a look, and their correlation then is the answer.

A sketch is a coarse spectral envelope over time in dB, whose mean is zero: gain does not change it, and lossy coding
hardly. Sounds of unlike sketches differ; those of like ones may (all noises are alike), so that these are correlated,
band by band.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

#: parts of a track, and bands between so many Hz, which every lossy coder keeps
PARTS, BANDS, LOWEST, HIGHEST = 8, 8, 60.0, 4_000.0
SIZE = PARTS * BANDS
#: dB between sketches (root of the mean square), up to which two may be the same sound
ALIKE = 5.0
#: seconds: by how much lengths of the same sound differ, and how far a coder's delay moves it
SLACK = 0.1
#: third of an octave each, that are correlated for themselves, up to so many Hz: of two notes of one pitch, the
#: fundamentals alone correlate; and dB below the loudest at which a band counts no more
THIRDS, TOP, QUIET = 24, 6_000.0, 30.0
#: mean correlation from which on it is the same: MP3 of 32 kbps leaves .95 of white noise, of 16 kbps .98 of notes; two
#: notes of one pitch reach .8
SAME = 0.9
#: seconds that are correlated, and what they must reach: the first tell nearly all apart, though a delay takes a tenth
_COMPARED = ((1.0, 0.5), (5.0, SAME))
#: samples of a frame; dB below a track's loudest cell that count as silence
_FRAME, _FLOOR = 1024, 30.0
#: of all alike, so many nearest are correlated: a twin is among them, and all notes of an instrument are alike
NEAREST = 8
#: pairs of sketches that are compared at once
_AT_ONCE = 2**22


def sketch(samples: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """(T,) samples to (64,) dB: the mean power of each part in each band."""
    count = max(PARTS, len(samples) // _FRAME)
    frames = np.zeros(count * _FRAME, np.float32)
    frames[: len(samples)] = samples[: len(frames)]
    spectrum = np.abs(np.fft.rfft(frames.reshape(count, _FRAME) * np.hanning(_FRAME).astype(np.float32))) ** 2
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1) * _FRAME / rate
    bins = np.maximum(np.diff(np.round(edges).astype(int), append=_FRAME // 2), 1)[:BANDS]
    first = np.minimum(np.round(edges[:-1]).astype(int), _FRAME // 2)
    bands = np.stack([spectrum[:, at : at + n].sum(axis=1) for at, n in zip(first, bins, strict=True)], axis=1)
    power = np.stack([part.mean(axis=0) for part in np.array_split(bands, PARTS)])
    level = 10 * np.log10(np.maximum(power, max(float(power.max()), 1.0) * 10 ** (-_FLOOR / 10)))
    envelope: NDArray[np.float32] = (level - level.mean()).astype(np.float32).ravel()
    return envelope


def alike(
    one: NDArray[np.float32], other: NDArray[np.float32], lengths: NDArray[Any], others: NDArray[Any], slack: float
) -> Iterator[tuple[int, int]]:
    """Pairs of rows of (N, 64) and (M, 64) sketches of about equal lengths that may be the same sound.

    Each of the N is paired with its nearest alone, so that the work grows with N and not with N times M.

    Args:
        lengths: of the one's tracks.
        others: of the other's.
        slack: by how much they may differ.
    """
    if not len(other):
        return
    squares = np.square(other).sum(axis=1)
    step = max(1, _AT_ONCE // max(1, len(other)))
    for at in range(0, len(one), step):
        part = one[at : at + step]
        distance = np.square(part).sum(axis=1)[:, None] + squares - 2 * part @ other.T
        distance[np.abs(lengths[at : at + step, None] - others) > slack] = np.inf
        nearest = np.argpartition(distance, min(NEAREST, len(other)) - 1, axis=1)[:, :NEAREST]
        near = np.take_along_axis(distance, nearest, axis=1) <= SIZE * ALIKE**2
        yield from ((at + int(i), int(nearest[i, k])) for i, k in np.argwhere(near))


def same(one: NDArray[np.int16], other: NDArray[np.int16], rate: int) -> bool:
    """Whether two tracks are the same sound, but for gain, polarity, coding and a coder's delay."""
    return all(_correlation(one, other, round(seconds * rate), rate) >= least for seconds, least in _COMPARED)


def _correlation(one: NDArray[np.int16], other: NDArray[np.int16], count: int, rate: int) -> float:
    """Mean correlation of the bands of the loudest so many samples, the highest of all shifts up to `SLACK`."""
    whole = min(len(one), len(other))
    first = _loudest(one[:whole], count)
    parts = [samples[first : min(first + count, whole)].astype(np.float32) for samples in (one, other)]
    shift = min(len(parts[0]) - 1, round(SLACK * rate))
    size = next_fast_len(len(parts[0]) + shift, real=True)
    a, b = (rfft(part, size) for part in parts)
    band = np.searchsorted(np.geomspace(LOWEST, TOP, THIRDS + 1), np.fft.rfftfreq(size, 1 / rate))
    powers = [np.bincount(band, np.abs(x) ** 2, THIRDS + 2)[1:-1] for x in (a, b)]
    if not min(power.max() for power in powers):
        return 0.0
    live = np.any([power > power.max() * 10 ** (-QUIET / 10) for power in powers], axis=0)
    weight = np.where(live, 1 / np.sqrt(np.maximum(powers[0] * powers[1], 1e-9)), 0)
    products = irfft(a * b.conj() * np.pad(weight, 1)[band], size) * size / 2
    return float(np.abs(np.concatenate([products[: shift + 1], products[size - shift :]])).max() / live.sum())


def _loudest(samples: NDArray[np.int16], count: int) -> int:
    """Where the loudest so many samples begin, but for a frame; 0 if there are no more."""
    if len(samples) <= count:
        return 0
    edges = np.arange(0, len(samples), _FRAME)
    power = np.concatenate([[0], np.cumsum(np.add.reduceat(np.square(samples, dtype=np.float64), edges))])
    span = count // _FRAME
    return int(min((power[span:] - power[: len(power) - span]).argmax() * _FRAME, len(samples) - count))
