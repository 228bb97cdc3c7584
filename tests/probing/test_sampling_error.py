"""How far a score would move with other test groups: against closed forms, scikit-learn, and between strategies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.probing import evaluate as evaluation
from benchmark.probing.evaluate import chance, in_short, scored_with_error
from tasks.instrument import Instrument
from tasks.melody import Melody
from tasks.metre import Metre


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "BOOTSTRAP_DRAWS", 2000)


def test_independent_items_give_the_binomial_error(many: None) -> None:
    rng = np.random.default_rng(0)
    truth: list[Any] = rng.integers(0, 8, 400).tolist()
    guesses: list[Any] = [y if rng.random() < 0.7 else (y + 1) % 8 for y in truth]
    p = np.equal(guesses, truth).mean()
    _, errors, draws = scored_with_error(Instrument(), guesses, truth, np.arange(400))
    expected = np.sqrt(p * (1 - p) / 400)
    assert errors["accuracy"] == pytest.approx(expected)
    assert np.std(draws) == pytest.approx(expected, rel=0.06)
    assert np.mean(draws) == pytest.approx(p, abs=3 * expected / np.sqrt(2000))


def test_items_of_one_group_count_as_one(many: None) -> None:
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(50) < 0.6, 8)
    truth: list[Any] = [0] * 400
    guesses: list[Any] = np.where(right, 0, 1).tolist()
    _, errors, draws = scored_with_error(Instrument(), guesses, truth, np.repeat(np.arange(50), 8))
    expected = np.sqrt(right.mean() * (1 - right.mean()) / 50)
    assert errors["accuracy"] == pytest.approx(expected)
    assert np.std(draws) == pytest.approx(expected, rel=0.06)


def test_draws_are_the_metric_on_resampled_items_and_the_same_for_every_strategy() -> None:
    """A twin that knows more is ahead on every draw in which the two differ: differences are paired."""
    rng = np.random.default_rng(2)
    task, groups = Metre(), np.repeat(np.arange(30), 3)
    truth: list[Any] = rng.integers(0, len(task.classes), 90).tolist()
    weak: list[Any] = rng.integers(0, len(task.classes), 90).tolist()
    strong: list[Any] = [y if rng.random() < 0.5 else w for y, w in zip(truth, weak, strict=True)]
    _, _, of_weak = scored_with_error(task, weak, truth, groups)
    _, _, of_strong = scored_with_error(task, strong, truth, groups)
    paired = np.subtract(of_strong, of_weak)
    assert (paired > 0).all()
    assert np.std(paired) < np.hypot(np.std(of_strong), np.std(of_weak))
    chosen = np.random.default_rng(0).integers(0, 30, (evaluation.BOOTSTRAP_DRAWS, 30))[7]
    items = np.concatenate([np.flatnonzero(groups == g) for g in chosen])
    theirs = f1_score(np.array(truth)[items], np.array(weak)[items], average="macro", labels=range(len(task.classes)))
    assert of_weak[7] == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("of", ["tune", "program"])
def test_what_other_programs_would_change_is_in_the_error_where_they_are_drawn_too(of: str, many: None) -> None:
    tune, program = (column.ravel() for column in np.meshgrid(np.arange(60), np.arange(23)))
    of_what = tune if of == "tune" else program
    right = (np.random.default_rng(4).random(of_what.max() + 1) < 0.6)[of_what]
    truth: list[Any] = [0] * len(right)
    guesses: list[Any] = np.where(right, 0, 1).tolist()
    expected = np.sqrt(right.mean() * (1 - right.mean()) / (of_what.max() + 1))
    _, errors, draws = scored_with_error(Instrument(), guesses, truth, tune, program)
    assert errors["accuracy"] == pytest.approx(expected, rel=0.06)
    assert np.std(draws) == pytest.approx(expected, rel=0.06)
    blind = scored_with_error(Instrument(), guesses, truth, tune)[1]["accuracy"]
    assert blind == pytest.approx(expected if of == "tune" else 0, abs=1e-6)


def test_what_is_in_the_single_item_counts_three_times_at_most(many: None) -> None:
    """Once as luck with items, and with each of what is drawn once more: Owen's bound."""
    rng = np.random.default_rng(5)
    tune, program = rng.integers(0, 600, 2000), rng.integers(0, 40, 2000)
    truth: list[Any] = [0] * 2000
    guesses: list[Any] = (rng.random(2000) < 0.4).astype(int).tolist()
    expected = np.sqrt(0.6 * 0.4 / 2000)
    error = scored_with_error(Instrument(), guesses, truth, tune, program)[1]["accuracy"]
    assert expected < error < np.sqrt(3) * 1.1 * expected


def test_of_few_tunes_by_few_programs_some_draws_hold_nothing(many: None) -> None:
    truth: list[Any] = [0, 1, 0, 1, 1, 0]
    scores, errors, draws = scored_with_error(Instrument(), [0, 1, 1, 1, 1, 0], truth, np.arange(6), np.arange(6) % 3)
    assert np.isnan(draws).any()
    assert np.isfinite([*scores.values(), *errors.values()]).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 400.0])
def test_draws_in_short_say_the_same(scale: float) -> None:
    """Of each, and of how far two are apart: whatever the metric's unit; what does not move stays to the bit."""
    rng = np.random.default_rng(3)
    shared = rng.normal(0.6, 0.01, 100)
    one, other = (scale * (shared + rng.normal(0, 0.002, 100)) for _ in range(2))
    short = in_short(one)
    assert np.abs(short - one).max() <= np.std(one, ddof=1) / 32
    assert np.std(short) == pytest.approx(np.std(one), rel=2e-3)
    assert np.std(short - in_short(other)) == pytest.approx(np.std(one - other), rel=0.01)
    np.testing.assert_array_equal(in_short(short), short)
    np.testing.assert_array_equal(in_short(np.full(100, 0.1)), np.full(100, 0.1))
    undefined = np.where(np.arange(100) == 7, np.nan, one)
    np.testing.assert_array_equal(np.isnan(in_short(undefined)), np.isnan(undefined))


def test_chance_is_what_guesses_with_the_same_shares_score() -> None:
    """Permuted labels of shares p agree with predictions of these shares with probability sum p^2, however right."""
    shares = np.array([0.6, 0.3, 0.1])
    labels: list[Any] = np.random.default_rng(0).choice(3, size=3000, p=shares).tolist()
    assert chance(Instrument(), labels, labels)["accuracy"] == pytest.approx(np.square(shares).sum(), abs=0.01)


def test_each_item_is_scored_once_and_as_the_task_scores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean over items is taken from the items; whatever a task scores otherwise, as it does."""
    guesses, truth = [[220.0, -440.0, 330.0]] * 5, [np.array([220.0, 0.0, 165.0])] * 5
    classes: tuple[list[Any], list[Any]] = ([0, 1, 2, 1, 0], [0, 1, 1, 1, 2])
    melody, instrument = Melody().score(guesses, truth), Instrument().score(*classes)
    asked, items = [], Melody.item_scores

    def counted(self: Melody, *scored: Any) -> Any:
        asked.append(scored)
        return items(self, *scored)

    monkeypatch.setattr(Melody, "item_scores", counted)
    assert scored_with_error(Melody(), guesses, truth, np.arange(5))[0] == melody
    assert len(asked) == 1
    assert scored_with_error(Instrument(), *classes, np.arange(5))[0] == instrument
