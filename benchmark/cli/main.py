"""The command line. Imports nothing heavy: `--help` and `list` answer at once."""

from __future__ import annotations

import inspect
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark import registry
from benchmark.cli.data import data
from benchmark.cli.export import export
from benchmark.cli.new import new
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
    corpora_of,
    corpus_named,
    data_folder,
    numbers,
    print_failures,
    print_warnings,
    published,
    set_home,
    split_names,
    stoppable,
    warn_of,
)
from benchmark.cli.recommend import recommend
from benchmark.cli.store import store
from benchmark.cli.track import track
from benchmark.cli.tune import tune
from benchmark.interfaces import UserError
from benchmark.scheduler.executors.machine import cores

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which self-supervised pretext task to pre-train with, for which music task, at how many labels.",
)

app.add_typer(data, name="data")
app.add_typer(store, name="store")
app.add_typer(track, name="track")


@app.command()
def run(
    grid: GridName = "smoke",
    out: Out = None,
    data_dir: Data = None,
    store_dir: StoreFolder = None,
    strategies: Names = "",
    tasks: Names = "",
    fractions: Numbers = "",
    seeds: Numbers = "",
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs and stop, as 'plan' does.")] = False,
) -> None:
    """Run what is missing of a grid and write its leaderboard."""
    from benchmark.drive import drive
    from benchmark.scheduler import grid_files as grids
    from benchmark.scheduler.executors.slots import DETERMINISTIC
    from benchmark.scheduler.planning.conditions import all_corruptions
    from benchmark.scheduler.settings import Settings

    set_home(data_home)
    if deterministic:
        os.environ[DETERMINISTIC] = "1"  # workers inherit it
    if plugin:
        registry.load_plugins(plugin)
    values = dict(grids.change(text) for text in changes or [])
    values |= {"protocol": protocol} if protocol else {}
    values |= {"allow_missing": True} if allow_missing else {}
    values |= {"corruptions": all_corruptions()} if corruptions else {}
    values |= {"seeds": numbers(seeds, "--seeds", int)} if seeds else {}
    values |= grids.elsewhere(grids.load(grid, values), corpus_named(corpus)) if corpus else {}
    chosen = grids.narrow(
        grids.load(grid, values),
        split_names(strategies),
        split_names(tasks),
        numbers(fractions, "--fractions", float),
        budget,
    )
    _check_names(chosen, executor)
    chosen = grids.starting_from(chosen, init) if init else chosen
    warn_of(corpora_of(chosen))
    settings = Settings(
        (out or Path("results") / chosen.name).absolute(),
        data_folder(data_dir),
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
        return _print_plan(chosen, settings, every)
    from benchmark.cli.progress import Progress

    with stoppable(), Progress() as progress:
        report = drive(chosen, settings, progress)
    page = settings.out / "leaderboard.html"
    if page.is_file():
        _print_leaderboard(settings.out, by)
    print_warnings(settings.out)
    print_failures(report, settings.out, f"python -m benchmark {_without_narrowing(sys.argv[1:])}")
    if page.is_file():
        typer.echo(str(page))
    raise typer.Exit(1 if report.failed else 0)


def plan(**options: Any) -> None:
    """Print a grid's jobs, which are done, and what the others will cost."""
    run(**options, dry_run=True)


#: jobs that a plan lists one by one
_SCREEN = 40


# `plan` takes the options of `run`, whatever they are, but for those of what it shows
_OPTIONS = [p for p in inspect.signature(run, eval_str=True).parameters.values() if p.name not in ("dry_run", "by")]
setattr(plan, "__signature__", inspect.Signature(_OPTIONS))  # noqa: B010
plan.__annotations__ = run.__annotations__
for command in (plan, recommend, tune, new, export):
    app.command()(command)


@app.command("list")
def list_(
    axis: Annotated[str, typer.Argument(help="strategies, tasks, encoders, corpora, executors, claims or grids")],
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list of objects.")] = False,
) -> None:
    """List what there is."""
    rows = _rows(axis)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        extra = f"  [{row['corpus']}, {row['metric']}]" if "metric" in row else ""
        extra += f"  [also {row['variants']}]" if "variants" in row else ""
        extra += f"  [without tokens: {row['without_tokens']}]" if "without_tokens" in row else ""
        typer.echo(f"{row['name']:<{width}}  {row['summary']}{extra}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A results folder with scores.parquet.")],
    export: Annotated[
        bool, typer.Option("--export", help="Also every table as CSV and LaTeX, every figure as SVG and PDF.")
    ] = False,
    audio: Annotated[
        bool,
        typer.Option("--audio", help="With a few seconds of each corpus to listen to, augmented and corrupted too."),
    ] = False,
    data_dir: Data = None,
    plugin: Plugins = None,
    by: By = Columns.level,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; by default FOLDER, which may be read-only else.")
    ] = None,
) -> None:
    """Rebuild the leaderboard from a scores table, or from what `store import` has brought."""
    registry.load_plugins(plugin or [])
    from benchmark.bookkeeping.collect import gather
    from benchmark.bookkeeping.tables import check_tables, copy_tables
    from benchmark.leaderboard.page import export as exports
    from benchmark.leaderboard.page import html as page
    from benchmark.leaderboard.page import report as leaderboard

    whole = all((folder / name).is_file() for name in ("scores.parquet", "run.json"))
    check_tables(folder)
    if out:
        copy_tables(folder, out)
    if folder.is_dir() and not whole:  # no run has said what belongs together
        gather(folder, out or folder)
    folder = out or folder
    if audio:
        from benchmark.bookkeeping.audio_examples import write_examples

        write_examples(folder, data_folder(data_dir))
    found = leaderboard.gather(folder)
    shown = page.write(folder, found)
    _print_leaderboard(folder, by)
    if export:
        typer.echo(str(exports.write(folder, found)))
    typer.echo(str(shown))


@app.command()
def status(folder: Annotated[Path, typer.Argument(help="A results folder.")]) -> None:
    """Show how far the runs are that are at work on a folder, perhaps in other terminals."""
    from rich.console import Console

    from benchmark.bookkeeping.status import Status
    from benchmark.cli.progress import view

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = Status.read(folder)
    if not found:
        typer.echo(f"nothing runs on {folder}")
    console = Console()
    for each in found:
        console.print(f"{each.driver}:", markup=False, style="bold")
        console.print(view(each))


@app.command()
def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads; by default all cores.")] = cores(),
    peers: Annotated[bool, typer.Option("--peers", help="What people would use instead, beside ours.")] = False,
    growth: Annotated[
        Path | None,
        typer.Option("--growth", help="A folder for table and plot of how runs grow; a quarter of an hour."),
    ] = None,
) -> None:
    """Measure each stage of pre-training, the probe and the report, in one run."""
    if device not in ("cpu", "cuda"):
        raise UserError(f"--device {device}: cpu or cuda")
    if growth:
        from benchmark.cli import growth as growing

        grown = growing.measure()
        growing.write(grown, growth)
        told = growing.summary(grown)
        typer.echo(told.to_json(orient="records", indent=1) if as_json else told.to_string(index=False))
        return
    if peers:
        from benchmark.cli.bench import table
        from benchmark.cli.peers import measure as measure_peers

        figures = measure_peers()
        typer.echo(json.dumps(figures, indent=1) if as_json else table(figures))
        return
    from benchmark.cli.bench import measure, table

    figures = measure(device, threads)
    typer.echo(json.dumps(figures, indent=1) if as_json else table(figures))


def main() -> None:
    """Run the command line: 2 for the user's mistake, 1 for failed jobs, never a traceback for either."""
    from benchmark.store.artefacts import CorruptArtefact

    try:
        registry.check_shadows()
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except CorruptArtefact as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, no permission, a folder in a file's place
        typer.echo(f"error: {error.filename or 'a file'}: {error.strerror or error}; nothing is lost", err=True)
        sys.exit(2)


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


def _without_narrowing(arguments: list[str]) -> str:
    """The command line as it was, less what `--only` said."""
    kept, skip = [], False
    for argument in arguments:
        if not (skip or argument == "--only" or argument.startswith("--only=")):
            kept.append(argument)
        skip = argument == "--only"
    return shlex.join(kept)


def _rows(axis: str) -> list[dict[str, str]]:
    if axis == "grids":
        from benchmark.scheduler import grid_files as grids

        summaries = {name: grids.text_of(name).partition("\n")[0].lstrip("# ") for name in grids.names()}
        also = {name: ", ".join(f"{name}:{variant}" for variant in grids.variants(name)) for name in summaries}
        return [
            {"name": name, "summary": summary} | ({"variants": also[name]} if also[name] else {})
            for name, summary in summaries.items()
        ]
    if axis not in registry.LISTED:
        raise registry.unknown("lists", axis, list(registry.LISTED))
    registered = getattr(registry, axis)
    rows = [registered.describe(name) for name in registered.names()]
    if axis == "tasks":
        for row in rows:
            task = registered.get(row["name"])
            row |= {"corpus": task.corpus, "metric": task.metric, "level": task.level}
    if axis == "strategies":
        for row in rows:
            other = registered.literal(row["name"], "without_tokens")
            row |= {"without_tokens": other} if other else {}
    if axis == "claims":
        rows = [row | {"summary": registered.get(row["name"]).info.title} for row in rows]
    return rows


def _print_plan(grid: Any, settings: Any, every: bool) -> None:
    """Job by job if they fit on a screen, else a line for each kind."""
    from benchmark.scheduler.outlook import Outlook

    outlook = Outlook.of(grid, settings)
    if every or len(outlook.jobs) <= _SCREEN:
        for state, _, name in outlook.rows():
            typer.echo(f"{state:<10}  {name}")
    else:
        typer.echo(f"{'kind':<10}  {'to do':>6}  {'done':>6}  {'not needed':>10}  {'one slot':>8}  such as")
        for kind in outlook.kinds():
            counts = f"{kind.to_do:>6}  {kind.done:>6}  {kind.not_needed:>10}"
            typer.echo(f"{kind.name:<10}  {counts}  {kind.cost:>8}  {kind.example}")
        typer.echo("--all lists every job; --only, --exclude take names as these")
    typer.echo(outlook.summary())


def _print_leaderboard(folder: Path, by: Columns) -> None:
    from rich.console import Console

    from benchmark.leaderboard.drawing.terminal import terminal
    from benchmark.leaderboard.record import load_run
    from benchmark.leaderboard.statistics.stats import read_scores

    width = None if sys.stdout.isatty() else 110  # a pipe has no width of its own, and 80 would cut names
    Console(width=width).print(terminal(read_scores(folder), load_run(folder), by is Columns.task))
