"""Successive halving: all settings of every row on few crops, the best of each on more (Jamieson & Talwalkar 2016)."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.drive import Show, drive
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.plan import plan
from benchmark.scheduler.settings import Settings
from benchmark.scheduler.walk import Report
from benchmark.tuning.trials import Trial, grid_of, read, settings_of


def tune(
    grid: Grid, settings: Settings, progress: Show, note: Callable[[list[Trial]], None] = lambda _: None
) -> tuple[list[Trial], list[Report]]:
    """Search over the settings of a grid's rows.

    What an earlier call has trained is not trained again: it goes on from where it was stopped.

    Args:
        note: is given all trials so far after each rung.

    Returns:
        All trials, and what ran of each rung.

    Raises:
        UserError: the grid has no search, or one that does not fit its rows.
    """
    drawn = settings_of(grid)
    assert grid.search is not None
    rungs, stores = list(grid.search.rungs.items()), settings.stores()
    kept = [*(number for _, number in rungs[1:]), 1]
    best = [Trial(row, n, setting, 0) for row, all_ in drawn.items() for n, setting in enumerate(all_)]
    done: list[Trial] = []
    reports: list[Report] = []
    known: set[str] = set()
    for (crops, _), keep in zip(rungs, kept, strict=True):
        trials = [Trial(trial.row, trial.number, trial.setting, crops) for trial in best]
        now = grid_of(grid, trials)
        jobs = plan(now)
        reports.append(drive(now, settings, progress, known))
        known |= jobs.keys()
        for trial in trials:
            read(trial, jobs, stores)
        best = [trial for row in drawn for trial in best_of([t for t in trials if t.row == row], keep)]
        for trial in best:
            trial.goes_on = True
        done += trials
        note(done)
        if not best:
            break
    return done, reports


def best_of(trials: list[Trial], keep: int) -> list[Trial]:
    """The trials with the highest mean over tasks, of equal ones the first; none that failed."""
    sound = [trial for trial in trials if trial.mean > float("-inf")]
    return sorted(sorted(sound, key=lambda trial: -trial.mean)[:keep], key=lambda trial: trial.number)
