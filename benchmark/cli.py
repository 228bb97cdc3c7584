"""The command line. Imports nothing heavy: `--help` and `list` answer at once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark import registry
from benchmark.cli_data import data
from benchmark.interfaces import UserError
from benchmark.options import (
    AllowMissing,
    Data,
    Home,
    Names,
    Plugins,
    Threads,
    Workers,
    data_folder,
    print_failures,
    set_home,
    split_names,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which self-supervised pretext task to pre-train with, for which music task, at how many labels.",
)

app.add_typer(data, name="data")

GridName = Annotated[str, typer.Option("--grid", help="A grid's name, or the path of a YAML file.")]
Out = Annotated[Path | None, typer.Option("--out", help="Results folder; by default results/<grid>.")]
Budget = Annotated[float, typer.Option(min=1e-9, help="Multiplies the crops that pre-training hears.")]


@app.command()
def run(
    grid: GridName = "smoke",
    out: Out = None,
    data_dir: Data = None,
    strategies: Names = "",
    tasks: Names = "",
    plugin: Plugins = None,
    budget: Budget = 1.0,
    executor: Annotated[str, typer.Option(help="Where jobs run.")] = "local",
    workers: Workers = None,
    threads: Threads = 1,
    data_home: Home = None,
    allow_missing: AllowMissing = False,
    protocol: Annotated[str, typer.Option(help="probe (frozen encoder) or finetune; by default the grid's.")] = "",
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Score test audio also under every corruption, severities 1 to 4.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs and stop.")] = False,
) -> None:
    """Run what is missing of a grid and write its leaderboard."""
    from benchmark.scheduler.drive import Settings, drive

    set_home(data_home)
    chosen = _grid(grid, strategies, tasks, plugin, budget)
    if allow_missing:
        chosen = chosen.model_copy(update={"allow_missing": True})
    if protocol not in ("", "probe", "finetune"):
        raise UserError(f"--protocol {protocol}: it is probe or finetune")
    if protocol:
        chosen = chosen.model_copy(update={"protocol": protocol})
    if corruptions:
        from benchmark.audio.corrupt import CORRUPTIONS

        chosen = chosen.model_copy(update={"corruptions": {name: [1, 2, 3, 4] for name in CORRUPTIONS}})
    settings = Settings(_out(out, chosen.name), data_folder(data_dir), executor, workers, threads)
    if dry_run:
        return _print_plan(chosen, settings)
    from benchmark.progress import Progress

    with Progress() as progress:
        report = drive(chosen, settings, progress.show)
    page = settings.out / "leaderboard.html"
    if page.is_file():
        _print_leaderboard(settings.out)
    print_failures(report, settings.out)
    if page.is_file():
        typer.echo(str(page))
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def plan(
    grid: GridName = "smoke",
    out: Out = None,
    data_dir: Data = None,
    strategies: Names = "",
    tasks: Names = "",
    budget: Budget = 1.0,
    data_home: Home = None,
) -> None:
    """Print a grid's jobs, and which are done."""
    from benchmark.scheduler.drive import Settings

    set_home(data_home)

    chosen = _grid(grid, strategies, tasks, None, budget)
    _print_plan(chosen, Settings(_out(out, chosen.name), data_folder(data_dir)))


@app.command("list")
def list_(
    axis: Annotated[str, typer.Argument(help="strategies, tasks, encoders, corpora or grids")],
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
        typer.echo(f"{row['name']:<{width}}  {row['summary']}{extra}")


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A results folder with scores.parquet.")]) -> None:
    """Rebuild the leaderboard from a scores table."""
    from benchmark.leaderboard.page import build

    page = build(folder)
    _print_leaderboard(folder)
    typer.echo(str(page))


@app.command()
def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads; by default all cores.")] = os.cpu_count() or 1,
    data_dir: Data = None,
) -> None:
    """Measure each stage of pre-training, and the probe, in one run."""
    from benchmark.bench import measure, table

    figures = measure(device, threads)
    typer.echo(json.dumps(figures, indent=1) if as_json else table(figures))


def main() -> None:
    """Run the command line: 2 for the user's mistake, 1 for failed jobs, never a traceback for either."""
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        sys.exit(130)


def _grid(name: str, strategies: str, tasks: str, plugins: list[Path] | None, budget: float) -> Any:
    from benchmark.scheduler import grid as grids

    if plugins:
        registry.load_plugins(plugins)
    chosen = grids.narrow(grids.load(name), split_names(strategies), split_names(tasks), budget)
    for axis, wanted in (
        ("strategies", [options.get("strategy", name) for name, options in chosen.strategies.items()]),
        ("encoders", chosen.encoders),
        ("tasks", chosen.tasks),
    ):
        for entry in wanted:
            getattr(registry, axis).describe(entry)  # an unknown name is found before anything is imported
    return chosen


def _out(out: Path | None, grid: str) -> Path:
    return (out or Path("results") / grid).absolute()


def _rows(axis: str) -> list[dict[str, str]]:
    if axis == "grids":
        from benchmark.scheduler import grid as grids

        return [
            {"name": name, "summary": grids.text_of(name).partition("\n")[0].lstrip("# ")} for name in grids.names()
        ]
    if axis not in ("strategies", "tasks", "encoders", "corpora", "executors"):
        raise registry.unknown("lists", axis, ["strategies", "tasks", "encoders", "corpora", "grids"])
    registered = getattr(registry, axis)
    rows = [registered.describe(name) for name in registered.names()]
    if axis == "tasks":
        for row in rows:
            task = registered.get(row["name"])
            row |= {"corpus": task.corpus, "metric": task.metric, "level": task.level}
    return rows


def _print_plan(grid: Any, settings: Any) -> None:
    from benchmark.scheduler.drive import describe
    from benchmark.scheduler.jobs import Stores
    from benchmark.scheduler.plan import plan as plan_jobs

    rows = describe(plan_jobs(grid), Stores(settings.data, settings.out))
    for state, _, name in rows:
        typer.echo(f"{state:<10}  {name}")
    typer.echo(f"{sum(r[0] == 'to do' for r in rows)} of {len(rows)} jobs to do")


def _print_leaderboard(folder: Path) -> None:
    import pandas as pd
    from rich.console import Console

    from benchmark.leaderboard.record import load_run
    from benchmark.leaderboard.terminal import terminal

    width = None if sys.stdout.isatty() else 110  # a pipe has no width of its own, and 80 would cut names
    Console(width=width).print(terminal(pd.read_parquet(folder / "scores.parquet"), load_run(folder)))
