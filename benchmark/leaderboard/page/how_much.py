"""How much pre-training? Every row on every level after each budget, and how well the order is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import NamedTuple

import pandas as pd

from benchmark.leaderboard.record import Run, asked_for, percent
from benchmark.leaderboard.statistics import budgets
from benchmark.leaderboard.statistics.budgets import Loss, Step
from benchmark.leaderboard.statistics.headline import Headline
from benchmark.leaderboard.statistics.stability import BUDGETS, Stability, Tau, stability
from benchmark.leaderboard.statistics.tables import Entry


class Enough(NamedTuple):
    """The smallest budget that, as all larger ones, is not told to be worse than the largest.

    Attributes:
        crops: of it.
        seconds: of a seed, their median; None: unknown.
        step: what is known of it, `more` among that.
    """

    crops: float
    seconds: float | None
    step: Step


@dataclass(frozen=True)
class BudgetPart:
    """One level at one label fraction under one probe.

    Attributes:
        crops: of each budget, by share, as people say it.
        rows: from the best after the main budget down: scores after each budget (None: it has none), the budget that
            is enough, and the tasks of the level on which its longest training of several seeds is worse.
    """

    level: str
    fraction: float
    probe: str
    crops: dict[float, float]
    rows: list[tuple[Entry, list[Step | None], Enough | None, list[Loss]]]
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
    parts = (_part(order, steps, lost, run) for order in stability(found, by_budget, run))
    return [part for part in parts if part.rows]


def _part(order: Stability, steps: list[Step], lost: list[Loss], run: Run) -> BudgetPart:
    where = (order.level, order.fraction, order.probe)
    own = [step for step in steps if (step.level, step.fraction, step.probe) == where]
    shares = sorted({step.share for step in own})
    crops = {share: _asked([step.crops for step in own if step.share == share], run) for share in shares}
    by_entry = {entry: {s.share: s for s in own if s.entry == entry} for entry in dict.fromkeys(s.entry for s in own)}
    main = max((share for share in shares if share <= 1), default=None)
    scores = {entry: after[main].mean if main in after else math.nan for entry, after in by_entry.items()}
    rows = []
    for entry in sorted(by_entry, key=lambda entry: -scores[entry] if math.isfinite(scores[entry]) else math.inf):
        after = by_entry[entry]
        enough = _enough(entry, after.values(), run) if len(after) > 1 else None
        losses = [one for one in lost if (one.entry, run.level(one.task), one.fraction, one.probe) == (entry, *where)]
        rows.append((entry, [after.get(share) for share in shares], enough, losses))
    return BudgetPart(*where, crops, rows, order)


def _asked(heard: list[float], run: Run) -> float:
    """The budget of trainings that heard so many crops; encoders that were brought along heard none here."""
    return asked_for(mean([crops for crops in heard if math.isfinite(crops)] or [math.nan]), run.budget_seeds)


def _enough(entry: Entry, steps: Iterable[Step], run: Run) -> Enough | None:
    step = min((step for step in steps if step.enough), key=lambda step: step.crops, default=None)
    if step is None:
        return None
    return Enough(asked_for(step.crops, run.budget_seeds), _seconds(entry, step.crops, run), step)


def _seconds(entry: Entry, crops: float, run: Run) -> float | None:
    own = [one for one in run.pretraining if (one.strategy, one.encoder) == (entry.strategy, entry.encoder)]
    seconds = [cost for one in own for heard, cost in one.lengths.items() if math.isclose(heard, crops, rel_tol=1e-3)]
    return median(seconds) if seconds else None


def in_words(tau: Tau) -> str:
    """Kendall's tau with its interval."""
    return f"{tau.value:.2f} [{tau.low:.2f}, {tau.high:.2f}]" if not math.isnan(tau.value) else "?"


def verdict(order: Stability) -> str:
    """Whether the order of the pretext tasks is stable, and if not, between what it differs."""
    if order.stable:
        return "a stable order"
    differs = [name for name, tau in order.asked.items() if tau.differs]
    may = [name for name, tau in order.asked.items() if not (tau.agrees or tau.differs or math.isnan(tau.value))]
    words = {"differs": differs, "may differ": may}
    said = [
        " ".join([word, " and ".join(f"between {name}" for name in names)]) for word, names in words.items() if names
    ]
    return f"the order {' and '.join(said)}" if said else "whether the order is stable is not known"


def orders(part: BudgetPart) -> str:
    """The order after each budget, unless it is the same after all that is known."""
    if part.order.asked[BUDGETS].agrees:
        return ""
    found = [(part.crops[share], names) for share, names in part.order.orders.items() if share in part.crops]
    return "; ".join(f"after {crops:,.0f} crops {', '.join(names)}" for crops, names in found)


def frame(parts: list[BudgetPart], run: Run) -> pd.DataFrame:
    """As written to `budgets.csv`; `seconds` of a training so long, the median over seeds."""
    steps = [step for part in parts for _, after, _, _ in part.rows for step in after if step]
    rows = [step.entry._asdict() | asdict(step) | {"seconds": _seconds(step.entry, step.crops, run)} for step in steps]
    return pd.DataFrame(rows).drop(columns="entry")
