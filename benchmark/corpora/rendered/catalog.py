"""Which clips there are, in one order whose every prefix is balanced: splits by group, strata tempered."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np

from benchmark.corpora.rendered.arrange import generator
from benchmark.corpora.rendered.works.work import METRES, Mode, Work

K = TypeVar("K")
#: mode, if there is a key; class of metre; dance, if it is one
Stratum = tuple[Mode | None, str, str | None]

#: shares of the groups, not of the clips: test items are most of a comparison's noise, and there is music enough
SPLITS = {"train": 0.50, "val": 0.15, "test": 0.35}
#: split of clips -> split of the works that they play
PLAYS = {"train": "train", "val": "val", "test": "test", "transfer": "test"}


@dataclass(frozen=True)
class Clip:
    """One clip to render: `transfer` clips play a test work with a program that training did not hear."""

    track: str
    split: str
    work: int


def split_of(group: str, version: int) -> str:
    """Train, val or test, from the group's name alone."""
    digest = hashlib.sha256(f"rendered_scores/{version}/{group}".encode()).digest()
    u = int.from_bytes(digest[:8], "little") / 2**64
    return "train" if u < SPLITS["train"] else "val" if u < SPLITS["train"] + SPLITS["val"] else "test"


def order(works: list[Work], groups: list[str], version: int, counts: Sequence[Mapping[str, int]]) -> Iterator[Clip]:
    """All clips, size by size.

    Args:
        groups: of each work.
        version: of the corpus.
        counts: clips of each split, size by size; a size holds the ones before it.
    """
    draws = {split: _draws(works, groups, version, played) for split, played in PLAYS.items()}
    for split in in_proportion(counts):
        i, rendition = next(draws[split])
        yield Clip(f"{works[i].work}#{rendition}{'t' if split == 'transfer' else ''}", split, i)


def in_proportion(counts: Sequence[Mapping[str, int]]) -> Iterator[str]:
    """The splits of all tracks: those of the smallest size, then what each next one adds, in proportion throughout.

    Args:
        counts: tracks of each split, size by size; a size holds the ones before it.
    """
    before: Mapping[str, int] = {}
    for size in counts:
        added, given = {split: n - before.get(split, 0) for split, n in size.items()}, Counter[str]()
        for _ in range(sum(added.values())):
            split = _most_owed(added, given)
            given[split] += 1
            yield split
        before = size


def stratum_of(work: Work) -> Stratum:
    """What a work is one of, as far as tasks ask."""
    return work.mode, METRES[work.signature][0], work.dance


def _draws(works: list[Work], groups: list[str], version: int, split: str) -> Iterator[tuple[int, int]]:
    """Works of a split and which rendition of each, without end.

    Strata are drawn in proportion to the square root of their number of groups, so that rare ones (minor, hornpipes)
    are heard without being most of the corpus. Within a stratum each group is as frequent as the others, however many
    works it has: clips of one group tell less than clips of several. A work returns as another rendition.
    """
    pools: dict[Stratum, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i in generator("order", version).permutation(len(works)).tolist():
        if split_of(groups[i], version) == split:
            pools[stratum_of(works[i])][groups[i]].append(i)
    turns = {stratum: _turns(list(members.values())) for stratum, members in pools.items()}
    shares = {stratum: float(np.sqrt(len(pools[stratum]))) for stratum in sorted(pools, key=str)}
    drawn: Counter[Stratum] = Counter()
    while shares:
        stratum = _most_owed(shares, drawn)
        drawn[stratum] += 1
        yield next(turns[stratum])


def _turns(groups: list[list[int]]) -> Iterator[tuple[int, int]]:
    """Each group once a round, by its next work."""
    for turn in count():
        for members in groups:
            rendition, position = divmod(turn, len(members))
            yield members[position], rendition


def _most_owed(shares: Mapping[K, float], given: Counter[K]) -> K:
    """Whose part of what has been given falls shortest of its share, at the next turn."""
    whole, turn = sum(shares.values()), given.total() + 1
    return max(shares, key=lambda s: shares[s] / whole * turn - given[s])
