"""What the examples share: where the sound of a published leaderboard lies, and how they say what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from benchmark.cli.options import data_folder
from benchmark.interfaces import UserError
from benchmark.store.artefacts import Store


def heard(results: Path, corpus: str, data_dir: Path | None) -> Path:
    """The folder of a corpus's waveforms, `tracks.parquet` and `mix.npy`, as the results' tasks heard them.

    Raises:
        UserError: there are no such results, or it has not been rendered here, or by other packages.
    """
    record = results / "run.json"
    if not record.is_file():
        raise UserError(f"{results}: is no results folder: it has no {record.name}")
    known: dict[str, str] = json.loads(record.read_bytes()).get("sound", {})
    if corpus not in known:
        raise UserError(f"--corpus {corpus}: {results} is of {', '.join(sorted(known)) or 'none that it names'}")
    data = Store(data_folder(data_dir))
    if not data.is_done("waveforms", known[corpus]):
        raise UserError(
            f"{data.root}: lacks {corpus} as {results} heard it; 'data prepare' renders it, with the Python, numpy and "
            f"scipy that {record} names, or name another folder with --data-dir"
        )
    return data.open("waveforms", known[corpus])


def run(main: Callable[..., Any]) -> None:
    """Run an example; what is the user's mistake is said in a line, with exit code 2."""
    try:
        typer.run(main)
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
