"""`tune`: an equal search over the settings of a grid's rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark import registry
from benchmark.cli.options import (
    Budget,
    Data,
    Executor,
    Home,
    NoMLflow,
    Out,
    PerGPU,
    Plugins,
    Rows,
    Set,
    StoreFolder,
    Threads,
    TimeLimit,
    Workers,
    corpora_of,
    data_folder,
    print_failures,
    say,
    set_home,
    some,
    stoppable,
    warn_of,
)
from benchmark.interfaces import UserError

if TYPE_CHECKING:
    from benchmark.tuning.trials import Trial


def tune(
    grid: Annotated[str, typer.Option("--grid", help="A grid with a 'search', by name or path.")] = "tune",
    out: Out = None,
    data_dir: Data = None,
    store_dir: StoreFolder = None,
    strategies: Rows = None,
    changes: Set = None,
    plugin: Plugins = None,
    budget: Budget = 1.0,
    executor: Executor = "local",
    workers: Workers = None,
    threads: Threads = 1,
    jobs_per_gpu: PerGPU = 1,
    time_limit: TimeLimit = 24.0,
    data_home: Home = None,
    no_mlflow: NoMLflow = False,
) -> None:
    """Try as many settings of every row, judged on validation; the best go on to longer trainings."""
    from benchmark.cli.progress import Progress
    from benchmark.scheduler import grid_files as grids
    from benchmark.scheduler.settings import Settings
    from benchmark.tuning import halving, table

    set_home(data_home)
    data = data_folder(data_dir)  # signatures of files are remembered there
    registry.load_plugins(plugin or [])
    read = grids.load(grid, dict(grids.change(text) for text in changes or []))
    wanted = some(strategies, "--strategies")
    unknown = [name for name in wanted if not read.search or name not in read.search.spaces]
    if unknown:
        raise UserError(f"--strategies {unknown[0]}: {read.name} has no search.spaces for it")
    chosen = grids.narrow(read, wanted or list(read.search.spaces if read.search else []), budget=budget)
    registry.executors.describe(executor)
    warn_of(corpora_of(chosen))
    folder = (out or Path("results") / chosen.name).absolute()
    settings = Settings(
        folder,
        data,
        executor,
        workers,
        threads,
        jobs_per_gpu,
        3600 * time_limit,
        mlflow=not no_mlflow,
        store=store_dir.absolute() if store_dir else None,
    )
    with stoppable(), Progress() as progress:
        trials, reports = halving.tune(chosen, settings, progress, lambda done: table.write(folder, chosen, done))
    for report in reports:
        print_failures(report, folder)
    _print(trials)
    say(str(folder / table.PAGE))
    raise typer.Exit(1 if any(report.failed for report in reports) else 0)


def _print(trials: list[Trial]) -> None:
    """The best of each row, beside what it stood at."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for heading in ("row", "crops", "setting", "mean on validation", "as it stood"):
        shown.add_column(heading, justify="left" if heading in ("row", "setting") else "right")
    for row in dict.fromkeys(trial.row for trial in trials):
        own = [trial for trial in trials if trial.row == row]
        last = max(trial.crops for trial in own)
        best = next((trial for trial in own if trial.crops == last and trial.goes_on), None)
        stood = next((f"{trial.mean:.3f}" for trial in own if trial.crops == last and not trial.number), "-")
        if best is None:
            shown.add_row(row, f"{last:,}", "every setting failed", "-", "-")
            continue
        setting = ", ".join(f"{option} {value}" for option, value in best.setting.items())
        shown.add_row(row, f"{last:,}", setting, f"{best.mean:.3f}", stood)
    Console(width=None if sys.stdout.isatty() else 150).print(shown)
