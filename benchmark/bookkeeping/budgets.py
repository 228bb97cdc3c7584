"""Trainings of several lengths in one table: which of them are the leaderboard's, and which stand on the way there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from benchmark.leaderboard.record import nominal

if TYPE_CHECKING:
    import pandas as pd

_ROW = ["strategy", "encoder"]


def with_shares(table: pd.DataFrame) -> pd.DataFrame:
    """`share` of each run in the main budget: the largest that all pre-trained rows have, or else that most have.

    A longer one's is above 1. Rows are compared at equal budgets. A table whose rows were all read after one budget
    stays as it is: shares below 1 are then of snapshots.

    Args:
        table: with `strategy`, `encoder`, `crops` (NaN without pre-training) and `share`.
    """
    ended = table["crops"].notna() & (table["share"].fillna(1.0) == 1)
    budgets = table.loc[ended, "crops"].map(nominal)
    by_row = budgets.groupby([table.loc[ended, name] for name in _ROW]).agg(set)
    if not by_row.map(len).gt(1).any():
        return table
    shares = table["share"].astype(float)
    shares[ended] = budgets / main_budget(by_row)
    return table.assign(share=shares)


def main_budget(by_row: Iterable[Collection[float]]) -> float:
    """The largest of the budgets that most rows have, of each row's budgets: all of them, unless a run is partial."""
    rows = Counter(budget for budgets in by_row for budget in set(budgets))
    return max(rows, key=lambda budget: (rows[budget], budget))
