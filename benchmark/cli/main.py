"""The command line. Imports nothing heavy: `--help` and `list` answer at once."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark import registry
from benchmark.cli.data import data
from benchmark.cli.export import export
from benchmark.cli.measure.command import bench
from benchmark.cli.new import new
from benchmark.cli.options import By, Columns, Data, Plugins, data_folder, say
from benchmark.cli.recommend import recommend
from benchmark.cli.run import plan, print_tables, run
from benchmark.cli.store import store
from benchmark.cli.track import track
from benchmark.cli.tune import tune
from benchmark.interfaces import UserError, install, visible

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which self-supervised pretext task to pre-train with, for which music task, at how many labels.",
)

app.add_typer(data, name="data")
app.add_typer(store, name="store")
app.add_typer(track, name="track")


for command in (run, plan, bench, recommend, tune, new, export):
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
        extra += f"  [broken: {row['broken']}]" if "broken" in row else ""
        extra += f"  [also {row['variants']}]" if "variants" in row else ""
        extra += f"  [without tokens: {row['without_tokens']}]" if "without_tokens" in row else ""
        say(f"{row['name']:<{width}}  {row['summary']}{extra}")


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
    """Rebuild the leaderboard from a scores table, or from what `store import` has brought; 1 if that is damaged."""
    registry.load_plugins(plugin or [])
    from benchmark.bookkeeping.collect import gather
    from benchmark.bookkeeping.tables import RECORD, check_tables, copy_tables
    from benchmark.leaderboard.page import export as exports
    from benchmark.leaderboard.page import html as page
    from benchmark.leaderboard.page import report as leaderboard

    whole = all((folder / name).is_file() for name in ("scores.parquet", "run.json"))
    check_tables(folder)
    if out:
        copy_tables(folder, out)
    # where no run has said what belongs together, all that is there
    damaged = gather(folder, out or folder) if folder.is_dir() and not whole else []
    for name in damaged:
        say(f"damaged, and left out: {name}", err=True)
    folder = out or folder
    if not (folder / RECORD).is_file():
        say(f"warning: {folder} has no {RECORD}: nobody says what was planned, or which level a task is of", err=True)
    if audio:
        from benchmark.bookkeeping.audio_examples import write_examples

        write_examples(folder, data_folder(data_dir))
    found = leaderboard.gather(folder)
    shown = page.write(folder, found)
    print_tables(found.table, found.headline if by is Columns.level else None, found.run)
    if export:
        say(str(exports.write(folder, found)))
    say(str(shown))
    raise typer.Exit(1 if damaged else 0)


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list, an object for each run.")] = False,
) -> None:
    """Show how far the runs are that are at work on a folder, perhaps in other terminals."""
    from rich.console import Console

    from benchmark.bookkeeping.status import Status
    from benchmark.cli.progress import view

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = Status.read(folder)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=1))
        return
    if not found:
        say(f"nothing runs on {folder}")
    console = Console()
    for each in found:
        console.print(visible(f"{each.driver}:"), markup=False, style="bold")
        console.print(view(each))


def main() -> None:
    """Run the command line: 2 for the user's mistake, 1 for failed jobs, never a traceback for either."""
    from benchmark.store.artefacts import CorruptArtefact

    try:
        registry.check_shadows()
        app()
    except UserError as error:
        say(f"error: {error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if not install(error.name or ""):
            raise
        say(f"error: {error}; {install(error.name or '')}", err=True)
        sys.exit(2)
    except CorruptArtefact as error:
        say(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, no permission, a folder in a file's place
        say(f"error: {error.filename or 'a file'}: {error.strerror or error}; nothing is lost", err=True)
        sys.exit(2)


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
    if axis in ("tasks", "claims"):  # theirs is in the classes, not in the sources
        for row in rows:
            row |= _said_by(registered, row["name"])
    if axis == "strategies":
        for row in rows:
            other = registered.literal(row["name"], "without_tokens")
            row |= {"without_tokens": other} if other else {}
    return rows


def _said_by(axis: registry.Registry[Any], name: str) -> dict[str, str]:
    """What a task or a claim says of itself; of one that cannot be loaded, why: the others go on."""
    try:
        loaded: Any = axis.get(name)
    except UserError as error:
        return {"broken": str(error)}
    if axis.axis == "claims":
        return {"summary": loaded.info.title}
    return {"corpus": loaded.corpus, "metric": loaded.metric, "level": loaded.level}
