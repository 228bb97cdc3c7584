"""Which clips there are, in one order whose every prefix is balanced: splits by group, strata tempered."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmark.corpora.rendered.arrange import generator
from benchmark.corpora.rendered.works.work import METRES, Work

K = TypeVar("K")

SPLITS = {"train": 0.70, "val": 0.15, "test": 0.15}


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


def order(works: list[Work], groups: list[str], version: int) -> Iterator[Clip]:
    """All clips without end: a size is a prefix.

    Strata (mode, metre) are drawn in proportion to the square root of their size, so that rare ones (minor, 9/8) are
    heard without being most of the corpus; a work returns as another rendition, in its own split, when its stratum
    is used up.
    """
    pools: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for i in generator("order", version).permutation(len(works)).tolist():
        stratum = (works[i].mode, METRES[works[i].signature][0])
        pools[split_of(groups[i], version)][stratum].append(i)
    shares = {split: _tempered(strata) for split, strata in pools.items()}
    given: Counter[str] = Counter()
    drawn: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    while True:
        split = _most_owed({s: SPLITS[s] for s in pools}, given)
        given[split] += 1
        stratum = _most_owed(shares[split], drawn[split])
        rendition, position = divmod(drawn[split][stratum], len(pools[split][stratum]))
        drawn[split][stratum] += 1
        i = pools[split][stratum][position]
        yield Clip(f"{works[i].work}#{rendition}", split, i)
        if split == "test":
            yield Clip(f"{works[i].work}#{rendition}t", "transfer", i)


def _tempered(strata: dict[tuple[str, str], list[int]]) -> dict[tuple[str, str], float]:
    roots = {stratum: float(np.sqrt(len(members))) for stratum, members in sorted(strata.items())}
    return {stratum: root / sum(roots.values()) for stratum, root in roots.items()}


def _most_owed(shares: dict[K, float], given: Counter[K]) -> K:
    total = sum(given.values()) + 1
    return max(shares, key=lambda s: shares[s] * total - given[s])
