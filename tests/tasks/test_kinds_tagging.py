"""Tag metrics against scikit-learn's own averages, and what happens where they are not defined."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmark.interfaces import Info, Task
from tasks.kinds.tagging import Tagging


class Tags(Tagging):
    """Four tags."""

    info = Info("tags", "Tags", "this test")
    level = "timbre"
    corpus = "none"
    labels = ("tags",)
    classes: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d")


def drawn(n: int, prevalence: float = 0.3) -> tuple[list[list[float]], list[np.ndarray]]:
    """Logits that say nothing, and truths."""
    rng = np.random.default_rng(0)
    truth = (rng.random((n, 4)) < prevalence).astype(np.float32)
    return rng.normal(size=(n, 4)).tolist(), list(truth)


def test_macro_averages_are_scikit_learns() -> None:
    estimate, truth = drawn(200)
    estimate = (np.array(estimate) + np.array(truth)).tolist()
    scores = Tags().score(estimate, truth)
    assert scores["map"] == pytest.approx(average_precision_score(truth, estimate, average="macro"))
    assert scores["roc_auc"] == pytest.approx(roc_auc_score(truth, estimate, average="macro"))


def test_perfect_constant_and_random_predictions() -> None:
    noise, truth = drawn(20_000)
    prevalence = np.mean(truth, axis=0).mean()
    assert Tags().score([t.tolist() for t in truth], truth) == {"map": 1.0, "roc_auc": 1.0}
    assert Tags().score([[0.0] * 4] * len(truth), truth) == pytest.approx({"map": prevalence, "roc_auc": 0.5})
    assert Tags().score(noise, truth) == pytest.approx({"map": prevalence, "roc_auc": 0.5}, abs=0.01)


def test_only_the_order_of_the_clips_counts() -> None:
    estimate, truth = drawn(100)
    squashed = (1 / (1 + np.exp(-3 * np.array(estimate) + [1, 0, -1, 5]))).tolist()
    assert Tags().score(squashed, truth) == pytest.approx(Tags().score(estimate, truth))


def test_a_tag_with_one_side_only_is_left_out_of_the_mean() -> None:
    estimate, truth = drawn(100)
    table = np.array(truth)
    table[:, 1], table[:, 3] = 0, 1
    scores = Tags().score(estimate, list(table))
    kept = np.array(estimate)[:, [0, 2]]
    assert scores["roc_auc"] == pytest.approx(roc_auc_score(table[:, [0, 2]], kept, average="macro"))
    assert scores["map"] == pytest.approx(average_precision_score(table[:, [0, 2]], kept, average="macro"))


def test_a_tag_that_nobody_looked_for_is_left_out_of_the_clip() -> None:
    estimate, truth = drawn(100)
    table = np.array(truth)
    table[:50, 0] = np.nan
    table[:, 1] = np.nan
    table[1:, 3] = np.nan  # one clip has one side only
    logits = np.array(estimate)
    aucs = [roc_auc_score(table[50:, 0], logits[50:, 0]), roc_auc_score(table[:, 2], logits[:, 2])]
    assert Tags().score(estimate, list(table))["roc_auc"] == pytest.approx(np.mean(aucs))


def test_with_no_defined_tag_the_score_is_nan() -> None:
    scores = Tags().score([[0.0] * 4] * 3, [np.zeros(4, np.float32)] * 3)
    assert np.isnan(list(scores.values())).all()
    assert set(scores) == {"map", "roc_auc"}


def test_an_empty_list_is_a_label_and_a_missing_one_is_none() -> None:
    tracks = pd.DataFrame({"tags": [["c", "a", "unheard of"], [], None]})
    targets = Tags().targets(tracks)
    np.testing.assert_array_equal(targets[0], [1, 0, 1, 0])
    np.testing.assert_array_equal(targets[1], [0, 0, 0, 0])
    assert targets[2] is None


def test_predictions_are_the_logits() -> None:
    logits = np.array([-2.5, 0.0, 0.5, 40.0], np.float32)
    assert Tags().decode([logits], 25.0) == [[-2.5, 0.0, 0.5, 40.0]]


def test_draws_at_once_score_as_one_by_one() -> None:
    """Clips drawn twice or never, ties, unknown cells, a tag that some draws lack."""
    rng = np.random.default_rng(0)
    truth = (rng.random((40, 5)) < [0.5, 0.3, 0.1, 0.03, 0.9]).astype(float)
    truth[rng.random(truth.shape) < 0.15] = np.nan
    estimate = np.round(np.nan_to_num(truth) + rng.normal(size=truth.shape), 1).tolist()
    task, draws = Tags(), [rng.integers(0, 40, 40) for _ in range(30)]
    together = task.resampled_scores(estimate, list(truth), draws)
    one_by_one = Task.resampled_scores(task, estimate, list(truth), draws)
    for ours, theirs in zip(together, one_by_one, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)
