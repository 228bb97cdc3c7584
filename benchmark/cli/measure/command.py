"""`bench` itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import say
from benchmark.interfaces import UserError
from benchmark.scheduler.executors.machine import cores


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads; by default all cores.")] = cores(),
    peers: Annotated[bool, typer.Option("--peers", help="What people would use instead, beside ours.")] = False,
    growth: Annotated[
        Path | None,
        typer.Option("--growth", help="A folder for table and plot of how runs grow; a quarter of an hour."),
    ] = None,
) -> None:
    """Measure each stage of pre-training, the probe and the report, in one run."""
    if device not in ("cpu", "cuda"):
        raise UserError(f"--device {device}: cpu or cuda, which is the first GPU of CUDA_VISIBLE_DEVICES")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UserError("--device cuda: torch sees no GPU here; leave it out, or use --device cpu")
    if growth:
        from benchmark.cli.measure import growth as growing

        grown = growing.measure()
        growing.write(grown, growth)
        told = growing.summary(grown)
        say(told.to_json(orient="records", indent=1) if as_json else told.to_string(index=False))
        return
    if peers:
        from benchmark.cli.measure.peers import measure as measure_peers
        from benchmark.cli.measure.stages import table

        figures = measure_peers()
        say(json.dumps(figures, indent=1) if as_json else table(figures))
        return
    from benchmark.cli.measure.stages import measure, table

    figures = measure(device, threads)
    say(json.dumps(figures, indent=1) if as_json else table(figures))
