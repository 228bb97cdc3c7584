"""`recommend`: an answer for somebody's own audio, without training anything."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark import registry
from benchmark.cli.describe.command import table_at
from benchmark.cli.options import (
    AllowMissing,
    Data,
    Executor,
    Plugins,
    StoreFolder,
    Threads,
    Workers,
    data_folder,
    print_failures,
    say,
    some,
    split_names,
    stoppable,
)
from benchmark.interfaces import UserError

if TYPE_CHECKING:
    from benchmark.corpora.tables.labels import Label
    from benchmark.corpora.tables.table import Table
    from benchmark.scheduler.grid import Grid
    from benchmark.scheduler.settings import Settings

#: rows that ask for no more than sound, and what they have to clear
_OWN = "simclr,simclr_pitch_shift,random,mfcc,constant"


def recommend(
    what: Annotated[
        str, typer.Argument(help="A table of your audio (CSV), or a folder whose sub-folders are classes.")
    ],
    labels: Annotated[str | None, typer.Option(help="Comma-separated label columns; by default all.")] = None,
    encoders: Annotated[
        str,
        typer.Option(help="Comma-separated folders that 'export' wrote, or hf:NAME, beside the encoders that ship."),
    ] = "",
    contestants: Annotated[
        str,
        typer.Option(
            help="Models of others to compare, comma-separated, or 'none'; by default those that are installed. Each "
            "takes a core about a second for 10 s of audio."
        ),
    ] = "installed",
    goal: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="A score to say the number of labels for; by default the next round one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Results folder; by default results/recommend-<table>.")
    ] = None,
    data_dir: Data = None,
    store_dir: StoreFolder = None,
    executor: Executor = "local",
    workers: Workers = None,
    threads: Threads = 1,
    allow_missing: AllowMissing = False,
    plugin: Plugins = None,
) -> None:
    """Say which encoder to take for your own audio, and how many labels it takes; nothing is trained."""
    registry.executors.describe(executor)
    table = _table(what)
    registry.load_plugins([table.path, *(plugin or [])])
    chosen = _chosen(table, some(labels, "--labels"))
    from benchmark.cli.describe.table import lines_of, told_of

    told = told_of(table, headers=True)
    told["errors"] = []  # what no run can take was refused; columns that are left out were told of
    for line in lines_of(table.path, told):
        say(line, err=as_json)
    if not allow_missing:
        table.refuse(table.unreadable())
    from benchmark.scheduler.settings import Settings

    place = (out or Path("results") / f"recommend-{table.corpus}").absolute()
    store = store_dir.absolute() if store_dir else None
    settings = Settings(place, data_folder(data_dir), executor, workers, threads, store=store)
    grid = _question(table, chosen, split_names(encoders), contestants, allow_missing)
    told["warnings"] += _hear(table, allow_missing, settings, as_json)
    answers = _ask(table, chosen, grid, goal, settings)
    page = settings.out / "leaderboard.html"
    if as_json:
        typer.echo(json.dumps({**told, "answers": answers["told"], "page": str(page)}, indent=1, ensure_ascii=False))
        return
    for line in answers["lines"]:
        say(line)
    say(f"\n{page}")


def _table(what: str) -> Table:
    """The table, without anything in it that no run can take.

    Raises:
        UserError: there is none, or something in it is wrong.
    """
    from benchmark.corpora.tables.table import read_table

    path = table_at(what)
    if path is None or not path.exists():
        raise UserError(f"{what}: no such table or folder")
    table = read_table(path)
    table.refuse(table.errors)
    table.refuse(table.sound.errors)
    return table


def _chosen(table: Table, names: Sequence[str]) -> list[Label]:
    """The labels that a task can be made of; what is left out is told.

    Raises:
        UserError: there is none, or one that is asked for is not there.
    """
    known = {name: label for label in table.labels for name in (label.column.header, label.column.name)}
    for name in names:
        if name not in known:
            raise registry.unknown(f"label columns of {table.path}", name, list(known))
    wanted = [known[name] for name in names] or table.labels
    why = {label.column.header: table.unusable(label) for label in wanted}
    if all(why.values()):
        table.refuse([finding for findings in why.values() for finding in findings])
    for finding in (finding for findings in why.values() for finding in findings):
        say(f"left out: {finding.what}", err=True)
    return [label for label in wanted if not why[label.column.header]]


def _hear(table: Table, allow_missing: bool, settings: Settings, as_json: bool) -> list[dict[str, Any]]:
    """Decode the files, once, and tell what is odd about their sound."""
    from benchmark.cli.progress import Progress
    from benchmark.corpora.leaks import read_twins
    from benchmark.corpora.tables.listen import told_of_sound
    from benchmark.corpora.verdicts import read_verdicts
    from benchmark.drive import store_audio
    from benchmark.scheduler.grid import Audio

    audio = Audio(corpus=table.corpus, size="all", allow_missing=allow_missing)
    say(f"reading {len(table.tracks)} tracks", err=True)
    with stoppable(), Progress() as progress:
        report, folder = store_audio(audio, [], settings, progress)
    _stop_if_failed(report, settings)
    silent = {name for name, length in zip(table.tracks["id"], table.sound.seconds, strict=True) if length != length}
    verdicts = [row for row in read_verdicts(folder) if row["id"] not in silent]
    found = told_of_sound(table, verdicts, read_twins(folder))
    for finding in found:
        say(f"warning{finding.where}: {finding.what}", err=as_json)
    return [{"what": finding.what, "rows": list(finding.rows)} for finding in found]


def _question(
    table: Table, chosen: Sequence[Label], encoders: Sequence[str], contestants: str, allow_missing: bool
) -> Grid:
    """What is to be compared, on which labels.

    Raises:
        UserError: an encoder or contestant is not there, or a contestant brings no weights.
    """
    from benchmark.encoders.contestants.hf import PREFIX
    from benchmark.recommend.question import contestants as installed
    from benchmark.recommend.question import question

    named = [] if contestants in ("none", "installed") else split_names(contestants)
    kinds = {name: registry.strategies.get(name) for name in named}
    if trained := [name for name, kind in kinds.items() if kind.trains or kind.supervised]:
        raise UserError(f"--contestants {', '.join(trained)}: brings no weights, and nothing is trained here")
    others = installed() if contestants == "installed" else named
    hub = [name for name in encoders if name.startswith(PREFIX)]
    before = set(registry.strategies.names())
    registry.load_plugins(list(map(Path, hub)))
    others = [*others, *sorted(set(registry.strategies.names()) - before)]
    train = (table.tracks["split"] == "train").to_numpy()
    most = max(
        sum(value is not None for value, own in zip(label.values, train, strict=True) if own) for label in chosen
    )
    seconds = [length for length, own in zip(table.sound.seconds, train, strict=True) if own]
    exports = [name for name in encoders if name not in hub]
    tasks = [label.column.task for label in chosen]
    return question(table.corpus, tasks, most, exports, seconds, allow_missing, others)


def _ask(table: Table, chosen: Sequence[Label], grid: Grid, goal: float | None, settings: Settings) -> dict[str, Any]:
    """Run the question, and put its answer into words and numbers, by label column."""
    from benchmark.cli.progress import Progress
    from benchmark.drive import drive
    from benchmark.leaderboard.record import load_run
    from benchmark.leaderboard.statistics.stats import read_scores
    from benchmark.recommend.advice import advise
    from benchmark.recommend.words import lines, told

    tasks = {label.column.task: label.column.header for label in chosen}
    with stoppable(), Progress() as progress:
        report = drive(grid, settings, progress)
    _stop_if_failed(report, settings)
    advices = advise(read_scores(settings.out), load_run(settings.out), goal)
    own = (
        f"python -m benchmark run --grid reference --set 'pretrain.crops=[125000]' --strategies {_OWN} "
        f"--plugin {shlex.quote(str(table.path))} --corpus {table.corpus} --tasks {','.join(tasks)} "
        f"--out results/{table.corpus}"
    )
    return {
        "told": {tasks[advice.task]: told(advice, own) for advice in advices},
        "lines": [line for advice in advices for line in ("", *lines(advice, own))],
    }


def _stop_if_failed(report: Any, settings: Settings) -> None:
    if report.failed:
        print_failures(report, settings.out)
        raise typer.Exit(1)
