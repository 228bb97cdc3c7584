"""Published predictions scored once more, by scikit-learn and mir_eval alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score


def _f_measure(truth: Any, said: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no beats found
        return float(np.mean([mir_eval.beat.f_measure(*pair) for pair in zip(truth, said, strict=True)]))


def _weighted_score(truth: Any, said: Any) -> float:
    return float(np.mean([mir_eval.key.weighted_score(*pair) for pair in zip(truth, said, strict=True)]))


def _majmin(truth: Any, said: Any) -> float:
    return float(np.mean([_of_chords(*pair) for pair in zip(truth, said, strict=True)]))


def _of_chords(truth: Any, said: Any) -> float:
    """As `mir_eval.chord.evaluate` has it, which takes all of its twelve metrics' time."""
    (ours, names), (theirs, found) = (
        (np.array([(c["start"], c["end"]) for c in chords], float), [c["label"] for c in chords])
        for chords in (truth, said)
    )
    theirs, found = mir_eval.util.adjust_intervals(theirs, found, ours.min(), ours.max(), "N", "N")
    merged, names, found = mir_eval.util.merge_labeled_intervals(ours, names, theirs, found)
    matches = mir_eval.chord.majmin(names, found)
    return float(mir_eval.chord.weighted_accuracy(matches, mir_eval.util.intervals_to_durations(merged)))


def _accuracy1(truth: Any, said: Any) -> float:
    return float((np.abs(said / truth - 1) <= 0.04).mean())


#: by metric
SCORES: dict[str, Any] = {
    "accuracy": accuracy_score,
    "macro_f1": lambda truth, said: f1_score(truth, said, average="macro", labels=sorted(set(truth)), zero_division=0),
    "weighted_score": _weighted_score,
    "accuracy1": _accuracy1,
    "f_measure": _f_measure,
    "majmin": _majmin,
}


def differences(predictions: Path, scores: pd.DataFrame, rows: list[str] | None = None) -> pd.Series:
    """By task, row and metric, how far the score of published predictions is from the one in the table.

    Args:
        predictions: a folder of tables, `TASK.parquet`.
        scores: of all labels, on one probe and encoder, at the leaderboard's budget, without corruption.
        rows: of these rows alone; by default of all.
    """
    last = scores.sort_values("seed").drop_duplicates(["task", "strategy", "metric"], keep="last")
    known = last.set_index(["task", "strategy", "metric"])["value"]
    found = {}
    for path in sorted(predictions.glob("*.parquet")):
        table = pd.read_parquet(path)
        for task, row, metric in known.index:
            if task == path.stem and row in table and row in (rows or table) and metric in SCORES:
                score = SCORES[metric](table["truth"].to_numpy(), table[row].to_numpy())
                found[task, row, metric] = score - known[task, row, metric]
    return pd.Series(found)
