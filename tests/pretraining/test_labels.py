"""A corpus's columns as labels: a class per value, or per element of lists."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from benchmark.interfaces import UserError
from benchmark.pretraining.labels import check_labels, multi_hot
from strategies.semisupcon import SemiSupCon

TRACKS = pd.DataFrame(
    {
        "split": ["train", "train", "train", "train", "test"],
        "family": ["brass", "strings", None, "brass", "organ"],
        "tags": [["slow", "cello"], [], ["cello"], None, ["rare", "slow"]],
        "beats": [[0.1, 0.6], [0.2], [], [0.4], [0.5]],
    }
)
TRAIN = np.arange(4)


def test_classes_are_the_training_tracks_values_side_by_side() -> None:
    labels = multi_hot(TRACKS, TRAIN, ("tags", "family"))
    assert labels.dtype == np.float32
    # cello, slow | brass, strings
    assert labels.tolist() == [[1, 1, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert multi_hot(TRACKS, TRAIN, ()).shape == (5, 0)


def test_lists_are_the_same_from_a_table_on_disk() -> None:
    """Parquet gives them back as arrays."""
    file = io.BytesIO()
    TRACKS.to_parquet(file)
    read = pd.read_parquet(file)
    assert isinstance(read["tags"][0], np.ndarray)
    assert (multi_hot(read, TRAIN, ("tags",)) == multi_hot(TRACKS, TRAIN, ("tags",))).all()


@pytest.mark.parametrize(("tag", "says"), [("mood", "no tag mood"), ("beats", "beats are lists, but not of tags")])
def test_what_is_no_tag_is_refused(tag: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        multi_hot(TRACKS, TRAIN, ("family", tag))


def test_a_strategy_looks_at_the_training_tracks_labels() -> None:
    """Tracks 0 and 2 share `cello`, 0 and 3 `brass`; nobody shares two."""
    check_labels(SemiSupCon, SemiSupCon.Config(tags=("family", "tags"), threshold=1), TRACKS)
    says = r"threshold 2: no two of the 4 labeled training tracks .* at most 3; 4 pairs share 0, 2 pairs share 1"
    with pytest.raises(UserError, match=says):
        check_labels(SemiSupCon, SemiSupCon.Config(tags=("family", "tags"), threshold=2), TRACKS)
    check_labels(SemiSupCon, SemiSupCon.Config(label_share=0.0, threshold=9), TRACKS)  # hears none
