"""The interval against its closed form; ranks against planted answers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from helpers import planted
from scipy.stats import norm
from scipy.stats import t as student

from benchmark.interfaces import UserError
from benchmark.leaderboard.statistics import stats


def cell(values, stderr=0.02):
    """A scores table of one cell."""
    table = planted.scores({"simclr": 0.5})
    first = table[(table["task"] == "key") & (table["fraction"] == 0.01) & (table["probe"] == "linear")]
    rows = first.iloc[: len(values)].assign(value=values, test_stderr=stderr)
    return stats.prepare(rows)


def test_without_draws_the_interval_is_the_closed_form():
    """Test sampling is bounded by the runs' own errors, which are known; what seeds do is known by three."""
    values, stderrs = [0.50, 0.54, 0.61], [0.01, 0.02, 0.03]
    row = stats.summarize(cell(values, stderrs)).iloc[0]
    sampling, between = (0.01**2 + 0.02**2 + 0.03**2) / 3, np.var(values, ddof=1) / 3
    total = sampling + between
    freedom = total**2 / (between**2 / 2)
    assert row["mean"] == pytest.approx(0.55)
    assert row["half_width"] == pytest.approx(student.ppf(0.975, freedom) * math.sqrt(total))
    assert row["high"] - row["mean"] == pytest.approx(row["half_width"])
    assert (row["runs"], row["lone"]) == (3, False)


def test_one_run_that_nothing_is_known_beside_has_test_sampling_only():
    row = stats.summarize(cell([0.5])).iloc[0]
    assert row["half_width"] == pytest.approx(norm.ppf(0.975) * 0.02)
    assert row["lone"]
    assert not stats.summarize(cell([0.5]), ["simclr"])["lone"].item()


def test_more_runs_do_not_shrink_test_sampling():
    assert stats.summarize(cell([0.5] * 3))["half_width"].item() == pytest.approx(norm.ppf(0.975) * 0.02)


def test_one_seed_borrows_what_seeds_do_to_others():
    rows = [
        cell(values, 0.0).assign(strategy=name) for name, values in [("a", [0.4, 0.5, 0.6]), ("b", [0.3, 0.3, 0.3])]
    ]
    lone = cell([0.5], 0.0).assign(strategy="lone")
    found = stats.summarize(pd.concat([*rows, lone])).set_index("strategy")
    assert found.loc["lone", "half_width"] > math.sqrt(3) * found.loc[["a", "b"], "half_width"].mean() > 0
    assert found["lone"].to_dict() == {"a": False, "b": False, "lone": True}
    fixed = stats.summarize(pd.concat([*rows, lone]), ["lone"]).set_index("strategy")
    assert fixed.loc["lone", "half_width"] == 0


def test_what_moves_all_rows_alike_was_seen_only_as_often_as_it_was_drawn():
    """Twenty rows that every label draw moves by the same: three draws say what three draws say, not sixty."""
    moves = [-0.1, 0.0, 0.1]
    rows = [cell([0.5 + m for m in moves], 0.0).assign(strategy=f"s{i}", seed=0, resample=[0, 1, 2]) for i in range(20)]
    found = stats.summarize(pd.concat(rows), [f"s{i}" for i in range(20)])
    expected = student.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    np.testing.assert_allclose(found["half_width"], expected)


def test_seeds_crossed_with_draws_are_not_counted_as_independent_runs():
    """Three seeds that differ, ten draws that do not: thirty runs say no more than three."""
    values = [0.4, 0.5, 0.6] * 10
    table = cell([0.5] * 3).iloc[:1]
    table = pd.concat([table] * 30, ignore_index=True)
    table = table.assign(value=values, seed=[0, 1, 2] * 10, resample=np.repeat(np.arange(10), 3), test_stderr=0.0)
    expected = student.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert stats.summarize(stats.prepare(table))["half_width"].item() == pytest.approx(expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_run_that_is_no_number_makes_its_cell_missing(bad):
    row = stats.summarize(cell([0.5, bad, 0.6])).iloc[0]
    assert row[["mean", "half_width", "low", "high"]].isna().all()


def test_unknown_standard_error_is_not_zero():
    old = cell([0.5, 0.6]).drop(columns="test_stderr")
    row = stats.summarize(stats.prepare(old)).iloc[0]
    assert row["mean"] == pytest.approx(0.55)
    assert math.isnan(row["half_width"])


def ranked(values, higher=True):
    """Mean rank by strategy from {strategy: [score of task 0, of task 1, ...]}."""
    rows = [
        dict(zip(stats.CELL, [name, "", "", f"t{i}", 0.1, "linear", "m"], strict=True), mean=value, main=True)
        for name, scores in values.items()
        for i, value in enumerate(scores)
    ]
    table = stats.add_ranks(pd.DataFrame(rows), {"t0": higher, "t1": higher})
    return table.drop_duplicates("strategy").set_index("strategy")["mean_rank"].to_dict()


def test_mean_ranks_average_ties():
    assert ranked({"a": [3, 1], "b": [2, 1], "c": [1, 0]}) == {"a": 1.25, "b": 1.75, "c": 3.0}


def test_mean_ranks_follow_the_direction():
    assert ranked({"a": [3, 2], "b": [1, 1]}, higher=False) == {"a": 2.0, "b": 1.0}


def test_a_missing_cell_leaves_no_mean_rank_and_shifts_nobody():
    ranks = ranked({"a": [3, 2], "b": [2, 3], "gap": [9, np.nan]})
    assert math.isnan(ranks.pop("gap"))
    assert ranks == {"a": 1.5, "b": 1.5}


def test_scores_are_checked(tmp_path):
    good = planted.scores()
    with pytest.raises(UserError, match=r"does not exist.*benchmark run"):
        stats.load_scores(tmp_path)
    for broken, says in [
        (good.drop(columns="probe"), "lacks the column.*probe"),
        (good.assign(value="high"), "column value is not numeric"),
        (pd.concat([good, good.head(1)]), "two rows for one run.*task=instrument"),
        (
            good.assign(split_hash=["aa", *["5f1e"] * (len(good) - 1)]),
            "'instrument' was scored on different splits",
        ),
    ]:
        with pytest.raises(UserError, match=says):
            stats.load_scores(planted.write(tmp_path, broken))


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "scores.parquet").write_text("strategy,value")
    with pytest.raises(UserError, match=r"scores\.parquet is not a usable scores table"):
        stats.load_scores(tmp_path)
