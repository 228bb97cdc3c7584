"""`new`: a package with a strategy, task, encoder or corpus of one's own, which runs as it is."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import say


class Kinds(StrEnum):
    """What can be begun."""

    strategy = "strategy"
    task = "task"
    encoder = "encoder"
    corpus = "corpus"


def new(
    kind: Annotated[Kinds, typer.Argument(help="What it is to be.", show_default=False)],
    name: Annotated[str, typer.Argument(help="What it is to be called, such as my_idea.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option("--to", help="A new or empty folder for it; by default one of its name, here.")
    ] = None,
) -> None:
    """Begin a pretext task of your own, or a task, encoder or corpus: a small package that runs as it is.

    Comments say what to change. Once it is installed, 'run' and 'plan' put it beside the others, as is said at the end.
    """
    from benchmark.new.package import KINDS, write

    folder = to or Path(name)
    for path in write(kind, name, folder):
        say(str(path))
    here = shlex.quote(str(folder))
    say("\nnext, in the environment that this runs in:")
    for command in (f"pip install -e {shlex.quote(f'{folder}[test]')}", f"pytest {here}", KINDS[kind].command(name)):
        say(f"  {command}")
