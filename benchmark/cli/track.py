"""`track`: the MLflow mirror of a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import say

track = typer.Typer(no_args_is_help=True, help="Look after the MLflow mirror.")


@track.command("rebuild")
def track_rebuild(folder: Annotated[Path, typer.Argument(help="A results folder, such as results/smoke.")]) -> None:
    """Mirror a results folder anew: its mlflow.db is replaced; with MLFLOW_TRACKING_URI, adds what is missing there."""
    from benchmark.bookkeeping.mirror.tracking import rebuild

    mirror, damaged = rebuild(folder)
    for artefact in damaged:
        say(f"left out, since it is damaged (run the grid again): {artefact}", err=True)
    say(f"{mirror.added} jobs mirrored to {mirror.place}")
    raise typer.Exit(1 if mirror.error else 0)
