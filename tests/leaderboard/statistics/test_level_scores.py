"""Levels: weights and floors by hand, reliability and power against made leaderboards of known noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import worlds

from benchmark.leaderboard.record import load_run
from benchmark.leaderboard.statistics import compare, levels, stats, tables

ROOT = Path(__file__).resolve().parents[3]
QUIET = worlds.Noise(50, {"row": 0.0, "shared": 0.02**2, "run": 0.01**2}, {"row_seed": 0.01**2})
NOISY = worlds.Noise(50, {"row": 0.02**2, "shared": 0.02**2, "run": 0.03**2}, {"row_seed": 0.03**2})
LEVEL_OF = {"a": "pitch", "b": "pitch", "c": "time"}


def made(spread=0.05, rows=12, seeds=3, seed=0, noises=None):
    noises, rng = noises or {"a": QUIET, "b": NOISY, "c": QUIET}, np.random.default_rng(seed)
    truths = {task: 0.5 + spread * rng.normal(size=rows) for task in noises}
    return worlds.made(noises, truths, seeds, 1, rng), truths


def test_a_level_is_the_weighted_mean_of_its_tasks_from_floor_to_ceiling():
    scores = made()[0].scores
    floor, weights = {"a": 0.2, "b": 8.0, "c": 0.0}, {"a": 3.0, "b": 1.0, "c": 1.0}
    found = levels.level_scores(scores, LEVEL_OF, weights, floor, {"b": False})
    key = (found["strategy"] == "s03") & (found["seed"] == 1)
    pitch, time = (found[key & (found["task"] == name)].iloc[0] for name in ("pitch", "time"))
    own = scores[(scores["strategy"] == "s03") & (scores["seed"] == 1)].set_index("task")
    expected = 0.75 * (own["value"]["a"] - 0.2) / 0.8 + 0.25 * (8.0 - own["value"]["b"]) / 8.0
    assert pitch["value"] == pytest.approx(expected)
    drawn = 0.75 * (own["draws"]["a"] - 0.2) / 0.8 + 0.25 * (8.0 - own["draws"]["b"]) / 8.0
    np.testing.assert_allclose(pitch["draws"], drawn)
    np.testing.assert_allclose(time["draws"], own["draws"]["c"])
    assert time["value"] == pytest.approx(own["value"]["c"])
    assert list(found) == list(scores)


def test_tasks_without_weight_floor_or_room_take_no_part_and_a_gap_stays_one():
    scores = made()[0].scores
    floor = {"a": 0.0, "b": 0.0, "c": 0.0}
    alone = levels.level_scores(scores, LEVEL_OF, {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 0.0, "c": 0.0}, {})
    for weights, at in [({"a": 1.0, "b": 0.0, "c": 1.0}, floor), ({"a": 1, "b": 1, "c": 1}, floor | {"b": 1.0})]:
        pd.testing.assert_frame_equal(levels.level_scores(scores, LEVEL_OF, weights, at, {}), alone)
    lost = scores[~((scores["strategy"] == "s03") & (scores["seed"] == 1) & (scores["task"] == "b"))]
    found = levels.level_scores(lost, LEVEL_OF, dict.fromkeys("abc", 1.0), floor, {})
    gone = found[found["value"].isna()]
    assert gone[["strategy", "seed", "task"]].to_numpy().tolist() == [["s03", 1, "pitch"]]
    assert levels.level_scores(scores, LEVEL_OF, {}, floor, {}).empty


def error_of(noise):
    """Variance of a row's mean over three seeds, other test items included."""
    return noise.luck["row"] + (noise.luck["run"] + noise.spread["row_seed"]) / 3


def test_reliability_is_the_share_of_the_variance_that_is_no_error():
    found = {"a": [], "b": []}
    for seed in range(20):
        world, _ = made(seed=seed)
        table = levels.power(compare.pairwise(world.scores, {})).set_index("task")["reliability"]
        means = world.scores.groupby(["task", "strategy"])["value"].mean()
        for task, noise in (("a", QUIET), ("b", NOISY)):
            found[task].append(table[task] - (1 - error_of(noise) / means[task].var()))
    assert np.mean(found["a"]) == pytest.approx(0.0, abs=0.01)
    assert np.mean(found["b"]) == pytest.approx(0.0, abs=0.05)


def test_rows_without_a_difference_are_not_reliable_and_a_lone_seed_says_nothing():
    same = [levels.power(compare.pairwise(made(spread=0.0, seed=seed)[0].scores, {})) for seed in range(8)]
    assert np.mean([table["reliability"].mean() for table in same]) < 0.25
    alone = levels.power(compare.pairwise(made(seeds=1)[0].scores, {}))
    assert alone["task"].tolist() == ["a", "b", "c"]
    assert alone[["reliability", "detectable"]].isna().all(axis=None)


def test_the_detectable_difference_is_found_in_four_of_five():
    """One comparison at 5 %: two rows, better by 2.8 standard errors of their difference and what few seeds add."""
    gap, seen, told = 1.18 * 2.8 * np.sqrt(2 * error_of(QUIET)), [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = worlds.made({"a": QUIET}, {"a": np.array([0.5 + gap, *[0.5] * 11])}, 3, 1, rng).scores
        pairs = compare.pairwise(scores, {})
        told.append(levels.power(pairs)["detectable"].item())
        seen.append((pairs.loc[pairs["first_strategy"] == "s00", "p"] <= 0.05).mean())
    assert np.mean(told) == pytest.approx(gap, rel=0.15)
    assert 0.7 <= np.mean(seen) <= 0.95


def test_a_winner_on_one_level_is_found_and_no_other_is():
    """One row better by .1 on both tasks of a level; others equal: it leads there, and nothing leads elsewhere."""
    rng, truths = np.random.default_rng(1), {task: np.full(8, 0.5) for task in LEVEL_OF}
    for task in ("a", "b"):
        truths[task] = truths[task] + 0.1 * (np.arange(8) == 4)
    scores = worlds.made({"a": QUIET, "b": NOISY, "c": QUIET}, truths, 3, 1, rng).scores
    found = levels.level_scores(scores, LEVEL_OF, {"a": 1.0, "b": 0.2, "c": 1.0}, dict.fromkeys("abc", 0.0), {})
    pairs = compare.pairwise(found, {})
    won = compare.both_ways(pairs).query("wins == 'first'")
    assert set(zip(won["task"], won["first_strategy"], strict=True)) == {("pitch", "s04")}
    assert len(won) == 7


@pytest.mark.parametrize("fraction", [0.1, 1.0])
def test_the_reference_is_as_reliable_as_cronbachs_alpha_over_its_seeds(fraction):
    """Alpha knows nothing of test items, so that it is above, by no more than these tell rows apart."""
    folder = ROOT / "results" / "reference"
    run, scores = load_run(folder), stats.load_scores(folder)
    scores = scores[scores["fraction"] == fraction]
    seeds = scores.groupby("strategy")["seed"].nunique()
    rows = set(seeds.index[seeds == 3])
    found = levels.power(tables.pairs(scores, run), rows).set_index("task")["reliability"]
    main = scores[scores["draws"].notna() & scores["strategy"].isin(rows)]
    assert len(found) == 14
    for task, part in main.groupby("task"):
        runs = part.pivot_table(index="strategy", columns="seed", values="value").to_numpy()
        alpha = 1.5 * (1 - runs.var(axis=0, ddof=1).sum() / runs.sum(axis=1).var(ddof=1))
        drawn = np.stack([np.mean(np.stack(list(own)), axis=0) for _, own in part.groupby("strategy")["draws"]])
        pairs = np.triu_indices(len(drawn), 1)
        differences, means = drawn[pairs[0]] - drawn[pairs[1]], runs.mean(axis=1)
        spread = np.square(means[pairs[0]] - means[pairs[1]]).mean()
        items = differences.var(axis=1, ddof=1).mean() / spread
        assert alpha - items - 0.005 <= found[task] <= alpha + 0.005, task
