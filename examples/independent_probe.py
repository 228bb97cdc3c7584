"""A leaderboard's scores beside those of scikit-learn: the probe written anew, on embeddings that are made anew.

    python examples/independent_probe.py results/reference --rows simclr,byol

Of each row it takes the weights that are published with the results, or else exports them (`export`), loads them as
anybody would (`load_encoder`) and embeds the corpus's audio, which `data prepare` has rendered. Everything after that
is written here, without a line of the benchmark: labels are columns of `tracks.parquet`, features are scaled by
scikit-learn, its logistic regression is fitted on all training labels, its C is chosen on validation, and scikit-learn
and mir_eval score the test tracks. What is printed are both scores and how far apart they are; the benchmark solves the
same problem in another way (its own optimizer, L2 per mean loss, weights before they were rounded to float16), so that
a hundredth is nothing to worry about.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import mir_eval
import numpy as np
import pandas as pd
import typer
from heard import heard, run
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark import load_encoder
from benchmark.cli.options import Data
from benchmark.pretrained.choose import choose
from benchmark.pretrained.export import export

#: scikit-learn's inverse of L2
CHOICES = 10.0 ** np.arange(-4, 3)
#: tracks that are embedded at once
BLOCK = 256

Score = Callable[[NDArray[Any], NDArray[Any]], float]


def macro_f1(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """Mean over classes."""
    return float(f1_score(truth, found, average="macro"))


def weighted(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """MIREX's score of keys, one pair at a time."""
    return float(np.mean([mir_eval.key.weighted_score(*pair) for pair in zip(truth, found, strict=True)]))


#: by task: the column of its labels, and its metrics, by the first of which C is chosen, as there
TASKS: dict[str, tuple[str, dict[str, Score]]] = {
    "instrument": ("family", {"accuracy": accuracy_score, "macro_f1": macro_f1}),
    "key": ("key", {"weighted_score": weighted, "accuracy": accuracy_score}),
    "metre": ("metre", {"macro_f1": macro_f1, "accuracy": accuracy_score}),
    "dance": ("dance", {"macro_f1": macro_f1, "accuracy": accuracy_score}),
}


def main(
    results: Annotated[Path, typer.Argument(help="A results folder.")],
    rows: Annotated[str, typer.Option(help="Comma-separated rows.")] = "simclr,byol",
    tasks: Annotated[str, typer.Option(help="Comma-separated, of those below.")] = "instrument,key,metre",
    corpus: Annotated[str, typer.Option(help="Whose tasks they are.")] = "rendered_scores",
    data_dir: Data = None,
) -> None:
    """Score rows of a leaderboard a second time, by scikit-learn."""
    folder = heard(results, corpus, data_dir)
    tracks = pd.read_parquet(folder / "tracks.parquet")
    sound = np.load(folder / "mix.npy", mmap_mode="r")
    scores = pd.read_parquet(results / "scores.parquet")
    apart = []
    for row in rows.split(","):
        embedded = embeddings(results, row, tracks, sound)
        for task in tasks.split(","):
            column, metrics = TASKS[task]
            found = predictions(embedded, tracks, column, next(iter(metrics.values())))
            for metric, score in metrics.items():
                ours = of_the_leaderboard(scores, row, task, metric)
                if ours is not None:
                    theirs = float(score(*found))
                    apart.append(theirs - ours)
                    said = f"ours {ours:.3f}  scikit-learn {theirs:.3f}  {theirs - ours:+.3f}"
                    typer.echo(f"{row:22} {task:12} {metric:15} {said}")
    typer.echo(f"farthest apart: {max(map(abs, apart), default=float('nan')):.3f}")


def embeddings(results: Path, row: str, tracks: pd.DataFrame, sound: NDArray[np.int16]) -> NDArray[np.float32]:
    """(tracks, 2 D), by the first seed's weights at the leaderboard's budget."""
    published = results / "weights" / row
    with tempfile.TemporaryDirectory() as folder:
        if not published.is_dir():
            export(choose(results, row), Path(folder))
        encoder = load_encoder(published if published.is_dir() else folder)
    places = list(zip(tracks["offset"], tracks["length"], strict=True))
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(places), BLOCK):
        clips = [np.asarray(sound[begin : begin + length]) for begin, length in places[start : start + BLOCK]]
        found += encoder.of_tracks(clips)
    return np.stack(found)


def predictions(
    x: NDArray[np.float32], tracks: pd.DataFrame, column: str, score: Score
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Truth and prediction for the test tracks, with the C that does best on validation."""
    known = tracks[column].notna().to_numpy()
    part = {name: known & (tracks["split"] == name).to_numpy() for name in ("train", "val", "test")}
    label = tracks[column].to_numpy(dtype=object)
    best, chosen = -1.0, None
    for c in CHOICES:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300, tol=1e-3))
        model.fit(x[part["train"]], label[part["train"]].astype(str))
        right = score(label[part["val"]].astype(str), model.predict(x[part["val"]]))
        if right > best:
            best, chosen = right, model
    assert chosen is not None
    return label[part["test"]].astype(str), chosen.predict(x[part["test"]])


def of_the_leaderboard(scores: pd.DataFrame, row: str, task: str, metric: str) -> float | None:
    """All labels, linear probe, clean audio, first seed, the main budget; None if it is not among the metrics."""
    own = scores[(scores["strategy"] == row) & (scores["task"] == task) & (scores["metric"] == metric)]
    own = own[(own["fraction"] == 1) & (own["probe"] == "linear") & (own["corruption"].fillna("") == "")]
    own = own[(own["seed"] == own["seed"].min()) & (own["share"].fillna(1.0) == 1)]
    return float(own["value"].mean()) if len(own) else None


if __name__ == "__main__":
    run(main)
