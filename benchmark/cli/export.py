"""`export`: what a row of a leaderboard has trained, as a folder that `benchmark.load_encoder` reads."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark import registry
from benchmark.cli.options import Plugins, say

#: below results that are published without their store: exports, a folder for each row
KEPT = "weights"


class Format(StrEnum):
    """What to write beside configuration and model card."""

    safetensors = "safetensors"
    torchscript = "torchscript"


def export(
    results: Annotated[Path, typer.Argument(help="A results folder; its weights may be in another store.")],
    row: Annotated[str, typer.Argument(help="A row of its leaderboard, by name.")],
    to: Annotated[Path, typer.Option("--to", help="A new folder, or that of an earlier export, which is replaced.")],
    encoder: Annotated[str, typer.Option(help="Which, where the row has several.")] = "",
    seed: Annotated[int | None, typer.Option(help="By default the first.")] = None,
    crops: Annotated[float | None, typer.Option(help="Which budget; by default the leaderboard's.")] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Float16: half the size, no longer the very numbers that were scored.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="torchscript: also the network, for use without this package.")
    ] = Format.safetensors,
    plugin: Plugins = None,
) -> None:
    """Write a row's encoder: weights, configuration, model card; 'benchmark.load_encoder(DIR)' loads it."""
    registry.load_plugins(plugin or [])
    from benchmark.encoders.exported import CONFIG, about_of
    from benchmark.pretrained.choose import Gone, choose
    from benchmark.pretrained.export import copy
    from benchmark.pretrained.export import export as write

    kept = results / KEPT / row
    try:
        chosen = choose(results, row, encoder, seed, crops)
        seeds, files = chosen.seeds, write(chosen, to, half, format_.value)
    except Gone:
        if not (kept / CONFIG).is_file():
            raise
        seeds, files = [], copy(kept, to, encoder, seed, crops, half, format_.value)
        say(f"copied from {kept}{', in float16' if about_of(to)[1].half else ''}")
    about = about_of(to)[1]
    heard = f"{about.crops:,.0f} crops of {about.corpus}" if about.crops else "no crops"
    among = f" of {', '.join(map(str, seeds))}" if len(seeds) > 1 else ""
    say(f"{row} on {about.encoder}, seed {about.seed}{among}, heard {heard}")
    for path in files:
        say(str(path))
