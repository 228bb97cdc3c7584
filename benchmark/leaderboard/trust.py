"""What it takes to doubt a result: what varied between runs, how stable the order is, and the control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.order import FLOOR
from benchmark.leaderboard.record import Control, Run, percent
from benchmark.leaderboard.stats import Z


@dataclass(frozen=True)
class Checked:
    """A control's score beside the constant predictor's; `leaks`: its interval lies wholly on the better side."""

    control: Control
    half: float
    floor: float
    floor_half: float
    leaks: bool


@dataclass(frozen=True)
class Trust:
    """What varied, and what should not.

    Attributes:
        seeds: pre-training seeds.
        draws: label draws by label fraction, in words.
        stability: Kendall's tau between seeds, in words: by probe, by label fraction.
        control: probes that learned shuffled labels.
    """

    seeds: list[int]
    draws: list[str]
    stability: dict[str, dict[str, str]]
    control: list[Checked]

    @property
    def judged(self) -> int:
        """How many controls have a constant predictor beside them."""
        return sum(bool(np.isfinite(checked.floor)) for checked in self.control)

    @property
    def leaks(self) -> int:
        """How many controls score better than they can without a leak."""
        return sum(checked.leaks for checked in self.control)


def trust(scores: pd.DataFrame, table: pd.DataFrame, run: Run, taus: Mapping[tuple[str, float], str]) -> Trust:
    """Gather what speaks for and against a run.

    Args:
        scores: the result of `stats.prepare`.
        table: the result of `tables.cells`.
        run: the run's record.
        taus: Kendall's tau between seeds, in words, by probe and label fraction.
    """
    draws = scores.groupby("fraction")["resample"].nunique()
    probes = dict.fromkeys(probe for probe, _ in taus)
    return Trust(
        sorted(int(seed) for seed in scores["seed"].unique()),
        [f"{draws[fraction]} at {percent(fraction)}" for fraction in draws.index],
        {name: {percent(f): text for (probe, f), text in taus.items() if probe == name} for name in probes},
        [_check(control, table, run) for control in run.control],
    )


def _check(control: Control, table: pd.DataFrame, run: Run) -> Checked:
    """Controls are run at the largest label fraction."""
    same = (table["task"] == control.task) & (table["probe"] == control.probe) & (table["metric"] == control.metric)
    rows = table[same & (table["strategy"] == FLOOR) & (table["fraction"] == table["fraction"].max())]
    floor, floor_half = rows[["mean", "half_width"]].iloc[0] if len(rows) else (np.nan, np.nan)
    half = np.nan if control.test_stderr is None else Z * control.test_stderr
    sign = 1 if run.task(control.task).higher_is_better else -1
    value = np.nan if control.value is None else control.value
    return Checked(control, half, floor, floor_half, bool(sign * (value - floor) > half + np.nan_to_num(floor_half)))
