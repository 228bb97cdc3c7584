"""What it takes to doubt a result: what varied between runs, and the control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from benchmark.leaderboard.record import Control, Run, percent
from benchmark.leaderboard.statistics.compare import LEVEL

#: a probe that answers always the same is exactly at chance, but for the order of additions
ROUNDING = 1e-9


@dataclass(frozen=True)
class Checked:
    """A control's score beside chance; `leaks`: it is better by more than `half`, what other shuffles may add."""

    control: Control
    half: float
    chance: float
    leaks: bool


@dataclass(frozen=True)
class Trust:
    """What varied, and what should not.

    Attributes:
        seeds: pre-training seeds.
        draws: label draws by label fraction, in words.
        control: probes that learned shuffled labels.
    """

    seeds: list[int]
    draws: list[str]
    control: list[Checked]

    @property
    def judged(self) -> int:
        """How many controls say what chance is."""
        return sum(bool(np.isfinite(checked.chance)) for checked in self.control)

    @property
    def leaks(self) -> int:
        """How many controls score better than they can without a leak."""
        return sum(checked.leaks for checked in self.control)


def trust(scores: pd.DataFrame, run: Run) -> Trust:
    """Gather what speaks for and against a run.

    Args:
        scores: the result of `stats.prepare`.
        run: the run's record.
    """
    draws = scores.groupby("fraction")["resample"].nunique()
    return Trust(
        sorted(int(seed) for seed in scores["seed"].unique()),
        [f"{draws[fraction]} at {percent(fraction)}" for fraction in draws.index],
        [_check(control, run) for control in run.control],
    )


def _check(control: Control, run: Run) -> Checked:
    known = [np.nan if x is None else float(x) for x in (control.value, control.stderr, control.chance)]
    value, stderr, chance = known
    # one-sided, at 5 % over all controls together
    half = float(stdtrit(control.shuffles - 1, 1 - LEVEL / len(run.control))) * stderr
    sign = 1 if run.task(control.task).higher_is_better else -1
    return Checked(control, half, chance, bool(sign * (value - chance) > half + ROUNDING))
