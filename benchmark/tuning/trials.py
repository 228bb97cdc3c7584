"""Settings of rows as grids to run, and what their trials said on validation."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from benchmark.bookkeeping.record import SCORED
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.grid_files import checked
from benchmark.scheduler.planning.rows import Row, rows
from benchmark.scheduler.space import Setting
from benchmark.store.job import Job, Stores


@dataclass
class Trial:
    """One setting of a row, trained on so many crops.

    Attributes:
        row: the row of the grid that it is a setting of.
        number: of the setting, 0 as the row stands.
        scores: on validation, the main metric of each task.
        error: why there are none.
        goes_on: whether it is among those that are trained for longer, or at the end, the chosen one.
    """

    row: str
    number: int
    setting: Setting
    crops: int
    scores: dict[str, float] = field(default_factory=dict)
    error: str = ""
    goes_on: bool = False

    @property
    def name(self) -> str:
        """Of its row in the grid of the trials."""
        return f"{self.row}-{self.number}"

    @property
    def mean(self) -> float:
        """Over the tasks; minus infinity where one is lacking."""
        return sum(self.scores.values()) / len(self.scores) if self.scores and not self.error else float("-inf")


def settings_of(grid: Grid) -> dict[str, list[Setting]]:
    """The settings of each row that the grid searches over.

    Raises:
        UserError: there is no search, or an option that a row has not.
    """
    search = grid.search
    if search is None:
        raise UserError(
            f"{grid.name}: nothing says what to try of {', '.join(grid.strategies)}: the grid needs search.spaces for "
            "some of its rows, as the grid 'tune' has"
        )
    known = {row.name: row for row in rows(grid) if row.name in search.spaces}
    try:
        return {name: search.drawn(name, _standing(row, grid, search.spaces[name])) for name, row in known.items()}
    except ValueError as error:
        raise UserError(f"{grid.name}: search.{error}") from error


def grid_of(grid: Grid, trials: Sequence[Trial]) -> Grid:
    """The grid whose rows are trials of one length.

    Raises:
        UserError: a row has no such option, or not with this value.
    """
    raw = grid.model_dump(exclude_unset=True) | {"search": None, "control": [], "budgets": [], "budget_seeds": {}}
    raw["strategies"] = {trial.name: _with(grid, trial) for trial in trials}
    longest = trials[0].crops
    wrong = f"{grid.name}: settings of its search are malformed"
    found = checked(raw | {"pretrain": raw["pretrain"] | {"crops": longest}}, wrong)
    recipes = [row.budget(found) for row in rows(found)]  # names what is wrong before anything is drawn
    branch = grid.pretrain.schedule == "wsd" and grid.protocol == "probe" and not grid.snapshots.at
    branch &= not any(row.config.of_the_whole for row in rows(found))
    if branch and all(recipe.schedule == "wsd" and recipe.warmup_crops is not None for recipe in recipes):
        # branches of one training, as in a grid of several budgets: a longer rung goes on from a shorter one, and such
        # a grid from what the search has trained
        rungs = [crops for crops in (grid.search.rungs if grid.search else ()) if crops <= longest]
        found = checked(raw | {"pretrain": raw["pretrain"] | {"crops": rungs}}, wrong)
    return found


def read(trial: Trial, jobs: Mapping[str, Job], stores: Stores) -> None:
    """Note what a trial scored on validation at its longest: over its draws and probes, each task's mean."""
    own = [job for job in jobs.values() if job.kind in SCORED and job.spec["strategy"] == trial.name]
    lost = [job.name for job in own if not stores.done(job)]
    if lost:
        trial.error = f"{len(lost)} of {len(own)} jobs failed, the first: {lost[0]}"
        return
    tables = [pd.read_parquet(stores.results.open(job.kind, job.key) / "scores.parquet") for job in own]
    scores = pd.concat(tables).sort_values("crops", kind="stable")
    scores = scores.drop_duplicates(["task", "seed", "encoder", "fraction", "resample", "probe"], keep="last")
    trial.scores = {str(task): float(mean) for task, mean in scores.groupby("task")["val_score"].mean().items()}


def _standing(row: Row, grid: Grid, space: Mapping[str, Any]) -> Setting:
    """The values that the options of a space have now.

    Raises:
        UserError: it has no such option.
    """
    budget = row.budget(grid)
    options = row.config.model_dump(mode="json")
    recipe = budget.model_dump() | {"learning_rate": budget.learning_rate or row.cls.learning_rate}
    known = options | {f"pretrain.{name}": value for name, value in recipe.items()}
    unknown = [option for option in space if option not in known]
    if unknown:
        raise UserError(f"search.spaces.{row.name}.{unknown[0]}: no such option; there are {', '.join(known)}")
    return {option: known[option] for option in space}


def _with(grid: Grid, trial: Trial) -> dict[str, Any]:
    """A row's options under a setting."""
    options: dict[str, Any] = {"strategy": trial.row, **copy.deepcopy(grid.strategies[trial.row])}
    for path, value in trial.setting.items() if trial.number else ():  # the first is the row as it stands
        *way, last = path.split(".")
        inner = options
        for step in way:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return options
