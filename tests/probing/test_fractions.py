"""Subsets against their definition: nested, stratified, seeded, and blind to tracks without a label."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from benchmark.probing.evaluate import Trial
from benchmark.probing.fractions import Subset, draw_subsets, split_hash
from tasks.emomusic_emotion import EmoMusicEmotion

FRACTIONS = {0.01: 5, 0.1: 3, 1.0: 1}
#: very uneven classes, the last with 4 training tracks, and 200 tracks without a label
STRATA = np.repeat([0, 1, 2, 3, -1], [1000, 500, 300, 6, 200])
SPLITS = np.where(np.arange(len(STRATA)) % 3 == 2, "val", "train")


def drawn(seed: int = 0) -> dict[tuple[float, int], Subset]:
    return {(s.fraction, s.resample): s for s in draw_subsets(STRATA, SPLITS, FRACTIONS, seed)}


def test_one_subset_per_fraction_and_resample() -> None:
    assert list(drawn()) == [(f, r) for f, count in FRACTIONS.items() for r in range(count)]


@pytest.mark.parametrize("split", ["train", "val"])
def test_fractions_of_one_resample_are_nested(split: str) -> None:
    subsets = drawn()
    for small, large in pairwise(FRACTIONS):
        for r in range(FRACTIONS[large]):
            assert set(getattr(subsets[small, r], split)) < set(getattr(subsets[large, r], split))


def test_sizes_shrink_by_the_fraction_in_validation_as_in_training() -> None:
    n_train, n_val = (int(((s == SPLITS) & (STRATA >= 0)).sum()) for s in ("train", "val"))
    for (fraction, _), subset in drawn().items():
        assert len(subset.train) == round(fraction * n_train)
        assert len(subset.val) == round(fraction * n_val)


def test_classes_keep_their_proportions_and_none_is_lost() -> None:
    for (fraction, _), subset in drawn().items():
        for split, tracks in (("train", subset.train), ("val", subset.val)):
            for label in range(4):
                total = int(np.sum(STRATA[split == SPLITS] == label))
                count = int((STRATA[tracks] == label).sum())
                assert count >= 1
                assert abs(count - fraction * total) <= 1


def test_a_class_with_more_members_than_the_fraction_allows_still_gives_one() -> None:
    strata = np.repeat(np.arange(30), 4)  # 1 % of 60 training tracks would be a single one
    (subset,) = draw_subsets(strata, np.tile(["train", "train", "val", "test"], 30), {0.01: 1}, seed=0)
    assert sorted(strata[subset.train]) == sorted(strata[subset.val]) == list(range(30))


def test_indices_are_sorted_unique_labelled_and_of_their_split() -> None:
    for subset in drawn().values():
        for split, tracks in (("train", subset.train), ("val", subset.val)):
            assert (np.diff(tracks) > 0).all()
            assert (STRATA[tracks] >= 0).all()
            assert (SPLITS[tracks] == split).all()


def test_everything_labelled_at_one() -> None:
    np.testing.assert_array_equal(drawn()[1.0, 0].train, np.flatnonzero((STRATA >= 0) & (SPLITS == "train")))


def test_same_seed_same_subsets_whatever_else_is_drawn() -> None:
    alone = {s.resample: s for s in draw_subsets(STRATA, SPLITS, {0.1: 2}, seed=0)}
    for r, subset in alone.items():
        np.testing.assert_array_equal(subset.train, drawn()[0.1, r].train)
        np.testing.assert_array_equal(subset.val, drawn()[0.1, r].val)


def test_resamples_and_seeds_differ() -> None:
    first, other_seed = drawn(0), drawn(1)
    assert set(first[0.01, 0].train) != set(first[0.01, 1].train)
    assert set(first[0.01, 0].train) != set(other_seed[0.01, 0].train)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan")])
def test_impossible_fraction_is_named(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"outside \(0, 1\]"):
        draw_subsets(STRATA, SPLITS, {fraction: 1}, seed=0)


def test_split_without_labels_is_named() -> None:
    with pytest.raises(ValueError, match="'val' has no labelled track"):
        draw_subsets([0, 1, -1], ["train", "train", "val"], {1.0: 1}, seed=0)


def test_split_hash_follows_ids_and_splits_but_not_their_order() -> None:
    base = split_hash(["a", "b", "c"], ["train", "val", "test"])
    assert split_hash(["c", "a", "b"], ["test", "train", "val"]) == base
    assert split_hash(["a", "b", "d"], ["train", "val", "test"]) != base
    assert split_hash(["a", "b", "c"], ["train", "test", "test"]) != base
    # printf 'a\ttrain\nb\tval\nc\ttest' | sha256sum
    assert base == "7fce101278b5f1ad"


def test_every_tag_is_heard_and_missed_in_the_smallest_subset() -> None:
    rng = np.random.default_rng(0)
    tags = (rng.random((400, 12)) < np.geomspace(0.01, 0.97, 12)).astype(np.float32)
    tags[::7] = np.nan
    tags[1::7, 3] = np.nan
    splits = np.resize(["train", "train", "val"], 400)
    subsets = draw_subsets(tags, splits, {0.01: 3, 0.1: 3, 1.0: 1}, seed=0)
    for subset in subsets:
        for part, name in ((subset.train, "train"), (subset.val, "val")):
            there = tags[(splits == name) & ~np.isnan(tags).all(axis=1)]
            assert not np.isnan(tags[part]).all(axis=1).any()
            for value in (0, 1):
                possible = (there == value).any(axis=0)
                assert ((tags[part] == value).any(axis=0) == possible).all()
    small, middle = subsets[0], subsets[3]
    assert set(small.train) <= set(middle.train)
    assert len(small.train) < 15
    assert len(middle.train) == round(0.1 * len(subsets[-1].train))


def test_which_training_tracks_are_drawn_is_no_matter_of_test_labels() -> None:
    """Numbers are drawn by fifths of their scale: of training tracks' scale, wherever test tracks are on it."""
    rng = np.random.default_rng(0)
    tracks = pd.DataFrame({"id": map(str, range(600)), "split": np.repeat(["train", "val", "test"], [300, 100, 200])})
    tracks = tracks.assign(**{name: rng.random(600) for name in EmoMusicEmotion.labels})
    moved = tracks.assign(
        **{name: tracks[name].where(tracks["split"] != "test", 0.01) for name in EmoMusicEmotion.labels}
    )
    one, other = (Trial.of(EmoMusicEmotion(), known, {0.1: 5}, False).subsets for known in (tracks, moved))
    for subset, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(subset.train, same.train)
        np.testing.assert_array_equal(subset.val, same.val)
        fifths = np.searchsorted(np.quantile(tracks["arousal"][:300], (0.2, 0.4, 0.6, 0.8)), tracks["arousal"])
        assert np.bincount(fifths[subset.train]).tolist() == [6] * 5
