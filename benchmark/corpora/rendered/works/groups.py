"""Which works may not straddle a split: near-duplicate tunes, and movements of one opus.

Folk collections share tunes among themselves (data survey: 20 % of them), transposed or varied. Two works are
near-duplicates if their top parts share 30 % of the shorter one's melodic 8-interval n-grams.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from benchmark.corpora.rendered.works.work import Work

N_INTERVALS = 8
CONTAINMENT = 0.3
#: a pattern in this many works is an idiom (a scale run), not a sign of kinship
COMMON = 60


def interval_ngrams(work: Work) -> set[tuple[int, ...]]:
    """Transposition-free melodic n-grams of the top part, repeated notes merged."""
    top = work.notes[work.notes["part"] == 0].sort_values("onset", kind="stable")
    steps = np.diff(top["pitch"].to_numpy())
    steps = steps[steps != 0].tolist()
    return {tuple(steps[i : i + N_INTERVALS]) for i in range(len(steps) - N_INTERVALS + 1)}


def near_duplicates(works: Sequence[Work]) -> list[tuple[int, int]]:
    """Pairs of indices whose containment reaches CONTAINMENT."""
    grams = [interval_ngrams(work) for work in works]
    holders: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, own in enumerate(grams):
        for gram in own:
            holders[gram].append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for indices in holders.values():
        if len(indices) <= COMMON:
            shared.update(combinations(indices, 2))
    return [(a, b) for (a, b), n in shared.items() if n >= CONTAINMENT * min(len(grams[a]), len(grams[b]))]


def group_works(works: Sequence[Work]) -> list[str]:
    """Group id of each work (the smallest work id in its group), by union-find over near-duplicates and ties."""
    parent = list(range(len(works)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    ties: dict[str, int] = {}
    links = near_duplicates(works) + [(i, ties.setdefault(w.tie, i)) for i, w in enumerate(works)]
    for a, b in links:
        parent[root(a)] = root(b)
    names: dict[int, str] = {}
    for i, work in enumerate(works):
        names[root(i)] = min(names.get(root(i), work.work), work.work)
    return [names[root(i)] for i in range(len(works))]
