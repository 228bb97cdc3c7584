"""How much of a score is left when the test audio is corrupted: probes heard clean audio only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.tables import Entry


@dataclass(frozen=True)
class Damage:
    """One strategy on one task: the clean score, and by corruption the scores at rising severity."""

    entry: Entry
    clean: float
    corrupted: list[list[float]]


@dataclass(frozen=True)
class Robustness:
    """All strategies on one task, at the largest label fraction that was run, under one probe.

    Attributes:
        corruptions: with the severities that were heard.
    """

    task: str
    metric: str
    fraction: float
    probe: str
    corruptions: list[tuple[str, list[int]]]
    rows: list[Damage]


def load_robustness(folder: Path, run: Run) -> list[Robustness]:
    """By task, from `folder/scores.parquet`; empty if no test audio was corrupted."""
    scores = pd.read_parquet(folder / "scores.parquet")
    if "severity" not in scores or not (scores["severity"].fillna(0) > 0).any():
        return []
    names = {name: scores[name].fillna("").astype(str) for name in [*stats.NAMES, "corruption"]}
    table = scores.assign(severity=scores["severity"].fillna(0).astype(int), **names)
    table = table[table.get("share", pd.Series(1.0, index=table.index)).fillna(1) == 1]
    heard = table[table["severity"] > 0]
    return [_of_task(table[table["task"] == task], str(task), run) for task in sorted(heard["task"].unique())]


def _of_task(table: pd.DataFrame, task: str, run: Run) -> Robustness:
    fraction, probe = table["fraction"].max(), run.first_probe(table["probe"])
    metric = run.task(task).metric or sorted(table["metric"])[0]
    chosen = (table["fraction"] == fraction) & (table["probe"] == probe) & (table["metric"] == metric)
    by = [*stats.ENTRY, "corruption", "severity"]
    means = table[chosen].groupby(by)["value"].agg(lambda values: values.mean(skipna=False))
    cells = table[chosen].assign(planned=stats.planned(table[chosen], run)).groupby(by)["planned"]
    means = means.where(cells.size() >= cells.max())
    heard = means.index.to_frame(index=False)[["corruption", "severity"]].drop_duplicates()
    heard = heard[heard["severity"] > 0].sort_values(["corruption", "severity"])
    corruptions = [(str(name), part["severity"].tolist()) for name, part in heard.groupby("corruption")]
    rows = [
        Damage(
            Entry(*entry),
            _at(means, entry, "", 0),
            [[_at(means, entry, name, severity) for severity in severities] for name, severities in corruptions],
        )
        for entry in table[stats.ENTRY].drop_duplicates().itertuples(index=False, name=None)
    ]
    up = -1 if run.task(task).higher_is_better else 1
    rows.sort(key=lambda row: (np.isnan(row.clean), np.nan_to_num(up * row.clean), row.entry))
    return Robustness(task, metric, float(fraction), str(probe), corruptions, rows)


def _at(means: pd.Series, entry: tuple[str, ...], corruption: str, severity: int) -> float:
    return float(means.get((*entry, corruption, severity), float("nan")))
