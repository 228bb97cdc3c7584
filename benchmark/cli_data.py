"""`data`: which corpora there are, whether they are whole, and their sound in the store that runs read from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.options import (
    AllowMissing,
    Data,
    Home,
    Plugins,
    Threads,
    Workers,
    data_folder,
    print_failures,
    set_home,
    split_names,
)

data = typer.Typer(no_args_is_help=True, help="List, check and prepare the corpora.")


@data.command("list")
def data_list(data_home: Home = None) -> None:
    """Which data sets there are, and which of them are on this disk."""
    from benchmark.corpora.dataset import DataSet

    _prepare(data_home, None)
    for name in registry.corpora.names():
        corpus = registry.corpora.get(name)
        if not issubclass(corpus, DataSet):
            typer.echo(f"{name}: always here\n    {corpus.licence}")
            continue
        try:
            typer.echo(f"{name}: {len(corpus().tracks())} tracks in {corpus.home()}")
        except UserError as error:
            typer.echo(f"{name}: missing\n    {str(error).removeprefix(name + ': ')}")


@data.command("check")
def data_check(
    corpus: Annotated[str, typer.Argument(help="A data set ('data list').")], data_home: Home = None
) -> None:
    """Look for every file of a data set; exit code 1 if some are not there, with their list."""
    from benchmark.corpora.dataset import DataSet

    _prepare(data_home, None)
    cls = registry.corpora.get(corpus)
    if not issubclass(cls, DataSet):
        raise UserError(f"{corpus} is made here, from installed packages: there is nothing to check")
    tracks, home = cls().tracks(), cls.home()
    absent = [path for path in tracks["path"] if not (home / path).is_file()]
    for split, count in tracks["split"].value_counts().items():
        typer.echo(f"{split:<12} {count} tracks")
    for path in absent:
        typer.echo(f"not there: {path}")
    typer.echo(f"{len(tracks) - len(absent)} of {len(tracks)} files are in {home}")
    raise typer.Exit(1 if absent else 0)


@data.command("prepare")
def data_prepare(
    corpus: Annotated[str, typer.Argument(help="A corpus ('data list').")],
    size: Annotated[str, typer.Option(help="Its size; by default the largest.")] = "",
    plugin: Plugins = None,
    data_home: Home = None,
    data_dir: Data = None,
    allow_missing: AllowMissing = False,
    workers: Workers = None,
    threads: Threads = 1,
) -> None:
    """Decode (or render) a corpus into the store that runs read from."""
    _prepare(data_home, plugin)
    typer.echo(str(_store_audio(corpus, size, [], allow_missing, data_folder(data_dir), workers, threads)))


@data.command("separate")
def data_separate(
    corpus: Annotated[str, typer.Argument(help="A corpus ('data list').")],
    size: Annotated[str, typer.Option(help="Its size; by default the largest.")] = "",
    stems: Annotated[str, typer.Option(help="By default demucs's if it is installed, else harmonic,percussive.")] = "",
    plugin: Plugins = None,
    data_home: Home = None,
    data_dir: Data = None,
    allow_missing: AllowMissing = False,
    workers: Workers = None,
    threads: Threads = 1,
) -> None:
    """Take a corpus's mixtures apart, once, for strategies that listen to stems; says where each stem sounds."""
    import pandas as pd

    from benchmark.audio.separate import SEPARATORS, separator_version

    _prepare(data_home, plugin)
    chosen = split_names(stems) or list(SEPARATORS["demucs" if separator_version("demucs") else "hpss"])
    folder = _store_audio(corpus, size, chosen, allow_missing, data_folder(data_dir), workers, threads)
    tracks = pd.read_parquet(folder / "tracks.parquet")
    for stem in chosen:
        typer.echo(f"{stem:<14} sounds in {tracks[f'active_{stem}'].mean():.0%} of {len(tracks)} tracks")
    typer.echo(str(folder))


def _store_audio(
    corpus: str, size: str, stems: list[str], allow_missing: bool, data: Path, workers: int | None, threads: int
) -> Path:
    from benchmark.progress import Progress
    from benchmark.scheduler.drive import Settings, store_audio
    from benchmark.scheduler.grid import Audio

    wanted = Audio(
        corpus=corpus, size=size or list(registry.corpora.get(corpus).sizes)[-1], allow_missing=allow_missing
    )
    with Progress() as progress:
        report, folder = store_audio(
            wanted, stems, Settings(data, data, workers=workers, threads=threads), progress.show
        )
    print_failures(report, data)
    if report.failed:
        raise typer.Exit(1)
    unreadable = json.loads((folder / "unreadable.json").read_text())
    for row in unreadable:
        typer.echo(f"unreadable: {row['id']}: {row['reason']}", err=True)
    return folder


def _prepare(home: Path | None, plugins: list[Path] | None) -> None:
    set_home(home)
    if plugins:
        registry.load_plugins(plugins)
