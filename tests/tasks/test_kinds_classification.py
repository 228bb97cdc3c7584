"""Classification: targets, decoding and scores against scikit-learn, and the predictors whose scores are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from benchmark.interfaces import Info, Task
from tasks.kinds.classification import Classification


class Colors(Classification):
    info = Info("colors", "Colors", "this test", version=1)
    level = "timbre"
    corpus = "none"
    labels = ("color",)
    classes = ("red", "green", "blue", "never")


def test_targets_are_positions_and_other_values_are_no_label() -> None:
    tracks = pd.DataFrame({"color": ["blue", "red", "mauve", None, "green", float("nan")]})
    assert Colors().targets(tracks) == [2, 0, None, None, 1, None]


def test_decoding_is_the_likeliest_class_whatever_the_scale() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    decoded = Colors().decode(list(logits), 25.0)
    assert decoded == [max(range(4), key=row.__getitem__) for row in logits.tolist()]
    assert decoded == Colors().decode([3 * row - 7 for row in logits], 1.0)
    assert all(type(prediction) is int for prediction in decoded)


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, size=300, p=[0.7, 0.2, 0.1])
    guess = np.where(rng.random(300) < 0.6, truth, rng.integers(4, size=300))
    scores = Colors().score(guess.tolist(), truth.tolist())
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, guess))
    # over the classes that the test shows: the fourth is guessed, but cannot be right
    each = [f1_score(truth == c, guess == c) for c in range(3)]
    assert scores["macro_f1"] == pytest.approx(np.mean(each))


def test_perfect_constant_and_random_predictions() -> None:
    truth = [0] * 500 + [1] * 300 + [2] * 200
    assert Colors().score(truth, truth) == {"accuracy": 1.0, "macro_f1": 1.0}
    constant = Colors().score([0] * 1000, truth)
    assert constant["accuracy"] == 0.5
    assert constant["macro_f1"] == pytest.approx((2 * 0.5 / 1.5) / 3)
    random = np.random.default_rng(0).integers(4, size=1000).tolist()
    # four standard deviations of a binomial
    assert Colors().score(random, truth)["accuracy"] == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 1000) ** 0.5)


def test_items_are_hits_and_their_mean_is_the_accuracy() -> None:
    hits = Colors().item_scores([0, 1, 2, 2], [0, 1, 1, 2])["accuracy"]
    np.testing.assert_array_equal(hits, [1.0, 1.0, 0.0, 1.0])
    assert Colors().score([0, 1, 2, 2], [0, 1, 1, 2])["accuracy"] == hits.mean()


def test_draws_at_once_score_as_one_by_one() -> None:
    """Clips drawn twice or never, classes that some draws lack, one that is only ever called."""
    rng = np.random.default_rng(0)
    truth = rng.choice([0, 1, 3, 7], 40, p=[0.5, 0.35, 0.1, 0.05]).tolist()
    called = np.where(rng.random(40) < 0.5, truth, rng.choice([0, 1, 2, 3], 40)).tolist()
    task, draws = Colors(), [rng.integers(0, 40, 40) for _ in range(30)]
    assert any(len({truth[i] for i in draw}) < 4 for draw in draws)
    together = task.resampled_scores(called, truth, draws)
    for ours, theirs in zip(together, Task.resampled_scores(task, called, truth, draws), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_whoever_scores_otherwise_resamples_otherwise() -> None:
    class Hits(Colors):
        def score(self, predictions, targets):
            return {"hits": float(np.equal(predictions, targets).sum())}

    assert Hits().resampled_scores([0, 1], [0, 2], [np.array([0, 0]), np.array([1, 1])]) == [{"hits": 2}, {"hits": 0}]


def test_the_main_score_alone_is_that_among_all_however_a_task_scores() -> None:
    class Own(Classification):
        classes = ("a", "b", "c")

        def score(self, predictions: list, targets: list) -> dict[str, float]:
            return {"accuracy": 0.125}

    class Macro(Classification):
        classes = ("a", "b", "c")
        metric = "macro_f1"

    rng = np.random.default_rng(0)
    predictions, targets = rng.integers(3, size=(2, 50)).tolist()
    for kind in (Classification, Own, Macro):
        task = kind.__new__(kind)
        assert Classification.main_score(task, predictions, targets) == task.score(predictions, targets)[task.metric]
