"""`run` and `plan`: a grid from what is asked for to its leaderboard, or to what that would cost."""

from __future__ import annotations

import inspect
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark import registry
from benchmark.cli.options import (
    Against,
    AllowMissing,
    Budget,
    By,
    Columns,
    Corpus,
    Corruptions,
    Data,
    Deterministic,
    Exclude,
    Executor,
    GridName,
    Home,
    Init,
    KeepEmbeddings,
    Names,
    NoMLflow,
    Numbers,
    Only,
    Out,
    PerGPU,
    Plugins,
    Protocol,
    Set,
    StoreFolder,
    Threads,
    TimeLimit,
    Workers,
    check_used,
    corpora_of,
    corpus_named,
    data_folder,
    numbers,
    print_failures,
    print_warnings,
    published,
    say,
    set_home,
    some,
    stoppable,
    warn_of,
)
from benchmark.interfaces import UserError

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.leaderboard.record import Run
    from benchmark.leaderboard.statistics.headline import Headline


def run(
    grid: GridName = "smoke",
    out: Out = None,
    data_dir: Data = None,
    store_dir: StoreFolder = None,
    strategies: Names = None,
    tasks: Names = None,
    fractions: Numbers = None,
    seeds: Numbers = None,
    changes: Set = None,
    only: Only = None,
    exclude: Exclude = None,
    plugin: Plugins = None,
    corpus: Corpus = "",
    init: Init = "",
    budget: Budget = 1.0,
    against: Against = None,
    executor: Executor = "local",
    workers: Workers = None,
    threads: Threads = 1,
    jobs_per_gpu: PerGPU = 1,
    time_limit: TimeLimit = 24.0,
    data_home: Home = None,
    allow_missing: AllowMissing = False,
    protocol: Protocol = "",
    corruptions: Corruptions = False,
    keep_embeddings: KeepEmbeddings = False,
    deterministic: Deterministic = False,
    no_mlflow: NoMLflow = False,
    by: By = Columns.level,
    every: Annotated[bool, typer.Option("--all", help="Of a long plan, list every job, not kinds.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say what failed or is odd, and where the page is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as one JSON object.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs and stop, as 'plan' does.")] = False,
) -> None:
    """Run what is missing of a grid and write its leaderboard."""
    from benchmark.drive import drive
    from benchmark.scheduler import grid_files as grids
    from benchmark.scheduler.executors.slots import DETERMINISTIC
    from benchmark.scheduler.planning.conditions import all_corruptions
    from benchmark.scheduler.planning.edits import words_of_edits
    from benchmark.scheduler.planning.present import present, words_of_left_out
    from benchmark.scheduler.settings import Settings

    set_home(data_home)
    data = data_folder(data_dir)  # signatures of files are remembered there
    if deterministic:
        os.environ[DETERMINISTIC] = "1"  # workers inherit it
    ours = {axis: set(getattr(registry, axis).names()) for axis in _ASKED_FOR}
    if plugin:
        registry.load_plugins(plugin)
    rows = some(strategies, "--strategies")
    values = dict(grids.change(text) for text in changes or [])
    check_used(values, rows)
    values |= {"protocol": protocol} if protocol else {}
    values |= {"allow_missing": True} if allow_missing else {}
    values |= {"corruptions": all_corruptions()} if corruptions else {}
    values |= {"seeds": numbers(seeds, "--seeds", int)} if seeds is not None else {}
    values |= grids.elsewhere(grids.load(grid, values), corpus_named(corpus)) if corpus else {}
    chosen = grids.narrow(
        grids.load(grid, values),
        rows,
        some(tasks, "--tasks"),
        numbers(fractions, "--fractions", float),
        budget,
    )
    _check_names(chosen, executor)
    _warn_of_unused(chosen, ours)
    chosen = present(grids.starting_from(chosen, init) if init else chosen)
    for said in [*words_of_left_out(chosen), *words_of_edits(chosen)]:
        say(f"warning: {said}", err=True)
    warn_of(corpora_of(chosen))
    settings = Settings(
        (out or Path("results") / chosen.name).absolute(),
        data,
        executor,
        workers,
        threads,
        jobs_per_gpu,
        60 * 60 * time_limit,
        tuple(only or ()),
        tuple(exclude or ()),
        keep_embeddings=keep_embeddings,
        mlflow=not (no_mlflow or dry_run),
        store=store_dir.absolute() if store_dir else None,
        against=published(against) if against else None,
    )
    if dry_run:
        return _print_plan(chosen, settings, every, as_json)
    if as_json:
        raise UserError("--json: is of 'plan'; a run leaves its numbers in leaderboard.csv and scores.parquet")
    from benchmark.cli.progress import Progress

    with stoppable(), Progress(quiet) as progress:
        report = drive(chosen, settings, progress)
    page = settings.out / "leaderboard.html"
    is_shown = page.is_file() and not report.stale
    if is_shown and not quiet:
        print_leaderboard(settings.out, by)
    if not report.stale:
        print_warnings(settings.out)
    print_failures(report, settings.out, f"python -m benchmark {_without_narrowing(sys.argv[1:])}")
    if report.stale:
        say(f"nothing of this run is scored; what {settings.out} shows is an earlier run's", err=True)
    if is_shown:
        say(str(page))
    raise typer.Exit(1 if report.failed else 0)


def plan(**options: Any) -> None:
    """Print a grid's jobs, which are done, and what the others will cost."""
    run(**options, dry_run=True)


#: jobs that a plan lists one by one
_SCREEN = 40


#: options of `run` that say how it goes on and what it shows
_OF_RUN = ("dry_run", "by", "quiet")
# `plan` takes the options of `run`, whatever they are, but for those of what it shows
_OPTIONS = [p for p in inspect.signature(run, eval_str=True).parameters.values() if p.name not in _OF_RUN]
setattr(plan, "__signature__", inspect.Signature(_OPTIONS))  # noqa: B010
plan.__annotations__ = run.__annotations__


def _check_names(grid: Any, executor: str) -> None:
    """Find an unknown name before anything is imported."""
    for axis, wanted in (
        ("corpora", [*grid.corpora, *grid.sizes]),
        ("strategies", [str(options.get("strategy", name)) for name, options in grid.strategies.items()]),
        ("encoders", grid.all_encoders),
        ("tasks", grid.tasks),
        ("executors", [executor]),
    ):
        for entry in wanted:
            getattr(registry, axis).describe(entry)


#: by axis, how a grid is told to have an entry
_ASKED_FOR = {"strategies": "--strategies {}", "encoders": "--set encoders=[{}]", "tasks": "--tasks {}"}


def _warn_of_unused(grid: Any, ours: Mapping[str, set[str]]) -> None:
    """Say which plugins' entries no job will use: to give one is not to ask for it."""
    rows = [str(options.get("strategy", name)) for name, options in grid.strategies.items()]
    used = {"strategies": rows, "encoders": grid.all_encoders, "tasks": grid.tasks}
    for axis, how in _ASKED_FOR.items():
        new = sorted(set(getattr(registry, axis).names()) - ours[axis])
        if new and not set(new) & set(used[axis]):
            asks = f"{how.format(','.join(new))} asks for {'it' if len(new) == 1 else 'them'}, and for no others"
            say(f"warning: --plugin brings {axis} that this grid does not have: {asks}", err=True)


def _without_narrowing(arguments: list[str]) -> str:
    """The command line as it was, less what `--only` said."""
    kept, skip = [], False
    for argument in arguments:
        if not (skip or argument == "--only" or argument.startswith("--only=")):
            kept.append(argument)
        skip = argument == "--only"
    return shlex.join(kept)


def _print_plan(grid: Any, settings: Any, every: bool, as_json: bool) -> None:
    """Job by job if they fit on a screen, else a line for each kind."""
    from benchmark.bookkeeping.against import Against
    from benchmark.scheduler.outlook import Outlook

    outlook = Outlook.of(grid, settings)
    if settings.against:
        Against.read(settings.against).check(grid, outlook.jobs)
    if as_json:
        typer.echo(json.dumps(outlook.told(), indent=1))
        return
    if every or len(outlook.jobs) <= _SCREEN:
        for state, _, name in outlook.rows():
            say(f"{state:<10}  {name}")
    else:
        say(f"{'kind':<10}  {'to do':>6}  {'done':>6}  {'not needed':>10}  {'one slot':>8}  such as")
        for kind in outlook.kinds():
            counts = f"{kind.to_do:>6}  {kind.done:>6}  {kind.not_needed:>10}"
            say(f"{kind.name:<10}  {counts}  {kind.cost:>8}  {kind.example}")
        say("--all lists every job; --only, --exclude take names as these")
    say(outlook.summary())


def print_leaderboard(folder: Path, by: Columns) -> None:
    """Print the tables of a results folder's scores."""
    from benchmark.leaderboard.record import load_run
    from benchmark.leaderboard.statistics import headline, stats, tables

    scores, record = stats.load_scores(folder), load_run(folder)
    table = tables.cells(scores, record)
    print_tables(table, headline.headline(scores, table, record) if by is Columns.level else None, record)


def print_tables(table: pd.DataFrame, found: Headline | None, record: Run) -> None:
    """Print a leaderboard that has been computed: by level, or without one by task."""
    from rich.console import Console

    from benchmark.leaderboard.drawing.terminal import terminal

    width = None if sys.stdout.isatty() else 110  # a pipe has no width of its own, and 80 would cut names
    Console(width=width).print(terminal(table, found, record))
