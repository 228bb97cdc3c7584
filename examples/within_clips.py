"""How much of what an encoder says of a frame is the same all over its clip, and does not move with the music.

    python examples/within_clips.py results/reference

Of each row whose weights are published it embeds test clips, which `data prepare` has rendered, and splits the variance
of frames, over all clips and summed over dimensions, into that of the clips' means and that within clips. The share of
the first says how much of the embedding does not move with the music. Last come rank correlations with level scores,
with all labels: over all rows, and without the best four on the level.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from heard import heard, run
from independent_probe import embeddings
from scipy.stats import spearmanr

from benchmark.cli.options import Data


def main(
    results: Annotated[Path, typer.Argument(help="A results folder with weights.")],
    clips: Annotated[int, typer.Option(help="Test clips, the first ones.")] = 512,
    corpus: Annotated[str, typer.Option(help="Whose clips they are.")] = "rendered_scores",
    data_dir: Data = None,
) -> None:
    """Print each row's share, largest first."""
    folder = heard(results, corpus, data_dir)
    tracks = pd.read_parquet(folder / "tracks.parquet").query("split == 'test'").head(clips)
    sound = np.load(folder / "mix.npy", mmap_mode="r")
    rows = sorted(path.name for path in (results / "weights").iterdir() if path.is_dir())
    shares = {row: share(embeddings(results, row, tracks, sound)) for row in rows}
    for row, found in sorted(shares.items(), key=lambda one: -one[1]):
        typer.echo(f"{row:30} {found:.2f}")
    scores = pd.read_csv(results / "leaderboard.csv").query("task.isna() and fraction == 1")
    for level, own in scores[scores["strategy"].isin(rows)].groupby("level"):
        ranked = own.set_index("strategy")["mean"].sort_values(ascending=False)
        every, others = (spearmanr(of, [shares[str(row)] for row in of.index])[0] for of in (ranked, ranked[4:]))
        typer.echo(f"{level:30} {every:+.2f} {others:+.2f}")


def share(embedded: np.ndarray) -> float:
    """Of (clips, 2 D) means and standard deviations over frames: the means' part of the frames' variance."""
    means, deviations = np.split(embedded.astype(float), 2, axis=1)
    between, within = means.var(axis=0).sum(), np.square(deviations).mean(axis=0).sum()
    return float(between / (between + within))


if __name__ == "__main__":
    run(main)
