"""Pairs of strategies: the closed forms by scipy, Holm by hand, planted answers, and the error rates by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_rel

from benchmark.leaderboard.statistics import compare, stats

B = 200


def world(
    truths, tasks=1, seeds=3, label_draws=1, by_seed=0.0, by_label=0.0, groups=40, by_item=0.1, rng=None, by_run=0.0
):
    """Runs on a made test set: group scores share each group's difficulty, and every task is another test set."""
    rng = rng or np.random.default_rng(3)
    rows = []
    for task in range(tasks):
        weights = rng.multinomial(groups, np.full(groups, 1 / groups), size=B) / groups
        difficulty = 0.2 * rng.normal(size=groups)
        shared = 0.3 * rng.normal(size=label_draws)  # a lucky label draw helps everyone alike
        for name, truth in truths.items():
            own = truth + difficulty + by_item * rng.normal(size=groups)
            seed_effects, draw_effects = by_seed * rng.normal(size=seeds), by_label * rng.normal(size=label_draws)
            for seed, draw in itertools.product(range(seeds), range(label_draws)):
                items = own + seed_effects[seed] + shared[draw] + draw_effects[draw] + by_run * rng.normal(size=groups)
                rows.append([name, f"t{task}", draw, seed, items.mean(), list(weights @ items)])
    table = pd.DataFrame(rows, columns=["strategy", "task", "resample", "seed", "value", "draws"])
    return table.assign(encoder="cnn", pretrain_corpus="", fraction=0.1, probe="linear", groups=groups)


def compared(table, higher=None, fixed=()):
    """The pairs of one matrix by (first, second)."""
    pairs = compare.pairwise(table, higher or {}, fixed)
    return {(row.first_strategy, row.second_strategy): row for row in pairs.itertuples()}


def same_on_every_draw(table):
    """Without test sampling."""
    return table.assign(draws=[[value] * B for value in table["value"]])


def only(table, fixed=()):
    (row,) = compared(table, fixed=fixed).values()
    return row


def test_one_run_each_is_the_paired_bootstrap():
    table = world({"a": 0.7, "b": 0.5}, seeds=1).drop(columns="groups")
    row = only(table, fixed="ab")
    a, b = (np.array(draws) for draws in table["draws"])
    stderr = np.std(a - b, ddof=1)
    assert row.difference == pytest.approx(table["value"][0] - table["value"][1])
    assert row.stderr == pytest.approx(stderr)
    assert row.p == pytest.approx(2 * student.sf(row.difference / stderr, B - 1))
    assert row.half_width == pytest.approx(student.ppf(0.975, B - 1) * stderr)
    # What both share, the difficulty of the items, is no error of their difference.
    assert stderr < 0.75 * np.std(a, ddof=1)


def test_few_test_groups_widen_the_error():
    """The variance of a mean over 40 groups by the bootstrap is that of 40 values divided by 40, not by 39."""
    table = world({"a": 0.7, "b": 0.5}, seeds=1)
    many, few = only(table.drop(columns="groups"), fixed="ab"), only(table, fixed="ab")
    assert few.stderr == pytest.approx(many.stderr * math.sqrt(40 / 39))
    assert few.freedom == pytest.approx(39)


def test_the_same_difference_on_every_draw_of_hardly_any_groups_is_no_certainty():
    table = same_on_every_draw(world({"a": 1.0, "b": 0.0}, seeds=1, by_item=0.0))
    assert only(table.assign(groups=6), fixed="ab").wins == "first"
    few = only(table.assign(groups=5), fixed="ab")
    assert (few.wins, few.distinct) == ("tied", False)
    assert math.isnan(few.p)


def test_without_test_sampling_it_is_the_paired_t_test_over_seeds():
    table = same_on_every_draw(world({"a": 0.55, "b": 0.5}, seeds=5, by_seed=0.05))
    row = only(table)
    a, b = (table.loc[table["strategy"] == name, "value"] for name in "ab")
    assert (row.p, row.freedom) == (pytest.approx(ttest_rel(a, b).pvalue), pytest.approx(4))


def test_every_source_of_variance_counts_once():
    """By hand: of draws and scores, variances of seed means over S and of draw means over R, the rest of both once."""
    table = world({"a": 0.6, "b": 0.5}, seeds=3, label_draws=5, by_seed=0.05, by_label=0.05, by_run=0.1)
    runs = table.set_index(["strategy", "resample", "seed"])[["value", "draws"]].sort_index()
    a, b = (np.array([[v, *d] for v, d in runs.loc[name].itertuples(index=False)]) for name in "ab")
    x = (a - b).reshape(5, 3, 1 + B)
    x[..., 1:] -= x[..., 1:].mean(axis=-1, keepdims=True)
    seeds, draws, mean = x.mean(axis=0), x.mean(axis=1), x.mean(axis=(0, 1))
    rest = (x - seeds - draws[:, None] + mean) ** 2
    terms = seeds.var(axis=0, ddof=1) / 3 + draws.var(axis=0, ddof=1) / 5 - rest.sum(axis=(0, 1)) / (2 * 4) / (3 * 5)
    scale = 40 / 39 / (B - 1)
    test = (np.square(mean[1:]).sum() - terms[1:].sum()) * scale
    row = only(table)
    assert row.stderr == pytest.approx(math.sqrt(test + terms[0]))
    assert (row.label_draws, row.first_seeds, row.second_seeds) == (5, 3, 3)
    assert test == pytest.approx(np.mean([covariance(x, *pair) for pair in different(5, 3)]) * scale)


def different(draws, seeds):
    """Runs that share neither label draw nor seed, two and two."""
    runs = list(itertools.product(range(draws), range(seeds)))
    return [(r, q) for r in runs for q in runs if r[0] != q[0] and r[1] != q[1]]


def covariance(x, first, second):
    return float(x[first][1:] @ x[second][1:])


def test_luck_of_single_runs_is_not_counted_twice():
    """Runs differ by luck with the test items alone, each by its own: their spread says it all, of either row."""
    table = world({"a": 0.5, "b": 0.5}, tasks=120, seeds=3, by_item=0.0, by_run=0.3)
    squares = compare.pairwise(table, {})["stderr"] ** 2
    true = 2 * 0.3**2 / 40 / 3
    assert true <= squares.mean() <= 1.4 * true, "twice that if it were counted in the bootstrap draws too"


def test_pairs_whose_spreads_differ_by_chance_alone_count_with_the_average():
    table = world({"a": 0.5, "b": 0.5, "c": 0.5}, seeds=3)
    offsets = {"a": [0, 0, 0], "b": [0, 0, 0], "c": [-0.1, 0, 0.1]}
    table["value"] = [0.5 + offsets[name][seed] for name, seed in zip(table["strategy"], table["seed"], strict=True)]
    rows = compared(same_on_every_draw(table))
    average = (0 + 0.01 + 0.01) / 3
    assert [row.stderr for row in rows.values()] == pytest.approx([math.sqrt(average / 3)] * 3)
    assert rows["a", "b"].freedom == pytest.approx(2 * 2)


def test_a_row_that_scatters_much_more_than_all_others_keeps_more_of_its_own():
    table = world(dict.fromkeys("abcdefghij", 0.5), seeds=3, by_seed=0.01)
    wild = (table["strategy"] == "j") * 0.3 * (table["seed"] - 1)
    rows = compared(same_on_every_draw(table.assign(value=table["value"] + wild)))
    calm = [row.stderr for key, row in rows.items() if "j" not in key]
    assert min(row.stderr for key, row in rows.items() if "j" in key) > 1.5 * max(calm)


def test_one_row_whose_seeds_are_far_apart_hardly_widens_the_others():
    """Of ten rows one has seeds fifteen times as far apart: with the mean of all variances it took others' verdicts."""
    table = same_on_every_draw(world(dict.fromkeys("abcdefghij", 0.5), seeds=3, by_seed=0.02))
    wild = (table["strategy"] == "j") * 0.3 * (table["seed"] - 1)
    with_it, without = compared(table.assign(value=table["value"] + wild)), compared(table[table["strategy"] != "j"])
    calm = [row.half_width / without[key].half_width for key, row in with_it.items() if "j" not in key]
    assert np.median(calm) < 2
    assert min(row.half_width for key, row in with_it.items() if "j" in key) > 0.3
    whole = np.mean([row.error for row in with_it.values()])
    assert whole == pytest.approx(np.mean([row.stderr**2 for row in with_it.values()]), rel=0.5), "on average the same"


def test_a_strategy_without_seeds_meets_every_seed_of_the_other():
    table = world({"mfcc": 0.4, "simclr": 0.6}, seeds=3, label_draws=2, by_seed=0.05)
    table = table[(table["strategy"] == "simclr") | (table["seed"] == 0)]
    row = only(table, fixed=["mfcc"])
    means = table.groupby("strategy")["value"].mean()
    seeds = table[table["strategy"] == "simclr"].groupby("seed")["value"].mean()
    assert row.difference == pytest.approx(means["mfcc"] - means["simclr"])
    assert row.stderr**2 >= seeds.var() / 3
    assert (row.first_seeds, row.second_seeds, row.wins) == (1, 3, "second")


def test_one_seed_neither_wins_nor_loses():
    """However far it is ahead; its interval borrows what seeds do to the others."""
    table = world({"lone": 0.9, **dict.fromkeys("abcdefgh", 0.5)}, seeds=3, by_seed=0.05)
    rows = compared(table[(table["strategy"] != "lone") | (table["seed"] == 0)])
    alone = [row for key, row in rows.items() if "lone" in key]
    assert {row.wins for row in alone} == {"tied"}
    assert all(math.isnan(row.p) and math.isnan(row.p_holm) for row in alone)
    assert min(row.stderr for row in alone) > max(row.stderr for key, row in rows.items() if "lone" not in key)
    assert {row.wins for row in compared(table[table["seed"] == 0]).values()} == {"tied"}
    assert rows["a", "b"].p_holm <= 28 * rows["a", "b"].p + 1e-12, "those not tested are no part of the family"


def test_two_without_seeds_are_not_given_the_spread_of_those_with():
    table = world({"constant": 0.4, "mfcc": 0.5, "simclr": 0.6, "byol": 0.6}, by_seed=0.2)
    fixed = ["constant", "mfcc"]
    unseeded = table["strategy"].isin(fixed)
    alone = table[unseeded & (table["seed"] == 0)]
    together = compared(pd.concat([alone, table[~unseeded]]), fixed=fixed)
    assert together["constant", "mfcc"].stderr == pytest.approx(only(alone, fixed=fixed).stderr)


def test_runs_that_only_one_has_are_left_out_and_seeds_without_a_match_pair_in_order():
    table = world({"a": 0.6, "b": 0.5}, seeds=3, label_draws=3, by_seed=0.05, by_label=0.05)
    a, b = table["strategy"] == "a", table["strategy"] == "b"
    common = table[(table["seed"] < 2) & (table["resample"] < 2)]
    fewer = table[(a & (table["resample"] < 2)) | (b & (table["seed"] < 2))]
    assert only(fewer).difference == pytest.approx(only(common).difference)
    assert only(fewer).stderr == pytest.approx(only(common).stderr)
    moved = only(table.assign(seed=table["seed"] + 3 * b))
    assert (moved.difference, moved.p) == (only(table).difference, only(table).p)
    assert only(table.assign(resample=table["resample"] + 3 * b)).wins == "missing"


def test_missing_stays_missing_and_unknown_stays_unknown():
    table = world({"a": 0.9, "b": 0.5, "c": 0.1}, tasks=2)
    gap = table[(table["strategy"] != "b") | (table["task"] != "t1")]
    pairs = compare.pairwise(gap, {}).set_index(["task", "first_strategy", "second_strategy"])
    assert pairs["wins"].to_dict() == {
        **{("t0", *pair): "first" for pair in itertools.combinations("abc", 2)},
        ("t1", "a", "b"): "missing", ("t1", "a", "c"): "first", ("t1", "b", "c"): "missing",
    }  # fmt: skip
    lacking = pairs.loc[("t1", "a", "b")]
    assert lacking[["difference", "stderr", "half_width", "p", "p_holm"]].isna().all()
    # The family is those that were tested.
    assert pairs.loc[("t1", "a", "c"), "p_holm"] == pairs.loc[("t1", "a", "c"), "p"]
    diverged = table["value"].where((table["strategy"] != "b") | (table["seed"] != 1), np.inf)
    assert {row.wins for key, row in compared(table.assign(value=diverged)).items() if "b" in key} == {"missing"}
    old = compared(table.assign(draws=None))["a", "c"]
    assert (old.wins, old.distinct) == ("tied", False)
    assert old.difference > 0
    assert math.isnan(old.p)


@pytest.mark.parametrize("label_draws", [1, 3])
def test_rows_that_a_task_lacks_say_nothing_of_those_it_has(label_draws):
    """Neither in pairs nor in cells: their names alone made degrees of freedom, and 9 verdicts of the reference."""
    table = world(dict.fromkeys("abcd", 0.5), seeds=3, label_draws=label_draws, by_seed=0.03, by_label=0.05, by_run=0.1)
    absent = table.assign(strategy="z" + table["strategy"], value=np.nan, draws=None)
    both = pd.concat([table, absent], ignore_index=True)
    alone, among = compared(table), compared(both)
    assert {pair for pair, row in among.items() if row.wins != "missing"} == set(alone)
    for pair, row in alone.items():
        for name in ("difference", "stderr", "freedom", "half_width", "p", "p_holm", "error"):
            assert getattr(among[pair], name) == pytest.approx(getattr(row, name)), (pair, name)
    cells = [stats.summarize(t.assign(n_train=1, n_test=1, metric="m")).set_index("strategy") for t in (table, both)]
    pd.testing.assert_frame_equal(cells[1].loc[list("abcd")], cells[0])


def test_a_draw_that_leaves_the_metric_undefined_is_left_out():
    table = world({"a": 0.7, "b": 0.5}, seeds=1)
    short = table.assign(draws=[draws[1:] for draws in table["draws"]])
    holes = table.assign(draws=[[math.nan, *draws[1:]] for draws in table["draws"]])
    assert only(holes, fixed="ab").p == pytest.approx(only(short, fixed="ab").p)


def test_planted_winner_tie_and_direction():
    truths = {"best": 0.9, "good": 0.6, "same": 0.6, "worst": 0.2}
    table = world(truths, by_seed=0.01, rng=np.random.default_rng(4))
    rows = compared(table)
    assert rows["good", "same"].wins == "tied"
    assert {rows["best", other].wins for other in ("good", "same", "worst")} == {"first"}
    assert {row.wins for row in compared(table, {"t0": False}).values()} == {"tied", "second"}
    assert {rows[name, "worst"].wins for name in ("good", "same")} == {"first"}


def test_both_ways_is_antisymmetric():
    pairs = compare.pairwise(world({"a": 0.9, "b": 0.5, "c": 0.5}), {})
    both = compare.both_ways(pairs).set_index(["first_strategy", "second_strategy"])
    assert len(both) == 6
    for first, second in itertools.combinations("abc", 2):
        there, back = both.loc[(first, second)], both.loc[(second, first)]
        assert (there["difference"], there["p_holm"]) == (-back["difference"], back["p_holm"])
    assert (both.loc[("a", "b"), "wins"], both.loc[("b", "a"), "wins"]) == ("first", "second")


def test_equal_predictions_are_a_certain_tie():
    table = world({"a": 0.5}, seeds=2)
    row = only(pd.concat([table, table.assign(strategy="b")]))
    assert (row.difference, row.half_width, row.p, row.wins) == (0, 0, 1, "tied")
    unknown = only(pd.concat([table, table.assign(strategy="b")]).assign(draws=None))
    assert math.isnan(unknown.p)


def test_configurations_are_never_mixed():
    table = world({"a": 0.5})
    (row,) = compare.pairwise(pd.concat([table, table.assign(encoder="vit")]), {}).itertuples()
    assert (row.first_encoder, row.second_encoder, row.first_strategy, row.second_strategy) == ("cnn", "vit", "a", "a")


@pytest.mark.parametrize("table", [world({"a": 0.5}), world({"a": 0.5}).head(0)], ids=["one strategy", "no runs"])
def test_nothing_to_compare_is_an_empty_table(table):
    pairs = compare.pairwise(table, {})
    assert pairs.empty
    assert list(pairs) == list(compare.pairwise(world({"a": 0.5, "b": 0.5}), {}))


def test_holm_by_hand():
    """Five p-values: 5 x .005, 4 x .01, 3 x .03, 2 x .04 (raised to .09), 1 x .2; an unknown one is no part."""
    adjusted = compare.holm([0.03, 0.005, np.nan, 0.2, 0.01, 0.04])
    np.testing.assert_allclose(adjusted, [0.09, 0.025, np.nan, 0.2, 0.04, 0.09])
    assert compare.holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert compare.holm([]).tolist() == []


@pytest.mark.parametrize(("seeds", "label_draws", "by_seed"), [(2, 1, 0.0), (3, 1, 0.02), (3, 3, 0.06)])
def test_true_ties_are_seldom_called_a_difference(seeds, label_draws, by_seed):
    """150 matrices of six equal strategies: any false difference in about 5 % of them, intervals hold zero in 95 %."""
    by_label = 0.02 * (label_draws > 1)
    table = world(dict.fromkeys("abcdef", 0.5), 150, seeds, label_draws, by_seed, by_label)
    pairs = compare.pairwise(table, {})
    assert pairs.groupby("task")["distinct"].any().mean() <= 0.09
    assert 0.93 <= np.mean(np.abs(pairs["difference"]) <= pairs["half_width"]) <= 0.985


def test_the_interval_is_that_of_cells_where_the_other_is_always_nothing():
    """A cell's interval against one fixed score: the same number."""
    table = world({"a": 0.7}, seeds=3, label_draws=2, by_seed=0.02, by_run=0.1).assign(metric="m", n_train=1, n_test=1)
    fixed = table.assign(strategy="fixed", value=0.0, draws=[[0.0] * B] * len(table))
    (cell,) = stats.summarize(table).itertuples()
    assert only(pd.concat([table, fixed])).half_width == pytest.approx(cell.half_width)


def marked(means, wins=(), lone=(), higher=True, nearly=()):
    """Marks of one column: `wins` are the pairs that differ, `nearly` those that do before Holm's correction."""
    names = list(means)
    cells = pd.DataFrame({"strategy": names, "mean": list(means.values()), "lone": [n in lone for n in names]})
    cells = cells.assign(encoder="", pretrain_corpus="", task="t", fraction=0.1, probe="linear")
    sides = [*compare.FIRST, *compare.SECOND]
    rows = [dict(zip(sides, [a, "", "", b, "", ""], strict=True)) for a, b in [*wins, *nearly]]
    pairs = pd.DataFrame(rows, columns=sides).assign(task="t", fraction=0.1, probe="linear", difference=0.1)
    pairs = pairs.assign(
        wins="first", first_seeds=1, second_seeds=1, p=0.03, p_holm=[0.04] * len(wins) + [0.4] * len(nearly)
    )
    return dict(zip(names, compare.marks(cells, pairs, {"t": higher}), strict=True))


def test_marks_are_what_the_pair_test_with_the_best_says():
    """Whichever of two comes first in a pair; what the second best differs from is no mark's business."""
    means = {"a": 0.9, "b": 0.8, "c": 0.5, "d": 0.4, "gap": np.nan}
    found = marked(means, [("a", "c"), ("d", "a"), ("b", "c")])
    assert found == {"a": "best", "b": "tied", "c": "", "d": "", "gap": "missing"}
    assert marked(means, [("a", "d")], higher=False)["d"] == "best"
    assert marked({"a": 0.9, "b": 0.9 + 1e-15, "c": 0.1}, [("a", "c")]) == {"a": "best", "b": "best", "c": "tied"}


def test_who_is_better_than_each_of_the_others_needs_no_correction():
    """As soon as one is not told, Holm's correction holds for all; and who does not contend is none of the others."""
    means = {"a": 0.9, "b": 0.8, "c": 0.5}
    assert marked(means, nearly=[("a", "b"), ("a", "c")]) == {"a": "best", "b": "", "c": ""}
    assert marked(means, [("a", "c")], nearly=[("a", "b")]) == {"a": "best", "b": "", "c": ""}
    assert marked(means, nearly=[("a", "c")]) == {"a": "best", "b": "tied", "c": "tied"}
    assert marked({"a": 0.9, "b": 0.9, "c": 0.1}, nearly=[("a", "c"), ("b", "c")])["c"] == "tied", "two share the place"


def test_of_two_equal_ones_far_ahead_none_is_called_the_best():
    """The worst case for a choice without correction: 300 matrices, 5 % of which may be wrong."""
    levels = {"a": 0.9, "b": 0.9, **dict.fromkeys("cdefghij", 0.3)}
    table = world(levels, 300, 3, 1, 0.02)
    pairs = compare.pairwise(table, {})
    cells = table.groupby(["task", *compare.ENTRY])["value"].mean().rename("mean").reset_index()
    cells = cells.assign(fraction=table["fraction"].iloc[0], probe=table["probe"].iloc[0], lone=False)
    cells["mark"] = compare.marks(cells, pairs, {})
    alone = ~cells[cells["mark"] == "tied"].groupby("task").size().reindex(cells["task"].unique()).notna()
    assert alone.mean() <= 0.08
    assert set(cells.loc[cells["strategy"] > "b", "mark"]) == {""}, "while these are told"


def test_one_seed_is_marked_best_only_where_all_have_one():
    means = {"lone": 0.9, "a": 0.8, "b": 0.1}
    assert marked(means, [("a", "b")], ["lone"]) == {"lone": "", "a": "best", "b": ""}
    assert marked(means, [], ["lone"]) == {"lone": "", "a": "best", "b": "tied"}
    assert marked(means, nearly=[("a", "b")], lone=["lone"])["b"] == "", "it was no test that failed"
    assert marked(means, [], list(means)) == {"lone": "best", "a": "tied", "b": "tied"}
    assert marked({"a": np.nan, "b": np.nan}) == {"a": "missing", "b": "missing"}
