"""`data get`: what it would bring, whether that is wanted, and how far it is."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from benchmark.cli.options import say
from benchmark.corpora.datasets.dataset import DataSet, forget
from benchmark.corpora.download.get import DOWNLOADS, Lacking, check_disk, get, is_whole, lacking, place_of
from benchmark.interfaces import UserError


def get_files(cls: type[DataSet], yes: bool) -> None:
    """Bring whatever a data set lacks, after asking.

    Raises:
        UserError: it cannot be had, or nobody is there to ask.
    """
    home = place_of(cls)
    if is_whole(cls):
        say(f"{cls.info.name} is in {home} already")
        return
    files = lacking(cls, home)
    if not files:
        say(f"{home}: all archives have been unpacked; to get one again, remove its folder there")
        return
    for line in _offer(cls, files, home):
        say(line)
    check_disk(home, files)
    _ask(yes)
    with _bars() as bars:
        for file in files:
            bar = bars.add_task(file.remote.name, total=file.bytes, completed=file.here)
            get(file, home, partial(_told, bars, bar))
            bars.update(bar, visible=False)
            say(f"{file.remote.name}: checked, and in {home / file.remote.place}")
    _tidy(home)
    forget()


def _offer(cls: type[DataSet], files: list[Lacking], home: Path) -> list[str]:
    """What a person wants to know before saying yes."""
    lines = [f"{cls.info.title} ({cls.info.citation})", f"licence: {cls.licence}", f"space:   {cls.disk}"]
    for file in files:
        have = f", {file.here / 1e6:,.1f} MB of it are here" if file.here else ""
        lines.append(f"  {file.remote.name} from {urlsplit(file.remote.url).hostname}: {_megabytes(file.bytes)}{have}")
    return [*lines, f"to:      {home}"]


def _megabytes(size: int | None) -> str:
    return "size not told" if size is None else f"{size / 1e6:,.1f} MB"


def _ask(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nobody is here to ask: --yes says that you agree to the licence and have the space")
    typer.confirm("Download?", abort=True)


def _bars() -> Progress:
    """How far each file is; nothing where nobody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


def _told(bars: Progress, bar: TaskID, done: int) -> None:
    bars.update(bar, completed=done)


def _tidy(home: Path) -> None:
    """Remove the folder of downloads, which is empty now but for what others left."""
    folder = home / DOWNLOADS
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
