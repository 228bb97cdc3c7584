"""How much sooner one strategy reaches a score than another, from scores at several points of pre-training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.leaderboard.statistics.evidence import CROPS, PLACE, Comparison, estimate, mean_of_all

TEST = (
    "per task and seed, the crops that each needs to the lower of both final scores, read off curves averaged over "
    "label draws (linear in the logarithm of crops); Student's t over seeds on the mean log ratio, without test "
    "sampling"
)
UNIT = "octaves: 1 is half the crops"


def faster(table: pd.DataFrame, subject: str, reference: str) -> Comparison | None:
    """Compare crops to a common score; None without two curves on the same task, seed and encoder.

    Args:
        table: `Evidence.table` at one label fraction, with the crops heard in column `crops`.
        subject: the row that is claimed to be faster.
        reference: the other one.

    Returns:
        Effects are log2 of the reference's crops over the subject's.
    """
    curves = table[table[CROPS].notna()]
    known = [_curves(curves[curves["strategy"] == name]) for name in (subject, reference)]
    pairs = [
        {**dict(zip([*PLACE, "seed"], key, strict=True)), "difference": _octaves(known[0][key], known[1][key])}
        for key in sorted(known[0].keys() & known[1].keys())
    ]
    if not pairs:
        return None
    # Curves are of averages over label draws, and how test sampling moves a crossing is unknown.
    runs = pd.DataFrame(pairs).assign(resample=0, stderr=0.0, draws=None)
    bad = set(runs.loc[~np.isfinite(runs["difference"]), "task"])
    runs = runs[~runs["task"].isin(bad)]
    by_task = {str(task): estimate(part) for task, part in runs.groupby("task")}
    complete = runs.groupby("seed")["task"].transform("size") == len(runs[PLACE].drop_duplicates())
    name = f"{subject} against {reference}"
    return Comparison(name, estimate(runs[complete]), by_task, tuple(sorted(bad))) if by_task else None


def _curves(table: pd.DataFrame) -> dict[tuple[str, ...], pd.Series]:
    """Score by crops, ascending, of each place and seed; single points are no curve."""
    found = {
        tuple(map(str, key)): part.groupby(CROPS)["value"].agg(mean_of_all)
        for key, part in table.groupby([*PLACE, "seed"])
    }
    return {key: curve for key, curve in found.items() if len(curve) > 1}


def _octaves(subject: pd.Series, reference: pd.Series) -> float:
    target = min(subject.iloc[-1], reference.iloc[-1])
    return reached(reference, target) - reached(subject, target)


def reached(curve: pd.Series, target: float) -> float:
    """Log2 of the crops at which a curve first reaches a score that its end reaches; not before its first point."""
    if not np.isfinite(curve).all():
        return float("nan")
    crops, scores = np.log2(curve.index.to_numpy(float)), curve.to_numpy()
    at = int(np.argmax(scores >= target))
    if at == 0:
        return float(crops[0])
    share = (target - scores[at - 1]) / (scores[at] - scores[at - 1])
    return float(crops[at - 1] + share * (crops[at] - crops[at - 1]))
