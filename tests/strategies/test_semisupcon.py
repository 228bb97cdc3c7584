"""SemiSupCon refuses labels that would make no positives, and counts right how many tags tracks share."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.interfaces import UserError
from strategies.semisupcon import SemiSupCon, any_pair_shares, pairs_by_shared_tags


@pytest.fixture
def tags() -> NDArray[np.float32]:
    """More tracks than are compared at once."""
    return (np.random.default_rng(0).random((700, 12)) < 0.15).astype(np.float32)


def test_pairs_are_counted_one_by_one(tags: NDArray[np.float32]) -> None:
    sets = [set(np.flatnonzero(row)) for row in tags]
    expected = Counter(len(a & b) for a, b in itertools.combinations(sets, 2))
    counts = pairs_by_shared_tags(tags)
    assert counts.tolist() == [expected[shared] for shared in range(13)]
    most = max(expected)
    assert [any_pair_shares(tags, k) for k in (1, most, most + 1)] == [True, True, False]


def test_a_track_shares_nothing_with_itself() -> None:
    assert pairs_by_shared_tags(np.ones((1, 3), np.float32)).sum() == 0
    assert pairs_by_shared_tags(np.zeros((0, 3), np.float32)).sum() == 0
    assert not any_pair_shares(np.eye(3, dtype=np.float32), 1)


def test_a_threshold_is_refused_where_no_pair_reaches_it(tags: NDArray[np.float32]) -> None:
    most = int(np.flatnonzero(pairs_by_shared_tags(tags)).max())
    SemiSupCon.check_labels(SemiSupCon.Config(threshold=most), tags)
    SemiSupCon.check_labels(SemiSupCon.Config(threshold=most + 1, weighted=True), tags)
    with pytest.raises(UserError, match=f"threshold {most + 1}: .* pairs share {most}. Lower"):
        SemiSupCon.check_labels(SemiSupCon.Config(threshold=most + 1), tags)


def test_labels_that_nobody_shares_are_of_no_use_weighted_either() -> None:
    alone = np.eye(3, dtype=np.float32)
    with pytest.raises(UserError, match=r"threshold 1: no two of the 3 labeled .* 3 pairs share 0"):
        SemiSupCon.check_labels(SemiSupCon.Config(weighted=True), alone)
    with pytest.raises(UserError, match=r"no two of the 0 labeled .* there are no pairs"):
        SemiSupCon.check_labels(SemiSupCon.Config(threshold=1), np.zeros((5, 2), np.float32))
