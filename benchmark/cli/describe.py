"""`data describe`: what was understood of somebody's own data, before anything runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from benchmark import registry
from benchmark.interfaces import UserError


def describe(
    what: Annotated[str, typer.Argument(help="A table of your audio (CSV), or the folder that holds it.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what was understood; exit code 1 if a run would fail, 2 if it cannot be read."""
    path = table_at(what)
    if path is None:
        registry.corpora.describe(what)
        raise UserError(f"{what} is no table of yours: 'data list' and 'data check {what}' say what there is of it")
    from benchmark.cli.describe_table import lines_of, told_of
    from benchmark.corpora.tables.table import read_table

    told = told_of(read_table(path))
    typer.echo(json.dumps(told, indent=1, ensure_ascii=False) if as_json else "\n".join(lines_of(path, told)))
    raise typer.Exit(1 if told["errors"] else 0)


def table_at(what: str) -> Path | None:
    """The table that is meant by a path, or by its folder; None if it is a corpus's name.

    Raises:
        UserError: the folder holds none, or several.
    """
    path = Path(what)
    if path.is_dir() and what not in registry.corpora.names():
        found = sorted(one for one in path.glob("*.csv") if not one.name.startswith("."))
        if len(found) != 1:
            names = ", ".join(one.name for one in found) or "none"
            raise UserError(f"{what}: say which table is meant; there is {names}")
        return found[0]
    return path if path.is_file() or path.suffix or os.sep in what else None
