"""Scores with a known answer, written as a run would write them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HOSTILE = "<script>alert(1)</script>\"'" + "\u05d0\u05d1\u05d2\u202e" + "x" * 270
TASKS = {
    "instrument": ("accuracy", "timbre", 8),
    "key": ("weighted_score", "pitch", 24),
    "metre": ("accuracy", "time", 4),
    "beat": ("f_measure", "time", 40),
}
#: planted means at 1 %; every further factor of ten in labels adds `GROWTH`
LEVELS = {"constant": 0.20, "random": 0.30, "mfcc": 0.40, "byol": 0.50, "simclr": 0.62}
GROWTH = {"constant": 0.0, "random": 0.03, "mfcc": 0.05, "byol": 0.06, "simclr": 0.07}
N_TRAIN = {0.01: 8, 0.1: 60, 1.0: 600}


def scores(
    levels: dict[str, float] = LEVELS, spread: float = 0.01, stderr: float = 0.01, seeds: int = 3
) -> pd.DataFrame:
    """A scores table whose means are `levels`; draws and seeds add a symmetric, so mean-free, deviation."""
    rows = []
    for (name, level), (task, (metric, _, _)) in itertools.product(levels.items(), TASKS.items()):
        for fraction, probe in itertools.product(N_TRAIN, ["linear", "mlp"]):
            runs = list(itertools.product(range(1 if fraction == 1.0 else 3), range(seeds)))
            deviation = spread * np.linspace(-1, 1, len(runs)) if len(runs) > 1 else [0.0]
            grown = level + GROWTH.get(name, 0.0) * round(np.log10(fraction / 0.01))
            for (resample, seed), off in zip(runs, deviation, strict=True):
                row = _row(name, task, fraction, resample, seed, probe, stderr)
                rows.append({**row, "metric": metric, "value": grown + off})
                if task == "instrument":
                    rows.append({**row, "metric": "accuracy_unseen_programs", "value": grown + off - 0.1})
    return pd.DataFrame(rows)


def few() -> pd.DataFrame:
    """A corner of `scores()`, for pages that are not read for their numbers."""
    table = scores({name: LEVELS[name] for name in ("constant", "random", "simclr")})
    return table[(table["task"] == "instrument") & (table["probe"] == "linear")]


def _row(name: str, task: str, fraction: float, resample: int, seed: int, probe: str, stderr: float) -> dict[str, Any]:
    baseline = {"constant": "constant", "mfcc": "mfcc_chroma"}
    return {
        "strategy": name,
        "encoder": baseline.get(name, "cnn_small"),
        "pretrain_corpus": None if name in {*baseline, "random"} else "rendered_scores",
        "task": task,
        "corpus": "rendered_scores",
        "split_hash": "5f1e",
        "fraction": fraction,
        "resample": resample,
        "seed": seed,
        "probe": probe,
        "test_stderr": stderr,
        "n_train": N_TRAIN[fraction],
        "n_val": 100,
        "n_test": 200,
        "key": f"{name}-{task}-{seed}",
        "l2": 0.1,
    }


def run(names: list[str]) -> dict[str, Any]:
    """A run record that plans `names` on all tasks."""
    return {
        "grid": "smoke",
        "command": "python -m benchmark run --grid smoke",
        "version": "0.1.0",
        "created": "2025-01-02T03:04:05+00:00",
        "settings": {"steps": 200, "batch_size": 64, "crop_seconds": 3.0, "seeds": [0, 1, 2]},
        "fractions": list(N_TRAIN),
        "probes": ["linear", "mlp"],
        "strategies": {name: _strategy(name) for name in names},
        "tasks": {name: _task(name, *about) for name, about in TASKS.items()},
        "failures": [{"job": "probe mfcc key seed 2", "error": "MemoryError: 4 GiB <b>short</b>"}],
        "pretraining": [_checkpoint("simclr", seed) for seed in range(3)]
        + [{**_checkpoint("byol", seed), "collapsed": seed == 1, "std": 0.001} for seed in range(3)],
    }


def _strategy(name: str) -> dict[str, Any]:
    cite = f"A. Author, B. Author: {name}, a method. ISMIR 2021. https://example.org/{name}"
    return {"title": f"{name}: its long title", "citation": cite, "trains": name in {"simclr", "byol"}}


def _task(name: str, metric: str, level: str, classes: int) -> dict[str, Any]:
    return {
        "title": f"{name.title()} of a rendered score",
        "citation": "C. Author: A data set. TISMIR 2020.",
        "level": level,
        "metric": metric,
        "higher_is_better": True,
        "corpus": "rendered_scores",
        "licence": "CC0-1.0",
        "conventions": f"One label per clip, {classes} classes.\nScored through mir_eval.",
    }


def _checkpoint(strategy: str, seed: int) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "encoder": "cnn_small",
        "seed": seed,
        "crops": 12800,
        "seconds": 41.25 + seed,
        "loss": 2.31,
        "std": 0.71,
        "effective_rank": 33.2,
        "mean_cosine": 0.12,
        "collapsed": False,
    }


def write(folder: Path, table: pd.DataFrame, record: dict[str, Any] | None = None) -> Path:
    """Write scores.parquet, and run.json where there is a record."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "scores.parquet", index=False)
    if record is not None:
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
