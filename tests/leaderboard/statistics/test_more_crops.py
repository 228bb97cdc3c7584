"""What more pre-training changes, and whether a ranking is stable, on planted scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.budgeted import FURTHER, LEVEL_OF, RUN, SHARES, further, planted, world
from scipy.stats import kendalltau

from benchmark.leaderboard.page import how_much
from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import budgets, compare, headline, stability, stats, tables


def found(
    raw: pd.DataFrame, run: Run = RUN
) -> tuple[list[budgets.Step], list[budgets.Loss], list[stability.Stability]]:
    prepared = stats.prepare(raw)
    head = headline.headline(prepared, tables.cells(prepared, run), run)
    by_budget = budgets.runs_by_budget(raw, run)
    steps = budgets.steps(budgets.of_levels(head, by_budget, run), budgets.crops_heard(raw), run)
    return steps, budgets.losses(budgets.of_tasks(by_budget, run), run), stability.stability(head, by_budget, run)


def test_the_smallest_budget_that_is_enough_is_found_and_what_pre_training_adds() -> None:
    steps, losses, _ = found(world(planted()))
    assert len(steps) == 8 * 2 * 3
    by_share = {share: [step for step in steps if step.share == share] for share in SHARES}
    assert not any(step.enough for step in by_share[0.25]), ".04 is seen"
    assert np.mean([step.enough for step in by_share[0.5]]) >= 0.9
    assert all(step.enough for step in by_share[1.0])
    assert {step.crops for step in by_share[0.5]} == {250_000}
    assert all(step.adds == "first" for step in steps), "the worst is .05 above the untrained encoder"
    step = next(step for step in by_share[1.0] if (step.entry.strategy, step.level) == ("s07", "pitch"))
    assert step.gain == pytest.approx((0.70 - 0.40) / 0.8, abs=0.02)
    assert step.mean == pytest.approx((0.70 - 0.20) / 0.8, abs=0.04)
    assert not losses


def test_a_gain_is_over_the_untrained_encoder_that_reads_the_level_better() -> None:
    raw = world(planted())
    other = raw[raw["strategy"] == "random"].assign(strategy="random_unsettled")
    up = other["task"].map(LEVEL_OF).map({"pitch": 0.3, "time": -0.1})
    other["value"] = other["value"] + up
    other["draws"] = [drawn + by for drawn, by in zip(other["draws"], up, strict=True)]
    note = RUN.strategies["random"].model_copy()
    run = RUN.model_copy(update={"strategies": {**RUN.strategies, "random_unsettled": note}})
    steps, _, _ = found(pd.concat([raw, other], ignore_index=True), run)
    assert {(step.level, step.over) for step in steps} == {("pitch", "random_unsettled"), ("time", "random")}
    ended = {(step.entry.strategy, step.level): step for step in steps if step.share == 1}
    assert ended["s00", "pitch"].adds == "second"
    assert ended["s00", "time"].adds == "first"
    assert ended["s00", "time"].gain - ended["s00", "pitch"].gain == pytest.approx(0.3 / 0.8, abs=0.03)


def test_of_one_seed_nothing_is_said() -> None:
    """Neither what it adds, nor which budget is enough; budgets of more seeds are judged without it."""
    raw = world(planted())
    alone = raw[raw["seed"] == 0]
    steps, losses, _ = found(alone)
    assert {(step.adds, step.enough) for step in steps} == {("missing", False)}
    assert not losses
    steps, _, _ = found(raw[(raw["share"] < 1) | ~raw["strategy"].map(RUN.pretext) | (raw["seed"] == 0)])
    assert {step.adds for step in steps if step.share < 1} == {"first"}
    assert {step.adds for step in steps if step.share == 1} == {"missing"}
    assert all(step.enough == (step.share == 0.5) for step in steps), "the largest that can be held against others"


def test_seeds_that_went_further_are_held_against_themselves() -> None:
    """Row 2 gains .1 where its first seed alone went: seen beside that seed's own score before, and no verdict."""
    longer = {task: [*scores[:2], scores[2] + 0.1, *scores[3:]] for task, scores in planted()[1.0].items()}
    raw = further(world(planted(at={1.0: longer})))
    steps, losses, order = found(raw, FURTHER)
    beyond = {(step.entry.strategy, step.level): step for step in steps if step.share == 2}
    assert len(beyond) == 8 * 2
    assert all(np.isfinite(step.mean) and step.adds == "missing" and not step.enough for step in beyond.values())
    assert beyond["s02", "time"].since == pytest.approx(0.1 / 0.8, abs=0.02)
    assert abs(beyond["s05", "time"].since) < 0.02
    assert 0 < beyond["s05", "time"].since_half < 0.05
    assert all(np.isnan(step.since) for step in steps if step.share <= 1)
    assert all(step.enough for step in steps if step.share == 1)
    assert not losses
    assert {share for one in order for share in one.budgets} == {0.5}, "an order is of budgets that all have"
    absent, _, _ = found(raw, FURTHER.model_copy(update={"budget_seeds": {}}))
    assert all(np.isnan(step.mean) == (step.share == 2) for step in absent), "planned, and not there"


def test_a_task_on_which_the_longest_training_is_worse_is_named() -> None:
    fallen = planted()[1.0]["key"]
    fallen[2] -= 0.1
    steps, losses, _ = found(world(planted(at={1.0: {"key": fallen}})))
    (loss,) = losses
    assert (loss.entry.strategy, loss.task, loss.share) == ("s02", "key", 0.5)
    assert loss.difference == pytest.approx(-0.1, abs=0.02)
    enough = {step.share: step.enough for step in steps if (step.entry.strategy, step.level) == ("s02", "pitch")}
    assert enough[0.5], "better than the longest"


def test_a_ranking_that_holds_is_stable_and_one_that_turns_round_is_not() -> None:
    _, _, ranked = found(world(planted()))
    assert {one.level: one.stable for one in ranked} == {"pitch": True, "time": True}
    one = next(one for one in ranked if one.level == "time")
    assert set(one.budgets) == {0.25, 0.5}
    assert one.orders[1.0] == ["s07", "s06", "s05", "s04", "s03"]
    turned = {task: planted()[0.5][task][::-1] for task in ("key", "chord")}
    _, _, ranked = found(world(planted(at={0.5: turned})))
    assert {one.level: one.stable for one in ranked} == {"pitch": False, "time": True}
    pitch = next(one for one in ranked if one.level == "pitch")
    assert pitch.budgets[0.5].value < -0.8
    assert pitch.budgets[0.25].agrees
    assert pitch.orders[0.5][0] == "s00"


def test_rows_that_do_not_differ_are_not_stable() -> None:
    equal = {share: {task: [0.5] * 8 for task in LEVEL_OF} for share in SHARES}
    assert not any(one.stable for one in found(world(equal))[2])


@pytest.mark.parametrize(("tasks", "ways"), [(2, 1), (3, 3), (4, 3), (5, 10)])
def test_tasks_are_halved_in_every_way(tasks: int, ways: int) -> None:
    """Each once, whichever is the odd one out."""
    names = [f"t{i}" for i in range(tasks)]
    found = [frozenset(name for name in names if split[name] == "a") for split in stability._splits(names)]
    assert len(found) == ways
    assert len({frozenset({half, frozenset(names) - half}) for half in found}) == ways
    assert all(min(len(half), tasks - len(half)) == tasks // 2 for half in found)


def test_what_an_order_differs_between_is_named() -> None:
    def said(budgets: float, seeds: float, halves: float) -> str:
        tau = {at: stability.Tau(at, at - 0.1, at + 0.1) for at in (budgets, seeds, halves)}
        order = stability.Stability("pitch", 1.0, "linear", {0.5: tau[budgets]}, tau[seeds], tau[halves], {})
        return how_much.verdict(order)

    assert said(0.8, 0.9, 0.7) == "a stable order"
    assert said(0.8, 0.9, 0.1) == "the order differs between halves of the tasks"
    assert said(0.2, 0.55, 0.1) == (
        "the order differs between budgets and between halves of the tasks and may differ between seeds"
    )
    assert said(0.8, np.nan, 0.7) == "whether the order is stable is not known"


def test_a_row_after_two_budgets_leans_on_pairs_of_its_kind() -> None:
    """One trunk: what a seed does is mostly the same after both, and between two rows it is not."""
    rng = np.random.default_rng(0)
    rows = []
    for row in range(12):
        for seed in range(3):
            trunk = 0.1 * rng.normal()
            for budget in range(2):
                value = 0.5 + trunk + 0.01 * rng.normal()
                rows.append([f"{row} after {budget}", seed, value, [value] * 50])
    table = pd.DataFrame(rows, columns=["strategy", "seed", "value", "draws"])
    table = table.assign(
        encoder="cnn", pretrain_corpus="", task="t", fraction=0.1, probe="linear", resample=0, groups=40
    )
    origin = {name: name.partition(" ")[0] for name in table["strategy"]}
    pairs = compare.pairwise(table, {}, origin=origin)
    itself = pairs["first_strategy"].map(origin) == pairs["second_strategy"].map(origin)
    assert itself.sum() == 12
    assert np.sqrt((pairs["stderr"][itself] ** 2).mean()) == pytest.approx(0.01 * np.sqrt(2 / 3), rel=0.3)
    assert np.sqrt((pairs["stderr"][~itself] ** 2).mean()) == pytest.approx(0.1 * np.sqrt(2 / 3), rel=0.3)
    alike = compare.pairwise(table, {})
    assert np.sqrt((alike["stderr"][itself] ** 2).mean()) > 0.02, "leaning on all"


def test_tau_is_scipys() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 5, 9))
    expected = [kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(stability._kendall(first, second), expected)


def test_tau_without_draws_has_no_interval() -> None:
    rows = (pd.Series({"a": 1.0, "b": 2.0, "c": 3.0}), pd.DataFrame())
    found = stability._tau([(rows, rows)])
    assert found.value == 1
    assert np.isnan([found.low, found.high]).all()
    assert not found.agrees


def test_one_budget_is_no_question() -> None:
    raw = world(planted())
    assert budgets.runs_by_budget(raw[raw["share"] == 1], RUN) == {}
    assert budgets.runs_by_budget(raw.assign(draws=raw["draws"].where(raw["share"] == 1, None)), RUN) == {}, "snapshots"


def test_an_encoder_that_was_brought_along_is_judged_after_every_budget_as_on_the_leaderboard() -> None:
    """It has nothing to seed, and heard no crops here: neither makes its verdict missing nor a budget nameless."""
    raw = world(planted())
    mine = raw[(raw["strategy"] == "random") & (raw["seed"] == 0)]
    mine = mine.assign(strategy="mine", value=mine["value"] + 0.3, draws=[draws + 0.3 for draws in mine["draws"]])
    note = {"trains": True, "seeds": 1, "seeded": False}
    run = Run.model_validate({**RUN.model_dump(), "strategies": {**RUN.model_dump()["strategies"], "mine": note}})
    both = pd.concat([raw, mine], ignore_index=True)
    own = [step for step in found(both, run)[0] if step.entry.strategy == "mine"]
    assert own
    assert {step.adds for step in own} == {"first"}
    head = headline.headline(stats.prepare(both), tables.cells(stats.prepare(both), run), run)
    assert [part.crops for part in how_much.budget_parts(both, head, run)] == [SHARES] * 2


def test_an_order_holds_rows_whose_second_encoder_is_not_through() -> None:
    """Row 7 has another encoder as well, after the last budget alone."""
    raw = world(planted())
    more = raw[(raw["strategy"] == "s07") & (raw["share"] == 1)].assign(encoder="vit")
    (one, *_) = found(pd.concat([raw, more], ignore_index=True))[2]
    known = raw.iloc[0]["encoder"]
    assert one.orders[0.5][0] == one.orders[1.0][0] == f"s07 on {known}"
