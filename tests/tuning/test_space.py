"""Settings of a search: all different, every value in turn, the same again for whoever repeats it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from benchmark.interfaces import UserError
from benchmark.pretraining.budget import PretrainConfig
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.grid_files import load, narrow
from benchmark.scheduler.planning.plan import plan
from benchmark.scheduler.planning.rows import Row
from benchmark.scheduler.space import Search
from benchmark.tuning.trials import Trial, grid_of, settings_of

SPACE = {"pretrain.learning_rate": [1e-3, 3e-3], "pretrain.batch_size": [64, 256], "temperature": [0.05, 0.1, 0.2]}


def searched(**changes: Any) -> Grid:
    raw = {
        "name": "searched",
        "corpus": "rendered_scores",
        "size": "tiny",
        "strategies": {"simclr": {}, "random": {}},
        "encoders": ["cnn_small"],
        "tasks": ["key"],
        "fractions": {1.0: 1},
        "probes": ["linear"],
        "seeds": [0],
        "pretrain": {"crops": 640},
        "search": {"rungs": {640: 7, 1280: 3}, "spaces": {"simclr": SPACE}},
    }
    return Grid.model_validate({**raw, **changes})


@pytest.mark.parametrize("seed", range(5))
def test_every_value_gets_its_turn_and_no_setting_comes_twice(seed: int) -> None:
    standing = {"pretrain.learning_rate": 3e-3, "pretrain.batch_size": 64, "temperature": 0.1}
    search = Search(rungs={640: 7, 1280: 3}, spaces={"simclr": SPACE}, seed=seed)
    found = search.drawn("simclr", standing)
    assert found == search.drawn("simclr", standing)
    assert found[0] == standing
    assert len(found) == len({repr(setting) for setting in found}) == 7
    for option, values in SPACE.items():
        turns = Counter(setting[option] for setting in found[1:])
        assert set(turns) == set(values)
        assert max(turns.values()) - min(turns.values()) <= 1


def test_a_search_that_cannot_be_is_refused_with_the_reason() -> None:
    for rungs in ({640: 3, 1280: 3}, {640: 3, 1280: 0}, {0: 3}):
        with pytest.raises(ValidationError, match="fewer, the more they are"):
            Search(rungs=rungs, spaces={"simclr": SPACE})
    with pytest.raises(ValidationError, match=r"spaces\.simclr: has fewer than 7 settings"):
        Search(rungs={640: 7}, spaces={"simclr": {"temperature": [0.1, 0.2]}})
    with pytest.raises(ValidationError, match="two or more values, each once"):
        Search(rungs={640: 2}, spaces={"simclr": {"temperature": [0.1, 0.1, 0.2]}})
    with pytest.raises(ValidationError, match=r"search\.spaces: byol is not among the strategies"):
        searched(search={"rungs": {640: 2}, "spaces": {"byol": SPACE}})
    with pytest.raises(UserError, match=r"search\.spaces\.simclr\.temprature: no such option; there are"):
        settings_of(searched(search={"rungs": {640: 2}, "spaces": {"simclr": {"temprature": [0.1, 0.2]}}}))
    with pytest.raises(UserError, match=r"nothing says what to try of simclr, random"):
        settings_of(searched(search=None))


def test_a_setting_is_a_row_with_its_own_recipe_and_the_first_is_the_row_as_it_stands() -> None:
    planned = searched(pretrain={"crops": 640, "batch_size": 32})
    trials = [Trial("simclr", n, setting, 1280) for n, setting in enumerate(settings_of(planned)["simclr"])]
    assert trials[0].setting == {"pretrain.learning_rate": 3e-3, "pretrain.batch_size": 32, "temperature": 0.1}
    grid = grid_of(planned, trials)
    budgets = {name: Row.of(name, options).budget(grid) for name, options in grid.strategies.items()}
    assert {budget.crops for budget in budgets.values()} == {1280}
    stood = Row.of("simclr", {}).budget(planned)
    assert budgets["simclr-0"] == stood.model_copy(update={"crops": 1280})
    for trial in trials[1:]:
        budget = budgets[trial.name]
        assert budget.learning_rate == trial.setting["pretrain.learning_rate"]
        assert budget.batch_size == trial.setting["pretrain.batch_size"]
        assert grid.strategies[trial.name]["temperature"] == trial.setting["temperature"]
    with pytest.raises(UserError, match="temperature: Input should be greater than 0"):
        grid_of(planned, [Trial("simclr", 1, {"temperature": -1.0}, 640)])


def test_a_search_is_narrowed_and_scaled_like_the_grid() -> None:
    shorter = narrow(searched(), strategies=["simclr"], budget=0.5)
    assert shorter.search
    assert shorter.search.rungs == {320: 7, 640: 3}
    assert narrow(searched(), strategies=["random"]).search is None


def test_the_packages_search_is_equal_for_every_row() -> None:
    grid = load("tune")
    drawn = settings_of(grid)
    assert {"simclr", "byol", "supervised"} <= set(drawn) == set(grid.strategies)
    assert {len(settings) for settings in drawn.values()} == {6}
    trials = [Trial(row, n, setting, 125_000) for row, all_ in drawn.items() for n, setting in enumerate(all_)]
    jobs = plan(grid_of(grid, trials))
    scored = {job.spec["strategy"] for job in jobs.values() if job.kind in ("probe", "supervised")}
    assert scored == {trial.name for trial in trials}
    # what the search trained of a setting that won, the reference goes on from
    shared = {job.name for key, job in plan(load("reference")).items() if job.kind == "trunk" and key in jobs}
    assert {f"trunk {row} cnn_small seed 0 of 125,000 crops" for row in ("simclr", "vicreg", "dino")} <= shared


def test_a_longer_rung_goes_on_from_a_shorter_one_where_the_schedule_lets_it() -> None:
    def trained(crops: int, **pretrain: Any) -> set[str]:
        planned = searched(pretrain={"crops": 640, "precision": "32-true", **pretrain}, search=search)
        jobs = plan(grid_of(planned, [Trial("simclr", 0, {}, crops)]))
        return {key for key, job in jobs.items() if job.kind in ("trunk", "pretrain")}

    search = {"rungs": {640: 2, 1280: 1}, "spaces": {"simclr": {"temperature": [0.1, 0.2]}}}
    going_on = {"schedule": "wsd", "warmup_crops": 64}
    assert trained(640, **going_on) < trained(1280, **going_on)
    assert len(trained(1280, **going_on)) == 4  # two pieces of a trunk, and a branch from each
    assert len(trained(1280, schedule="cosine")) == 1


def test_what_is_counted_in_shares_of_the_training_is_trained_anew_for_each_rung() -> None:
    planned = searched(
        strategies={"byol": {}},
        pretrain={"crops": 640, "precision": "32-true", "schedule": "wsd", "warmup_crops": 64},
        search={"rungs": {640: 2, 1280: 1}, "spaces": {"byol": {"decay": [0.99, 0.996]}}},
    )
    jobs = plan(grid_of(planned, [Trial("byol", 0, {}, 1280), Trial("byol", 1, {"decay": 0.99}, 1280)]))
    assert {job.kind for job in jobs.values()} & {"trunk", "pretrain"} == {"pretrain"}


def test_a_rows_recipe_is_its_own_then_the_grids_then_its_strategys() -> None:
    def budget(own: dict[str, Any], **given: Any) -> PretrainConfig:
        planned = searched(search=None, strategies={"simclr": {"pretrain": own}}, pretrain={"crops": 9, **given})
        return Row.of("simclr", planned.strategies["simclr"]).budget(planned)

    assert budget({}).batch_size == 64
    assert budget({}, batch_size=32).batch_size == 32
    assert budget({"batch_size": 16}, batch_size=32).batch_size == 16
    assert budget({"warmup_crops": 7}, warmup=0.0).warmup is None
    assert budget({"warmup": 0.1}, warmup_crops=7).warmup_crops is None
    with pytest.raises(ValidationError, match=r"simclr\.pretrain\.crops: is the same for all rows"):
        budget({"crops": 5})
    with pytest.raises(ValidationError, match=r"simclr\.pretrain\.batch_sise: .*did you mean .batch_size"):
        budget({"batch_sise": 5})
    with pytest.raises(ValidationError, match=r"simclr\.pretrain: 5 is not a mapping"):
        budget(5)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"strategies\.simclr\.pretrain: .*batch_size 9 cannot be shared by 2 devices"):
        budget({"batch_size": 9}, devices=2, batch_size=8)
