"""`data`: which corpora there are, whether they are whole, and their sound in the store that runs read from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark import registry
from benchmark.cli.describe.command import describe
from benchmark.cli.options import (
    AllowMissing,
    Data,
    Home,
    Plugins,
    Threads,
    Workers,
    data_folder,
    print_failures,
    say,
    set_home,
    split_names,
    stoppable,
    warn_of,
)
from benchmark.interfaces import UserError, one_line

#: missing files that `data check` lists of each kind
_SHOWN = 10

data = typer.Typer(no_args_is_help=True, help="List, get, describe, check and prepare the corpora.")
data.command("describe")(describe)


@data.command("list")
def data_list(data_home: Home = None) -> None:
    """Which data sets there are, and which of them are on this disk."""
    from benchmark.corpora.datasets.dataset import DataSet

    _prepare(data_home, None)
    for name in registry.corpora.names():
        try:
            corpus = registry.corpora.get(name)
            if issubclass(corpus, DataSet):
                lengths = corpus().lengths()
                here, count = len(lengths) - lengths.count(None), len(lengths)
                say(f"{name}: {count if here == count else f'{here} of {count}'} tracks in {corpus.home()}")
            else:
                corpus().fingerprint()
                say(f"{name}: made here\n    {corpus.licence}")
        except UserError as error:
            say(f"{name}: missing\n    {str(error).removeprefix(name + ': ')}")
        except ModuleNotFoundError as error:
            say(f"{name}: cannot be made here\n    {one_line(error)}")


@data.command("check")
def data_check(
    corpus: Annotated[str, typer.Argument(help="A data set ('data list').")],
    every: Annotated[
        bool, typer.Option("--all", help="List every file that is missing or odd, not the first.")
    ] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode the sound first, if it is not yet: into the store of 'prepare'.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every byte, and compare it with what was decoded.")
    ] = False,
    plugin: Plugins = None,
    data_home: Home = None,
    data_dir: Data = None,
    workers: Workers = None,
) -> None:
    """Look for every file of a data set; exit code 1 if some are not there, with what became of them.

    Compares what is here with a complete copy, too, where that is documented: some indices are made of the files; and
    the parts that we draw ourselves with the shares that their documentation names. What was odd about the sound that
    has been decoded is a table, a line for each file; then what lies on both sides of the split.
    """
    from benchmark.corpora.datasets.completeness import doubts, formats, lost
    from benchmark.corpora.datasets.dataset import DataSet

    _prepare(data_home, plugin)
    data = data_folder(data_dir)
    cls = registry.corpora.get(corpus)
    if not issubclass(cls, DataSet):
        raise UserError(f"{corpus} is made here, from installed packages: there is nothing to check")
    tracks, home = cls().tracks(), cls.home()
    here = tracks[[length is not None for length in cls().lengths()]]
    for split, count in tracks["split"].value_counts().items():
        say(f"{split:<12} {count} tracks")
    for part, count in cls.expected.items():
        say(f"{part}: found {here['split'].isin(part.split('+')).sum()} of {count}")
    if not cls.expected:
        say("how many tracks a complete copy has is not documented")
    if different := doubts(cls()):
        # no more than a warning: tiny copies must run, too
        say(f"warning: {corpus} is not complete, or another version: {'; '.join(different)}", err=True)
    for verdict, paths in lost(cls()).items():
        for path in paths if every else paths[:_SHOWN]:
            say(f"{verdict}: {path}")
        if not every and len(paths) > _SHOWN:
            say(f"{verdict}: {len(paths) - _SHOWN} more (--all lists them)")
    say(f"{len(here)} of {len(tracks)} files are in {home}{f', {formats(cls())}' if len(here) else ''}")
    folder = _tell_sound(cls(), data, every, decode, workers)
    changed = _tell_changed(cls(), folder, every) if deep and folder else 0
    raise typer.Exit(1 if len(here) < len(tracks) or changed else 0)


def _tell_changed(corpus: Any, folder: Path, every: bool) -> int:
    """How many files hold something else than when they were decoded; the next run decodes them anew."""
    from benchmark.corpora.datasets.completeness import changed

    paths = changed(corpus, folder)
    for path in paths if every else paths[:_SHOWN]:
        say(f"changed since it was decoded, the next run decodes it anew: {path}")
    if not every and len(paths) > _SHOWN:
        say(f"changed: {len(paths) - _SHOWN} more (--all lists them)")
    return len(paths)


def _tell_sound(corpus: Any, data: Path, every: bool, decode: bool, workers: int | None) -> Path | None:
    """The table of verdicts on what is decoded, and what leaks; returns where it is, if it has been."""
    from benchmark.cli.describe.corpus import decoded
    from benchmark.corpora.leaks import read_twins, words_of_groups, words_of_twins
    from benchmark.corpora.verdicts import lines, read_verdicts

    name, size = corpus.info.name, list(corpus.sizes)[-1]
    folder = _store_audio(name, size, [], True, data, workers, 1) if decode else decoded(name, size, data)
    for line in lines(read_verdicts(folder) if folder else [], None if every else _SHOWN):
        say(line)
    twins = words_of_twins(read_twins(folder)) if folder else []
    for said in (*words_of_groups(corpus.tracks()), *twins):
        say(f"leak: {said}")
    if folder is None:
        say("its sound has not been decoded yet: 'data check --decode' does, and says what is odd about it")
    return folder


@data.command("get")
def data_get(
    corpus: Annotated[str, typer.Argument(help="A data set ('data list').")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    plugin: Plugins = None,
    data_home: Home = None,
    data_dir: Data = None,
) -> None:
    """Download a data set whose licence allows it, unpack it, and look for every file as 'check' does.

    Says first what is fetched from where, how large it is, and under which licence. What came before an interruption is
    kept: the same command goes on from there. No file is accepted whose checksum differs.
    """
    from benchmark.cli.get import get_files
    from benchmark.corpora.datasets.dataset import DataSet

    _prepare(data_home, plugin)
    cls = registry.corpora.get(corpus)
    if not issubclass(cls, DataSet):
        raise UserError(f"{corpus} is made here, from installed packages: there is nothing to get")
    with stoppable():
        get_files(cls, yes)
    data_check(corpus, data_dir=data_dir)


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
    folder = _store_audio(corpus, size, [], allow_missing, data_folder(data_dir), workers, threads)
    _print_verdicts(folder)
    say(str(folder))


@data.command("pack")
def data_pack(
    corpus: Annotated[str, typer.Argument(help="A corpus of rendered scores ('data list').")],
    folder: Annotated[Path, typer.Argument(help="Where to: a data folder, for --data-dir on the other machine.")],
    data_dir: Data = None,
) -> None:
    """Write scores as note tables (2 MB): machines without music21 and symusic render the same clips from them."""
    from benchmark.corpora.rendered.scores import RenderedScores
    from benchmark.corpora.rendered.works.pack import pack
    from benchmark.corpora.rendered.works.reading import read_works

    data_folder(data_dir)  # what was read before is kept there
    if not issubclass(registry.corpora.get(corpus), RenderedScores):
        raise UserError(f"{corpus} is not made from scores; a data set is copied as it is, all else needs no packing")
    reader = RenderedScores.info.version
    say(str(pack(read_works(reader), folder.absolute(), reader)))


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
    _print_verdicts(folder)
    tracks = pd.read_parquet(folder / "tracks.parquet")
    for stem in chosen:
        say(f"{stem:<14} sounds in {tracks[f'active_{stem}'].mean():.0%} of {len(tracks)} tracks")
    say(str(folder))


def _store_audio(
    corpus: str, size: str, stems: list[str], allow_missing: bool, data: Path, workers: int | None, threads: int
) -> Path:
    from benchmark.cli.progress import Progress
    from benchmark.drive import store_audio
    from benchmark.scheduler.grid import Audio
    from benchmark.scheduler.settings import Settings

    warn_of([corpus])
    wanted = Audio(
        corpus=corpus, size=size or list(registry.corpora.get(corpus).sizes)[-1], allow_missing=allow_missing
    )
    with stoppable(), Progress() as progress:
        report, folder = store_audio(wanted, stems, Settings(data, data, workers=workers, threads=threads), progress)
    print_failures(report, data)
    if report.failed:
        raise typer.Exit(1)
    return folder


def _print_verdicts(folder: Path) -> None:
    from benchmark.corpora.verdicts import lines, read_verdicts

    for line in lines(read_verdicts(folder)):
        say(line, err=True)


def _prepare(home: Path | None, plugins: list[Path] | None) -> None:
    set_home(home)
    if plugins:
        registry.load_plugins(plugins)
