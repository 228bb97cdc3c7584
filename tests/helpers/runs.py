"""Small runs by the command line, and what is read out of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from conftest import TINY_GRID

from helpers.forked import quick

KEYS = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "metric"]
SMALL = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[simclr, random]").replace(
    "[instrument, key, metre, beat]", "[key, beat]"
)
FEW = """
from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.interfaces import Info

class FewScores(RenderedScores):
    info = Info("few_scores", "A few rendered scores", "test")
    sizes = {"tiny": 80, "few": 30}
"""


def scores_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "scores.parquet")


def one(folder: Path, strategy: str, task: str, metric: str, fraction: float = 1.0) -> float:
    s = scores_of(folder)
    at = (s.strategy == strategy) & (s.task == task) & (s.metric == metric) & (s.fraction == fraction)
    return float(s[at]["value"].mean())


def train_one(
    tmp_path: Path, grid: str, data_dir: Path, *extra: str, run: Callable[..., Any] = quick
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    path = tmp_path / "grid.yaml"
    path.write_text(grid)
    out = tmp_path / "out"
    return out, run("run", "--grid", str(path), "--data-dir", str(data_dir), "--out", str(out), *extra)
