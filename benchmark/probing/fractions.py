"""Label fractions: nested, stratified subsets of the training and validation tracks.

Conventions: a fraction counts *tracks*, never segments or frames. Validation shrinks with training: a probe
that may use 1 % of the labels chooses its hyper-parameters on 1 % of the validation labels too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: the splits that are drawn from; the position seeds the order, so append only
DRAWN = ("train", "val")

Tracks = NDArray[np.int64]


@dataclass(frozen=True)
class Subset:
    """The labelled tracks of one resample of one fraction: sorted indices into the track table."""

    fraction: float
    resample: int
    train: NDArray[np.int64]
    val: NDArray[np.int64]


def draw_subsets(
    strata: ArrayLike, splits: Sequence[str] | NDArray[np.str_], fractions: Mapping[float, int], seed: int
) -> list[Subset]:
    """Draw every resample of every fraction; a pure function, so every strategy sees the same subsets.

    Within one resample the fractions are nested: each is a prefix of one seeded order.

    Args:
        strata: (N,) class index of each track; -1 has no label and is never drawn. Frame tasks pass zeros. Or (N, C)
            tags in {0, 1}; a row of NaN has no label.
        splits: (N,) split of each track.
        fractions: number of resamples by fraction, e.g. `{0.01: 5, 0.1: 3, 1.0: 1}`.
        seed: non-negative seed of all orders.

    Returns:
        One subset per (fraction, resample), in the order of `fractions`; each has at least one track of every class,
        or, of tags, one that has it and one that lacks it, as far as there are any.

    Raises:
        ValueError: a fraction outside (0, 1], or no labelled track in a split.
    """
    labels, places = np.asarray(strata), np.asarray(splits, dtype=np.str_)
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise ValueError(f"label fraction {fraction:g} is outside (0, 1]: 1 means every labelled track")
    n_resamples = max(fractions.values(), default=0)
    order = _tag_order if labels.ndim == 2 else _class_order
    orders = {(s, r): order(labels, places, s, r, seed) for s in DRAWN for r in range(n_resamples)}
    return [
        Subset(fraction, r, *(_prefix(*orders[s, r], fraction) for s in DRAWN))
        for fraction, count in fractions.items()
        for r in range(count)
    ]


def _shuffled(labelled: NDArray[np.bool_], places: NDArray[np.str_], split: str, resample: int, seed: int) -> Tracks:
    tracks = np.flatnonzero((places == split) & labelled)
    if not len(tracks):
        raise ValueError(f"split {split!r} has no labelled track: nothing to draw from")
    rng = np.random.default_rng([seed, resample, DRAWN.index(split)])
    return tracks[np.argsort(rng.random(len(tracks)), kind="stable")]


def _class_order(
    labels: NDArray[np.int64], places: NDArray[np.str_], split: str, resample: int, seed: int
) -> tuple[Tracks, int]:
    """Order a split's labelled tracks so that every prefix is stratified, and starts with one per class: so many."""
    labelled: NDArray[np.bool_] = np.greater_equal(labels, 0)
    tracks = _shuffled(labelled, places, split, resample, seed)
    position = np.empty(len(tracks))
    classes = np.unique(labels[tracks])
    for label in classes:
        members = np.flatnonzero(labels[tracks] == label)
        # The k-th of m tracks belongs at (k + 1/2) / m of the order, which keeps any prefix proportional ...
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
        # ... and the first of each class comes before everything else.
        position[members[0]] = -1.0
    return tracks[np.argsort(position, kind="stable")], len(classes)


def _tag_order(
    tags: NDArray[np.float32], places: NDArray[np.str_], split: str, resample: int, seed: int
) -> tuple[Tracks, int]:
    """A random order that starts with tracks which together have, and lack, each tag, the rarest first: so many."""
    labelled: NDArray[np.bool_] = np.asarray(np.isfinite(tags).any(axis=1))
    tracks = _shuffled(labelled, places, split, resample, seed)
    sides = np.concatenate([tags[tracks] > 0.5, tags[tracks] < 0.5], axis=1)
    first: list[int] = []
    for side in np.argsort(sides.sum(axis=0), kind="stable"):
        members = np.flatnonzero(sides[:, side])
        if len(members) and not sides[first, side].any():
            first.append(int(members[0]))
    rest = np.setdiff1d(np.arange(len(tracks)), first)
    return tracks[np.concatenate([np.array(first, np.int64), rest])], len(first)


def _prefix(order: Tracks, first: int, fraction: float) -> Tracks:
    """Take the first `fraction` of an order, but at least its `first` tracks, as sorted indices."""
    return np.sort(order[: max(round(fraction * len(order)), first)])


def split_hash(ids: Sequence[str], splits: Sequence[str] | NDArray[np.str_]) -> str:
    """Name a split: 16 hex digits that change with any track's id or place, and not with their order."""
    lines = sorted(f"{track}\t{split}" for track, split in zip(ids, splits, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
