"""Which clips there are: splits by group, groups as equal as can be, sizes that hold each other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmark.corpora.rendered.catalog import SPLITS, in_proportion, order, split_of, stratum_of
from benchmark.corpora.rendered.scores import RenderedChorales, RenderedScores
from benchmark.corpora.rendered.works.groups import group_works
from benchmark.corpora.rendered.works.work import Work

VERSION = RenderedScores.info.version


@pytest.mark.parametrize("corpus", [RenderedScores, RenderedChorales])
def test_a_size_has_the_clips_that_it_says_and_holds_the_smaller_ones(
    corpus: type[RenderedScores], works: list[Work]
) -> None:
    clips = list(order(works, group_works(works), VERSION, list(corpus.counts.values())))
    assert len(clips) == corpus.sizes["standard"]
    assert len({clip.track for clip in clips}) == len(clips)
    for name, size in corpus.sizes.items():
        assert Counter(clip.split for clip in clips[:size]) == corpus.counts[name]


def test_sizes_are_what_comparisons_need() -> None:
    standard = RenderedScores.counts["standard"]
    assert standard["test"] >= 5000
    assert standard["val"] >= 800
    assert 3600 <= standard["train"] <= 3700


def test_splits_are_in_proportion_at_any_time() -> None:
    counts = [{"train": 10, "test": 5}, {"train": 20, "test": 45}]
    splits = list(in_proportion(counts))
    assert Counter(splits[:15]) == counts[0]
    assert Counter(splits) == counts[1]
    assert splits[:6].count("train") == 4
    assert splits[15:40].count("train") == 5


def test_groups_of_a_stratum_are_equally_frequent_however_many_works_they_have(works: list[Work]) -> None:
    songs = [work for work in works if work.collection == "essenGermany"]
    groups = [f"g{min(i % 50, 10)}" for i in range(len(songs))]  # most are in g10
    clips = list(order(songs, groups, VERSION, [{"train": 300}]))
    strata = [stratum_of(songs[clip.work]) for clip in clips]
    heard = Counter(groups[c.work] for c, of in zip(clips, strata, strict=True) if of[:2] == ("major", "simple duple"))
    assert len(heard) > 2
    assert max(heard.values()) - min(heard.values()) <= 1


def test_shares_of_the_groups() -> None:
    found = Counter(split_of(f"group {i}", VERSION) for i in range(4000))
    for split, share in SPLITS.items():
        assert found[split] / 4000 == pytest.approx(share, abs=0.03)


def test_works_return_only_when_all_of_their_stratum_were_heard(works: list[Work]) -> None:
    groups = [work.work for work in works]
    heard = Counter(clip.work for clip in order(works, groups, VERSION, [{"train": 900}]))
    strata: dict[object, list[int]] = {}
    for i, work in enumerate(works):
        if split_of(groups[i], VERSION) == "train":
            strata.setdefault(stratum_of(work), []).append(heard[i])
    assert len(strata) > 5
    assert all(np.ptp(counts) <= 1 for counts in strata.values())
    assert max(max(counts) for counts in strata.values()) > 1
