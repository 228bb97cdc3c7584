"""Several budgets in a grid: one trunk, a branch each, and a table that compares at the largest that all rows have."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import command
from helpers.runs import scores_of
from pydantic import ValidationError

from benchmark.bookkeeping import record
from benchmark.bookkeeping.budgets import with_shares
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run, nominal
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.grid_files import load, narrow
from benchmark.scheduler.planning.plan import plan
from benchmark.store.job import Job

GRID: dict[str, Any] = {
    "name": "several",
    "corpus": "rendered_scores",
    "size": "tiny",
    "strategies": ["random", "simclr"],
    "encoders": ["cnn_small"],
    "tasks": ["instrument"],
    "fractions": {0.1: 2, 1.0: 1},
    "probes": ["linear"],
    "seeds": [0],
    "pretrain": {
        "crops": [640, 1280],
        "batch_size": 32,
        "warmup_crops": 320,
        "schedule": "wsd",
        "precision": "32-true",
    },
}


def grid(*crops: int, **changes: Any) -> Grid:
    return Grid.model_validate({**GRID, **changes, "pretrain": {**GRID["pretrain"], "crops": list(crops)}})


def of(jobs: dict[str, Job], kind: str) -> dict[str, Job]:
    return {key: job for key, job in jobs.items() if job.kind == kind and "settled" not in job.spec}


def test_a_budget_that_joins_goes_on_from_what_is_there() -> None:
    """It adds a piece of trunk, a branch and its probes; nothing that was there is made anew."""
    two, three = plan(grid(1000, 2000)), plan(grid(1000, 2000, 4000))
    assert set(two) < set(three)
    more = [job for key, job in three.items() if key not in two]
    assert Counter(job.kind for job in more) == {"trunk": 1, "pretrain": 1, "embed": 1, "probe": 1}
    (piece,) = (job for job in more if job.kind == "trunk")
    assert three[piece.spec["continues"]].spec["budget"]["crops"] == 2000
    between = plan(grid(1000, 1500, 2000, 4000))
    assert set(three) < set(between), "one in between changes no key either"


def test_all_trainings_together_cost_the_longest_and_the_falls_of_the_others() -> None:
    jobs = plan(grid(1000, 2000, 4000))
    assert sum(job.spec["hears"] for job in of(jobs, "trunk").values()) == pytest.approx(0.8 * 4000)
    assert sum(job.spec["hears"] for job in of(jobs, "pretrain").values()) == pytest.approx(0.2 * 7000)


def test_they_begin_as_one() -> None:
    """A warm-up that the shortest could not have before its rate falls is cut for all."""
    budgets = [job.spec["budget"] for job in of(plan(grid(1000, 4000, strategies=["simclr"])), "pretrain").values()]
    assert {budget["warmup_crops"] for budget in budgets} == {320}
    budgets = [job.spec["budget"] for job in of(plan(grid(100, 4000, strategies=["simclr"])), "pretrain").values()]
    assert {budget["warmup_crops"] for budget in budgets} == {80}


def test_a_share_of_the_budget_is_one_of_each() -> None:
    assert narrow(grid(1000, 4000), budget=0.5).budgets == [500, 2000]
    assert narrow(grid(1000, 4000), budget=0.5).pretrain.crops == 2000


def test_what_does_not_branch_off_is_refused() -> None:
    with pytest.raises(ValidationError, match="schedule wsd"):
        Grid.model_validate({**GRID, "pretrain": {"crops": [1, 2]}})
    with pytest.raises(ValidationError, match="in place of snapshots"):
        grid(1, 2, snapshots={"at": [0.5]})
    with pytest.raises(ValidationError, match=r"\['many'\] is no number"):
        Grid.model_validate({**GRID, "pretrain": {"crops": ["many"]}})
    with pytest.raises(UserError, match=r"strategies\.simclr\.pretrain: several budgets need schedule wsd"):
        plan(grid(1, 2, strategies={"simclr": {"pretrain": {"schedule": "cosine"}}}))
    for row, option in [("byol", {"decay": 0.996}), ("m2d", {"decay": [0.9, 0.99]}), ("dino", {"teacher_warmup": 0.1})]:
        with pytest.raises(UserError, match=rf"strategies\.{row}: {next(iter(option))}: counted in shares"):
            plan(grid(640, 1280, strategies={row: option}))
        assert plan(grid(640, strategies={row: option})), "one budget has one length"


def test_rows_are_compared_after_the_largest_budget_that_all_have() -> None:
    """Two rows have two budgets, one of them a third; a row without pre-training has none."""
    rows = [("simclr", b) for b in (124_928, 249_984)] + [("byol", b) for b in (124_800, 249_600, 999_936)]
    table = pd.DataFrame([*rows, ("random", np.nan)], columns=["strategy", "crops"])
    table = table.assign(encoder="e", seed=0, share=1.0)
    assert with_shares(table)["share"].tolist() == [0.5, 1.0, 0.5, 1.0, 4.0, 1.0]
    alone = table[table["crops"].fillna(249_984) > 200_000].iloc[[0, 1, 3]]
    assert with_shares(alone)["share"].tolist() == [1.0] * 3, "of one budget it stays as it is"
    snapshots = table.assign(share=[0.5, 1.0, 0.25, 0.5, 1.0, 1.0])
    assert with_shares(snapshots)["share"].tolist() == snapshots["share"].tolist()


def test_of_a_run_that_is_not_through_the_main_budget_is_that_of_most_rows() -> None:
    rows = [("simclr", 125e3), ("byol", 250e3), ("vicreg", 125e3), ("vicreg", 250e3), ("dino", 250e3)]
    table = pd.DataFrame(rows, columns=["strategy", "crops"]).assign(encoder="e", seed=0, share=1.0)
    assert with_shares(table)["share"].tolist() == [0.5, 1.0, 0.5, 1.0, 1.0]


def test_a_budget_that_few_seeds_have_is_one_further_on() -> None:
    """Every row's first seed goes on, as `crops: {1000: 3, 2000: 3, 4000: 1}` asks; rows are compared before that."""
    several = {**GRID, "seeds": [0, 1, 2], "control": ["simclr"], "strategies": ["random", "simclr", "byol"]}
    asked = Grid.model_validate({**several, "pretrain": {**GRID["pretrain"], "crops": {1000: 3, 4000: 1, 2000: 3}}})
    jobs, whole = plan(asked), plan(grid(1000, 2000, 4000, **{k: several[k] for k in ("seeds", "strategies")}))
    assert Counter((job.spec["budget"]["crops"], job.spec["seed"]) for job in of(jobs, "pretrain").values()) == {
        (1000, 0): 2, (1000, 1): 2, (1000, 2): 2, (2000, 0): 2, (2000, 1): 2, (2000, 2): 2, (4000, 0): 2,
    }  # fmt: skip
    (control,) = of(jobs, "control").values()
    assert "2,000 crops" in jobs[jobs[control.needs[0]].needs[0]].name, "the control is of what is compared"
    assert {key for key, job in jobs.items() if job.kind != "control"} < set(whole), "whatever is made, is the same"
    heard = [(job.spec["seed"], job.spec["budget"]["crops"]) for job in of(jobs, "pretrain").values()]
    table = pd.DataFrame(heard, columns=["seed", "crops"]).assign(encoder="e", share=1.0)
    table = pd.concat([table.drop_duplicates().assign(strategy=name) for name in ("simclr", "byol")])
    assert with_shares(table.reset_index())["share"].tolist() == [n / 2000 for n in table["crops"]]
    assert [asked.budgets_of("simclr", seed) for seed in (0, 2)] == [[1000, 2000, 4000], [1000, 2000]]
    elsewhere = asked.model_copy(update={"seeds": [1, 2]})
    assert elsewhere.budgets_of("simclr", 0) == [1000, 2000, 4000], "the one seed of an encoder that a row brings"
    half = narrow(asked, budget=0.5)
    assert half.budget_seeds == {500: 3, 1000: 3, 2000: 1}
    again = yaml.safe_load(yaml.safe_dump(half.model_dump(mode="json", exclude_unset=True)))
    assert Grid.model_validate(again) == half, "a run's record says it again"


def test_how_many_seeds_go_further_is_a_number() -> None:
    with pytest.raises(ValidationError, match=r"pretrain\.crops: 2000: 'all' is not how many seeds"):
        Grid.model_validate({**GRID, "pretrain": {**GRID["pretrain"], "crops": {1000: 3, 2000: "all"}}})
    with pytest.raises(ValidationError, match=r"budget_seeds: they are given under pretrain\.crops"):
        Grid.model_validate({**GRID, "pretrain": {**GRID["pretrain"], "crops": 1000}, "budget_seeds": {1000: 3}})


def test_cost_and_health_are_of_the_budget_whose_scores_are_compared() -> None:
    """byol has no scores after the second budget yet: simclr's record is of the first, and says what both took."""
    jobs = plan(grid(640, 1280, strategies=["simclr", "byol"]))

    class Made:
        """All is done but what byol's longest training leads to; a training takes a second for a crop."""

        @property
        def results(self) -> Made:
            return self

        def done(self, job: Job) -> bool:
            return job.kind == "pretrain" or job.spec["strategy"] == "simclr" or "640" in job.name

        def manifest(self, kind: str, key: str) -> dict[str, Any]:
            crops = jobs[key].spec["budget"]["crops"]
            return {"info": {"crops": float(crops), "seconds": float(crops), "collapsed": False}}

    trained = record._pretrainings(jobs, Made())  # type: ignore[arg-type]
    assert [(one["strategy"], one["crops"], one["seconds"]) for one in trained] == [
        ("simclr", 640, 640),
        ("byol", 640, 640),
    ]
    assert all(one["lengths"] == {"640.0": 640, "1280.0": 1280} for one in trained)
    assert jobs[trained[0]["key"]].spec["budget"]["crops"] == 640


def test_a_record_says_each_budget_with_its_seeds() -> None:
    asked = grid(640, 1280).model_copy(update={"seeds": [0, 1], "budget_seeds": {640: 2, 1280: 1}})
    assert record._recipe(asked)["crops"] == "640 (2 seeds), 1,280 (1 seed)"
    assert record._recipe(grid(640))["crops"] == "640 (1 seed)"


@pytest.mark.long
def test_a_run_reads_every_row_after_every_budget(data_dir: Path, tmp_path: Path) -> None:
    """The leaderboard is of the largest; the curves have all."""
    several = {**GRID, "strategies": ["constant", "random", "simclr"]}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(several))
    args = ("run", "--grid", str(tmp_path / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(tmp_path / "out"))
    done = command(*args)
    assert done.returncode == 0, done.stderr
    scores = scores_of(tmp_path / "out").query("strategy == 'simclr' and metric == 'accuracy' and fraction == 1.0")
    assert scores.set_index("share")["crops"].to_dict() == {0.5: 640, 1.0: 1280}
    assert scores["value"].nunique() == 2
    page = (tmp_path / "out" / "leaderboard.html").read_text()
    assert "crops heard in pre-training" in page
    assert "How much pre-training?" in page
    (trained,) = json.loads((tmp_path / "out" / "run.json").read_text())["pretraining"]
    assert list(trained["lengths"]) == ["640", "1280"]
    assert 0 < trained["lengths"]["640"] < trained["lengths"]["1280"]
    assert len(list((tmp_path / "out" / "trunk").rglob("manifest.json"))) == 2


@pytest.mark.parametrize(
    ("heard", "asked"),
    [(9_984, 10_000), (29_952, 30_000), (124_992, 125_000), (640, 640), (1_280, 1_280), (249_984, 250_000), (1e6, 1e6)],
)
def test_a_budget_is_what_was_asked_for(heard: float, asked: float) -> None:
    """A training of whole steps hears a little less."""
    assert nominal(heard) == nominal(asked) == asked


def test_trainings_of_few_steps_are_of_the_budget_that_they_were_given() -> None:
    """Steps of 64 and of 256 crops stop at different places before a budget: all three rows stay side by side."""
    budgets = [1250, 2500, 5000]
    heard = [(name, step * (n // step)) for name, step in (("a", 64), ("b", 64), ("c", 256)) for n in budgets]
    table = pd.DataFrame(heard, columns=["strategy", "crops"]).assign(encoder="e", seed=0, share=1.0)
    assert with_shares(table, budgets)["share"].tolist() == [0.25, 0.5, 1.0] * 3
    run = Run.model_validate({"strategies": {"a": {"seeds": 3}}, "budget_seeds": {"10000": 3, "12000": 1}})
    assert [run.seeds_after(crops, "a") for crops in (78 * 128, 93 * 128)] == [3, 1]
    one = with_shares(table.assign(crops=[n - 30.0 * i for i, n in enumerate([5000.0] * 9)]), [5000])
    assert one["share"].eq(1).all(), "of one budget it stays as it is"


def test_a_seed_whose_branch_failed_does_not_stand_for_the_budget_before() -> None:
    """Seed 0 has been read after 500,000 crops alone, the others after 250,000: they are not one cell."""
    table = pd.DataFrame({"seed": [0, 1, 2], "crops": [499_968.0, 249_984.0, 249_984.0]})
    table = table.assign(strategy="simclr", encoder="e", share=1.0)
    assert with_shares(table, [250_000, 500_000])["share"].tolist() == [2.0, 1.0, 1.0]


def test_each_of_some_seeds_has_the_budgets_that_it_has_among_all(tmp_path: Path) -> None:
    """As a grid is divided among machines: the dear budget is the first seed's, whoever runs it."""
    crops = {640: 3, 1280: 2, 2560: 1}
    whole = {**GRID, "seeds": [4, 0, 2], "pretrain": {**GRID["pretrain"], "crops": crops}}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(whole))

    def some(*seeds: int, **changes: Any) -> Grid:
        return load(str(tmp_path / "grid.yaml"), {"seeds": list(seeds), **changes})

    def trained(grid: Grid) -> set[str]:
        return {key for key, job in plan(grid).items() if job.kind == "pretrain"}

    parts = [some(0, 4), some(2)]
    assert parts[0].seeds == [4, 0]
    assert (parts[0].budget_seeds, parts[1].budget_seeds) == ({640: 2, 1280: 2, 2560: 1}, {640: 1})
    assert trained(parts[0]) | trained(parts[1]) == trained(load(str(tmp_path / "grid.yaml")))
    assert some(5, 6).budget_seeds == crops, "other seeds than the grid's go as far as those"
    assert some(2, **{"pretrain.batch_size": 64}).budget_seeds == {640: 1}, "whatever else is changed"
    assert some(2, **{"pretrain.crops": {640: 1, 1280: 1}}).budgets == [640, 1280], "asked for"
    whole["pretrain"]["crops"] = {640: 3, 1280: "all"}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(whole))
    with pytest.raises(UserError, match=r"1280: 'all' is not how many seeds"):
        some(0)
    whole["pretrain"]["crops"] = {2560: 1}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(whole))
    with pytest.raises(UserError, match=r"--seeds 0, 2: of pretrain\.crops .* these have none"):
        some(0, 2)


def test_the_main_budget_is_that_of_the_rows_that_are_trained() -> None:
    """Rows of one seed have all three budgets once: the largest; what is not trained has no say."""
    crops = {640: 3, 1280: 3, 2560: 1}
    few = {"random": {}, "simclr": {"seeds": 1}, "byol": {"seeds": 1}}
    given = {**GRID, "seeds": [0, 1, 2], "pretrain": {**GRID["pretrain"], "crops": crops}}
    assert Grid.model_validate({**given, "strategies": few}).main_budget == 2560
    assert Grid.model_validate({**given, "strategies": {**few, "vicreg": {}}}).main_budget == 1280
