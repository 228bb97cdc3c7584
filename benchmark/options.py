"""What the commands share: options, and small steps around them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="MIR_PRETEXT_DATA",
        help="Where corpora are kept; a cache outside the repository.",
    ),
]
Home = Annotated[
    Path | None,
    typer.Option("--data-home", envvar="MIR_DATA_HOME", help="Where your data sets are, a folder each ('data list')."),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Use a data set although over 2 % of its files cannot be read.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Jobs at once; by default one per GPU or core.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads per job.")]
Names = Annotated[str, typer.Option(help="Comma-separated names; by default the grid's.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file that defines a strategy, or a CSV of your own audio."),
]


def split_names(names: str) -> list[str]:
    """`a, b` to its names."""
    return [name.strip() for name in names.split(",") if name.strip()]


def data_folder(data_dir: Path | None) -> Path:
    """Where corpora are kept."""
    from platformdirs import user_cache_path

    return (data_dir or user_cache_path("mir-pretext")).absolute()


def set_home(home: Path | None) -> None:
    """Say where data sets are, here and to workers."""
    from benchmark.corpora.dataset import DATA_HOME

    if home is not None:
        os.environ[DATA_HOME] = str(home.absolute())


def print_failures(report: Any, out: Path) -> None:
    """Name the jobs that failed, and their logs."""
    for failure in report.failed:
        typer.echo(f"failed: {failure.job.name}: {failure.error}\n  log: {out}/logs/{failure.job.key}.log", err=True)
    if report.blocked:
        typer.echo(f"not run, since they need a failed job: {len(report.blocked)} jobs", err=True)
