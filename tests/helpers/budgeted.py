"""Planted scores of eight rows after three budgets, beside an untrained encoder and the constant predictor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from helpers import worlds

LEVEL_OF = {"key": "pitch", "chord": "pitch", "tempo": "time", "beat": "time", "metre": "time"}
SHARES = {0.25: 125_000, 0.5: 250_000, 1.0: 500_000}
RUN = Run.model_validate(
    {
        "tasks": {name: {"level": level, "metric": "m"} for name, level in LEVEL_OF.items()},
        "strategies": {
            **{f"s{i:02d}": {"trains": True, "seeds": 3} for i in range(8)},
            "random": {"trains": False, "seeds": 3, "seeded": True},
            "constant": {"trains": False, "seeds": 3, "seeded": True},
        },
    }
)
NOISE = worlds.Noise(60, {"shared": 0.02**2, "run": 0.004**2}, {"row_seed": 0.004**2, "run": 0.003**2})


def world(truths: dict[float, dict[str, list[float]]], seed: int = 0) -> pd.DataFrame:
    """Scores as `stats.read_scores` has them: eight rows after three budgets, the untrained encoder, the constant."""
    rng, parts = np.random.default_rng(seed), []
    noises = dict.fromkeys(LEVEL_OF, NOISE)
    shares = sorted(truths)
    # one table of all, so that the luck with test items is one
    rows = {task: np.concatenate([*(truths[share][task] for share in shares), [0.4, 0.2]]) for task in LEVEL_OF}
    scores = worlds.made(noises, rows, 3, 1, rng).scores
    for at, share in enumerate(shares):
        names = {f"s{8 * at + i:02d}": f"s{i:02d}" for i in range(8)}
        part = scores[scores["strategy"].isin(names)].assign(share=share, crops=float(SHARES[share]))
        parts.append(part.replace({"strategy": names}))
    names = {f"s{8 * len(shares):02d}": "random", f"s{8 * len(shares) + 1:02d}": "constant"}
    parts.append(scores[scores["strategy"].isin(names)].replace({"strategy": names}).assign(share=1.0, crops=np.nan))
    return pd.concat(parts, ignore_index=True).assign(severity=0)


#: the first seeds alone hear the most crops
PLANNED = {125_000: 3, 250_000: 3, 500_000: 1}
FURTHER = RUN.model_copy(update={"fractions": [0.1], "resamples": [1], "budget_seeds": PLANNED})


def further(raw: pd.DataFrame) -> pd.DataFrame:
    """Of a world, what a run of `FURTHER` has: rows are compared after the second budget."""
    kept = raw[(raw["share"] < 1) | (raw["seed"] == 0) | raw["crops"].isna()]
    return kept.assign(share=kept["share"] * np.where(kept["crops"].isna(), 1, 2))


def planted(**changes: Any) -> dict[float, dict[str, list[float]]]:
    """Row i stands at .45 + .03 i and gains .04 from the first budget to the second, nothing from then on."""
    base = np.array([0.45 + 0.03 * i for i in range(8)])
    truths = {share: {task: (base + 0.04 * (share > 0.25)).tolist() for task in LEVEL_OF} for share in SHARES}
    for share, tasks in changes.get("at", {}).items():
        for task, scores in tasks.items():
            truths[share][task] = scores
    return truths
