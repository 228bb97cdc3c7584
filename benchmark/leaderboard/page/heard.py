"""What each row heard: crops, steps, epochs and learning rate, and whether its loss was still moving when it ended.

A row may learn twice: its pretext task, which `run.json` tells of by seed, and labels end to end, which the scores tell
of by training. Ranges are over those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics.tables import Entry, names_of

#: columns of the scores that a training on labels leaves, and by which it is one
LEARNED, TRAINING = "steps", ["strategy", "encoder", "pretrain_corpus", "seed", "task", "fraction", "resample", "probe"]
#: what is told of a training: heading, column, and how it is written
FACTS = [
    ("crops", "crops", "{:,.0f}"),
    ("steps", "steps", "{:,.0f}"),
    ("epochs", "epochs", "{:,.3g}"),
    ("learning rate", "rate", "{:g}"),
]
UNKNOWN = "\N{EM DASH}"
#: a trend beyond this is one: by chance, one loss in a hundred is
MOVING = 3.0


@dataclass(frozen=True)
class Heard:
    """One line: numbers in words, and what its table sorts by.

    Attributes:
        learned: the pretext task, labels, or nothing.
        trainings: how many the ranges are over.
        facts: by heading, text and the median.
        loss: how many trainings ended with a loss that still fell, or rose.
        trend: the median, in standard errors.
    """

    name: str
    learned: str
    trainings: int
    facts: dict[str, tuple[str, float]]
    loss: str
    trend: float


def heard(scores: pd.DataFrame, entries: Sequence[Entry], run: Run) -> list[Heard]:
    """A line for each row and each way in which it learned; none where no training says what it heard.

    Args:
        scores: `scores.parquet` as it is.
        entries: the rows, in order.
        run: the run's record.
    """
    names, lines = names_of(entries), list[Heard]()
    labels = _of_labels(scores)
    for entry in entries:
        both = {"pretext task": _of_pretext(run, entry), "labels": labels[_is(labels, entry)]}
        told = {learned: table for learned, table in both.items() if len(table)}
        lines += [_line(names[entry], learned, table) for learned, table in told.items()]
        note = run.strategies.get(entry.strategy)
        if not told and note and not note.trains:
            nothing = {heading: (UNKNOWN, np.nan) for heading, _, _ in FACTS}
            lines.append(Heard(names[entry], "nothing", 0, nothing, "", np.nan))
    return lines if any(line.trainings for line in lines) else []


def frame(lines: Sequence[Heard]) -> pd.DataFrame:
    """The lines as a table, for a paper."""
    return pd.DataFrame(
        {
            "strategy": line.name,
            "learned": line.learned,
            "trainings": line.trainings,
            **{heading: text for heading, (text, _) in line.facts.items()},
            "loss at the end": line.loss,
            "trend": line.trend,
        }
        for line in lines
    )


def _of_pretext(run: Run, entry: Entry) -> pd.DataFrame:
    own = [job for job in run.pretraining if (job.strategy, job.encoder) == (entry.strategy, entry.encoder)]
    told = [job for job in own if job.steps is not None]
    return pd.DataFrame(
        {"crops": j.crops, "steps": j.steps, "epochs": j.epochs, "rate": j.learning_rate, "trend": j.trend}
        for j in told
    )


def _of_labels(scores: pd.DataFrame) -> pd.DataFrame:
    """A row per training end to end."""
    if LEARNED not in scores:
        return pd.DataFrame(columns=[*TRAINING, LEARNED])
    trained = scores[scores[LEARNED].notna()].drop_duplicates(TRAINING)
    trained = trained.assign(**{name: trained[name].fillna("").astype(str) for name in TRAINING[:3]})
    # its `crops` are those of pre-training
    return trained.assign(crops=trained["heard"], rate=trained["lr"])


def _is(table: pd.DataFrame, entry: Entry) -> pd.Series:
    return (table[TRAINING[:3]] == list(entry)).all(axis=1)


def _line(name: str, learned: str, table: pd.DataFrame) -> Heard:
    trend = pd.to_numeric(table["trend"]).dropna()
    moving = {"falling": int((trend < -MOVING).sum()), "rising": int((trend > MOVING).sum())}
    loss = ", ".join(f"{word} in {count} of {len(trend)}" for word, count in moving.items() if count)
    facts = {heading: _range(table[column], form) for heading, column, form in FACTS}
    known = float(trend.median()) if len(trend) else np.nan
    return Heard(name, learned, len(table), facts, loss or ("level" if len(trend) else ""), known)


def _range(values: Iterable[float | None], form: str) -> tuple[str, float]:
    """Lowest and highest in words, and the median; a dash where nothing is known."""
    known = pd.to_numeric(pd.Series(list(values))).dropna()
    if known.empty:
        return UNKNOWN, np.nan
    ends = dict.fromkeys(form.format(value) for value in (known.min(), known.max()))
    return " to ".join(ends), float(known.median())
