"""How sure is a ranking by instrument: over other tunes, and over other instruments?

    python examples/by_program.py results/reference

The leaderboard's intervals are about other tunes, where a task's `crossed` does not say that they are about other
programs, too. Test clips are led by few programs, each in a register that training did not hear it in, and which of
them a row knows is luck that more tunes do not average away. From the published predictions (one seed, all labels)
and the rendered corpus (`data prepare`) this prints each row's accuracy, what the best one (or `--beside ROW`) is
ahead of it, and twice the standard error of that: with tunes as what is drawn, with programs, and with both (the sum
of the variances less that of single clips, which is in either: Cameron, Gelbach & Miller 2011).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from heard import heard, run

from benchmark.cli.options import Data
from benchmark.interfaces import UserError


def main(
    results: Annotated[Path, typer.Argument(help="A results folder with predictions.")],
    corpus: Annotated[str, typer.Option(help="Whose clips they are.")] = "rendered_scores",
    task: Annotated[str, typer.Option(help="A task of classes.")] = "instrument",
    beside: Annotated[str, typer.Option(help="The row that the others are held against; the best, if none.")] = "",
    data_dir: Data = None,
) -> None:
    """Print the rows, the best first."""
    tracks = pd.read_parquet(heard(results, corpus, data_dir) / "tracks.parquet").set_index("id")
    said = pd.read_parquet(results / "predictions" / f"{task}.parquet")
    right = said.drop(columns="truth").eq(said["truth"], axis=0).astype(float)
    if len(strangers := right.index.difference(tracks.index)):
        raise UserError(f"{task}: {strangers[0]!r} is no clip of {corpus}; give --corpus, the one that it is a task on")
    tracks = tracks.loc[right.index]
    rows = right.mean().sort_values(ascending=False)
    leader = beside or str(rows.index[0])
    if leader not in rows:
        raise UserError(f"--beside {leader}: no row of these; they are {', '.join(map(str, rows.index))}")
    typer.echo(f"{len(right):,} clips, {tracks['group'].nunique():,} tunes, {tracks['program'].nunique()} programs")
    typer.echo(f"{'':30} {'right':>6} {'behind':>7} {'tunes':>7} {'programs':>8} {'both':>7}")
    for row, share in rows.items():
        behind = right[leader] - right[row]
        tunes, programs = (spread(behind, tracks[of]) for of in ("group", "program"))
        both = np.sqrt(max(tunes**2 + programs**2 - spread(behind, tracks.index) ** 2, 0.0))
        typer.echo(f"{row:30} {share:6.3f} {behind.mean():7.3f} {2 * tunes:7.3f} {2 * programs:8.3f} {2 * both:7.3f}")


def spread(values: pd.Series, drawn: pd.Series | pd.Index) -> float:
    """The standard error of a mean over items when whole groups of them are drawn."""
    sums = (values - values.mean()).groupby(drawn.to_numpy()).sum()
    return float(np.sqrt(np.square(sums).sum() * len(sums) / (len(sums) - 1)) / len(values))


if __name__ == "__main__":
    run(main)
