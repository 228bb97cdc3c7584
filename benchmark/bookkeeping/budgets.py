"""Trainings of several lengths in one table: which of them are the leaderboard's, and which stand on the way there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from benchmark.leaderboard.record import asked_for
from benchmark.scheduler.grid import main_budget

if TYPE_CHECKING:
    import pandas as pd

_TRAINED = ["strategy", "encoder", "seed"]


def with_shares(table: pd.DataFrame, budgets: Collection[float] = ()) -> pd.DataFrame:
    """`share` of each run in the main budget: the largest that all seeds of pre-trained rows have, or else most.

    A longer one's is above 1. Rows are compared at equal budgets. A table whose rows were all read after one budget
    stays as it is: shares below 1 are then of snapshots.

    Args:
        table: with `strategy`, `encoder`, `seed`, `crops` (NaN without pre-training) and `share`.
        budgets: those of the grid, if it is known: trainings miss theirs by a part of a step, each by another.
    """
    ended = table["crops"].notna() & (table["share"].fillna(1.0) == 1)
    asked = table.loc[ended, "crops"].map(lambda crops: asked_for(crops, budgets))
    trained = asked.groupby([table.loc[ended, name] for name in _TRAINED]).agg(set)
    several = asked.nunique() > 1 if budgets else trained.map(len).gt(1).any()
    if not several:
        return table
    shares = table["share"].astype(float)
    shares[ended] = asked / main_budget(trained)
    return table.assign(share=shares)
