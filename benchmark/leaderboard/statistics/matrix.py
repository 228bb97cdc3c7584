"""Win matrices: every row against every other, on one task or level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.leaderboard.statistics import compare
from benchmark.leaderboard.statistics.tables import Entry


@dataclass(frozen=True)
class Field:
    """One field of a win matrix: row minus column. `wins`: first (the row), second, tied, missing or itself."""

    difference: float
    half: float
    wins: str


@dataclass(frozen=True)
class Matrix:
    """All strategies, of at most `seeds` seeds, against each other on one task at one fraction, best first.

    `detectable` is the difference that one comparison finds in 80 % of cases.
    """

    task: str
    fraction: float
    probe: str
    entries: list[Entry]
    fields: list[list[Field]]
    seeds: int
    detectable: float


def matrices(pairs: pd.DataFrame, probe: str, higher_is_better: Mapping[str, bool]) -> list[Matrix]:
    """The win matrices under one probe, by task and fraction, of the result of `levels.judged`.

    A task's metric goes up where `higher_is_better` does not list it.
    """
    both = compare.both_ways(pairs[pairs["probe"] == probe]).groupby(compare.MATRIX, sort=False)
    return [_matrix(part, higher_is_better.get(str(key[0]), True), *key) for key, part in both]


def _matrix(part: pd.DataFrame, up: bool, task: Any, fraction: Any, probe: Any) -> Matrix:
    ahead = part.groupby(compare.FIRST, sort=False)["difference"].mean().sort_values(ascending=not up, kind="stable")
    entries = [Entry(*row) for row in ahead.index]
    found = {
        (Entry(*row[:3]), Entry(*row[3:6])): Field(*row[6:])
        for row in part[[*compare.FIRST, *compare.SECOND, "difference", "half_width", "wins"]].itertuples(index=False)
    }
    itself = Field(np.nan, np.nan, "itself")
    fields = [[found.get((first, second), itself) for second in entries] for first in entries]
    seeds = int(part["first_seeds"].max())
    detectable = float(part["detectable"].iloc[0])
    return Matrix(str(task), float(fraction), str(probe), entries, fields, seeds, detectable)
