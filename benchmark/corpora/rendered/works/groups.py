"""Which works may not straddle a split: near-duplicate tunes, settings of one melody, movements of one opus.

Folk collections share tunes among themselves (data survey: 20 % of them), transposed or varied. Two works are
near-duplicates if their top parts share 30 % of the shorter one's melodic 8-interval n-grams, and six at least: fewer
are a common turn, and would chain a thousand German songs into one group. So are two settings of a melody whose notes
on the beats share as much of their 6-interval n-grams, whatever passes between them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmark.corpora.rendered.works.work import METRES, Work

N_INTERVALS, N_BEATS = 8, 6
CONTAINMENT = 0.3
#: n-grams that two works must share; all of them, where one has fewer
FEWEST_SHARED = 6
#: a pattern in this many works is an idiom (a scale run), not a sign of kinship
COMMON = 60


def interval_ngrams(work: Work) -> set[tuple[int, ...]]:
    """Transposition-free melodic n-grams of the top part, repeated notes merged."""
    onsets, pitches = _top(work)
    return _ngrams(pitches[np.argsort(onsets, kind="stable")], N_INTERVALS)


def beat_ngrams(work: Work) -> set[tuple[int, ...]]:
    """The same of what sounds on the beats alone; empty for a single voice, whose figures are its tune."""
    if not work.notes["part"].any():
        return set()
    onsets, pitches = _top(work)
    beat = METRES[work.signature][1]
    beats = np.arange(work.downbeat % beat, onsets.max() + beat, beat)
    order = np.argsort(onsets, kind="stable")
    at = np.searchsorted(onsets[order], beats + 1e-3) - 1
    return _ngrams(pitches[order][at[at >= 0]], N_BEATS)


def near_duplicates(works: Sequence[Work]) -> list[tuple[int, int]]:
    """Pairs of indices that share CONTAINMENT of the n-grams of either kind."""
    return [*_alike([interval_ngrams(work) for work in works]), *_alike([beat_ngrams(work) for work in works])]


def _alike(grams: list[set[tuple[int, ...]]]) -> list[tuple[int, int]]:
    holders: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, own in enumerate(grams):
        for gram in own:
            holders[gram].append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for indices in holders.values():
        if len(indices) <= COMMON:
            shared.update(combinations(indices, 2))
    shorter = {pair: min(len(grams[i]) for i in pair) for pair in shared}
    return [p for p, n in shared.items() if n >= max(CONTAINMENT * shorter[p], min(FEWEST_SHARED, shorter[p]))]


def _top(work: Work) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    top = work.notes["part"].to_numpy() == 0
    return work.notes["onset"].to_numpy()[top], work.notes["pitch"].to_numpy()[top]


def _ngrams(pitches: NDArray[np.int64], length: int) -> set[tuple[int, ...]]:
    steps = np.diff(pitches)
    run = steps[steps != 0].tolist()
    return {tuple(run[i : i + length]) for i in range(len(run) - length + 1)}


def grouped(works: Sequence[Work]) -> list[Work]:
    """The works with their groups."""
    return [replace(work, group=group) for work, group in zip(works, group_works(works), strict=True)]


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
