"""`data describe`: what was understood of somebody's own data, before anything runs; what a corpus has to test on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from benchmark import registry
from benchmark.cli.options import Data, data_folder, say


def describe(
    what: Annotated[
        str,
        typer.Argument(help="A table of your audio (CSV), the folder that holds it, a folder of classes, or a corpus."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    size: Annotated[str, typer.Option(help="Of a corpus: its size; by default the largest.")] = "",
    headers: Annotated[
        bool, typer.Option("--headers", help="Of a table's files read the headers alone: nothing is decoded.")
    ] = False,
    data_dir: Data = None,
) -> None:
    """Say what was understood; exit code 1 if a run would fail, 2 if it cannot be read.

    A table's files are decoded as a run would. What is said of a corpus's sound is what was found when it was decoded
    ('data prepare', or a run).
    """
    path = table_at(what)
    if path is None:
        from benchmark.cli.describe.corpus import lines_of_corpus, told_of_corpus

        found = told_of_corpus(registry.corpora.get(what), size, data_folder(data_dir))
        say(json.dumps(found, indent=1) if as_json else "\n".join(lines_of_corpus(found)))
        return
    from benchmark.cli.describe.table import lines_of, told_of
    from benchmark.corpora.tables.table import read_table

    told = told_of(read_table(path), headers)
    say(json.dumps(told, indent=1, ensure_ascii=False) if as_json else "\n".join(lines_of(path, told)))
    raise typer.Exit(1 if told["errors"] else 0)


def table_at(what: str) -> Path | None:
    """The table that is meant by a path, or by its folder; or that folder, of classes; None if it is a corpus's name.

    Raises:
        UserError: the folder holds several tables.
    """
    from benchmark.corpora.tables.cells import table_in

    path = Path(what)
    if path.is_dir() and what not in registry.corpora.names():
        return table_in(path)
    return path if path.is_file() or path.suffix or os.sep in what else None
