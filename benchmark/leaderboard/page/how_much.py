"""How much pre-training? Every row on every level after each budget, and how well the order is known."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

from benchmark.leaderboard.record import Run, percent
from benchmark.leaderboard.statistics import budgets
from benchmark.leaderboard.statistics.budgets import Loss, Step
from benchmark.leaderboard.statistics.headline import Headline
from benchmark.leaderboard.statistics.stability import Stability, Tau, stability
from benchmark.leaderboard.statistics.tables import Entry


@dataclass(frozen=True)
class BudgetPart:
    """One level at one label fraction under one probe.

    Attributes:
        crops: of each budget, on average over rows.
        rows: from the best after the main budget down: scores after each budget (None: it has none), the crops that are
            enough, and the tasks of the level on which its longest training is worse than a shorter one.
    """

    level: str
    fraction: float
    probe: str
    crops: list[float]
    rows: list[tuple[Entry, list[Step | None], float | None, list[Loss]]]
    order: Stability

    @property
    def percent(self) -> str:
        """The label fraction as a percentage."""
        return percent(self.fraction)


def budget_parts(raw: pd.DataFrame, found: Headline, run: Run) -> list[BudgetPart]:
    """By probe, label fraction and level; nothing where trainings have but one length.

    Args:
        raw: the result of `stats.read_scores`.
        found: the levels' weights.
        run: which rows are pretext tasks.
    """
    by_budget = budgets.runs_by_budget(raw, run)
    if not by_budget:
        return []
    steps = budgets.steps(budgets.of_levels(found, by_budget, run), budgets.crops_heard(raw), run)
    lost = budgets.losses(budgets.of_tasks(by_budget, run), run)
    return [_part(order, steps, lost, run) for order in stability(found, by_budget, run)]


def _part(order: Stability, steps: list[Step], lost: list[Loss], run: Run) -> BudgetPart:
    where = (order.level, order.fraction, order.probe)
    own = [step for step in steps if (step.level, step.fraction, step.probe) == where]
    shares = sorted({step.share for step in own})
    crops = [pd.Series([step.crops for step in own if step.share == share]).mean() for share in shares]
    by_entry = {entry: {s.share: s for s in own if s.entry == entry} for entry in dict.fromkeys(s.entry for s in own)}
    main = max(share for share in shares if share <= 1)
    rows = []
    for entry in sorted(by_entry, key=lambda entry: -by_entry[entry][main].mean if main in by_entry[entry] else 0.0):
        after = by_entry[entry]
        enough = min((step.crops for step in after.values() if step.enough), default=None) if len(after) > 1 else None
        losses = [one for one in lost if (one.entry, run.level(one.task), one.fraction, one.probe) == (entry, *where)]
        rows.append((entry, [after.get(share) for share in shares], enough, losses))
    return BudgetPart(*where, crops, rows, order)


def in_words(tau: Tau) -> str:
    """Kendall's tau with its interval."""
    return f"{tau.value:.2f} [{tau.low:.2f}, {tau.high:.2f}]" if not math.isnan(tau.value) else "?"


def verdict(part: BudgetPart) -> str:
    """Whether the order is stable, and if not, what it was after each budget."""
    if part.order.stable:
        return "stable: between budgets, seeds and halves of the tasks"
    named = zip(part.crops, part.order.orders.values(), strict=False)
    return "still moving: " + "; ".join(f"after {crops:,.0f} crops {', '.join(names)}" for crops, names in named)


def frame(parts: list[BudgetPart]) -> pd.DataFrame:
    """As written to `budgets.csv`."""
    steps = [step for part in parts for _, after, _, _ in part.rows for step in after if step]
    return pd.DataFrame([step.entry._asdict() | asdict(step) for step in steps]).drop(columns="entry")
