"""The answer by level: planted leaders are found where they lead, noise is greyed, and no baseline is ever the best."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import planted, worlds

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import headline, stats, tables

QUIET = worlds.Noise(60, {"row": 0.0, "shared": 0.02**2, "run": 0.01**2}, {"row_seed": 0.01**2})
LEVEL_OF = {"key": "pitch", "chord": "pitch", "tempo": "time", "beat": "time", "dance": "style"}
RECORD = Run.model_validate({"tasks": {name: {"level": level, "metric": "m"} for name, level in LEVEL_OF.items()}})


def world(better, seed=0, spread=0.03, rows=20, names=None):
    """Rows of equal spread on both levels of `LEVEL_OF`, none on style; `better` is added to row 3 by task."""
    rng = np.random.default_rng(seed)
    truths = {task: 0.5 + spread * rng.permutation(np.linspace(-1, 1, rows)) for task in LEVEL_OF}
    truths["dance"] = np.full(rows, 0.5)
    for task, gain in better.items():
        truths[task][3] = truths[task].max() + gain
    scores = worlds.made(dict.fromkeys(LEVEL_OF, QUIET), truths, 3, 1, rng).scores
    floor = scores[scores["strategy"] == "s00"].assign(strategy="constant", value=0.2)
    floor["draws"] = [np.full(worlds.BOOTSTRAP_DRAWS, 0.2)] * len(floor)
    return pd.concat([scores, floor], ignore_index=True).replace({"strategy": names or {}})


def answered(scores, run=RECORD):
    found = headline.headline(scores, tables.cells(scores, run), run)
    (shown,) = headline.standings(found, run, tables.settings(found.table))
    return {answer.column.task: answer for answer in headline.answers(shown, found, run)}


def leaders(answer):
    return [entry.strategy for entry, _ in answer.best]


def test_a_row_that_is_better_on_pitch_alone_leads_pitch_and_nothing_else():
    found = answered(world({"key": 0.06, "chord": 0.06}))
    assert list(found) == ["pitch", "time", "style"]
    assert leaders(found["pitch"]) == ["s03"]
    assert found["pitch"].tied == []
    assert leaders(found["time"]) != ["s03"]
    assert leaders(found["style"]) == [], "all equal"


def test_noise_is_greyed_and_says_of_nobody_that_it_is_better():
    """No row differs on dance."""
    worldly = [answered(world({}, seed=seed))["style"] for seed in range(3)]
    assert not any(answer.column.judged or answer.best for answer in worldly)
    assert np.mean([answer.column.reliability for answer in worldly]) < 0.3
    cells = tables.cells(world({}), RECORD)
    assert set(cells.loc[cells["task"] == "dance", "mark"]) == {""}
    assert "best" in set(cells.loc[cells["task"] == "key", "mark"])


@pytest.mark.parametrize("name", ["mfcc", "random", "supervised", "informed"])
def test_a_baseline_is_never_the_best(name):
    """The same row leads by far under another name: as a baseline it is what the best is held against."""
    scores = world({"key": 0.1, "chord": 0.1}, names={"s03": name})
    pitch = answered(scores)["pitch"]
    assert leaders(pitch)
    assert name not in {entry.strategy for entry in [*[e for e, _ in pitch.best], *pitch.tied]}
    gains = {gain.over: gain for gain in pitch.gains}
    assert name == "informed" or gains[name].wins == "second"
    cells = tables.cells(scores, RECORD)
    assert "best" not in set(cells.loc[cells["strategy"] == name, "mark"])


def test_a_level_score_is_what_was_planted_and_gains_are_differences():
    scores, run = planted.scores(), Run.model_validate(planted.run(list(planted.LEVELS)))
    found = headline.headline(stats.prepare(scores), tables.cells(scores, run), run)
    at = found.table.query("fraction == 0.01 and probe == 'linear' and task == 'time'").set_index("strategy")["mean"]
    assert at.to_dict() == pytest.approx({name: (x - 0.2) / 0.8 for name, x in planted.LEVELS.items()})
    shown = headline.standings(found, run, [("linear", 0.01)])[0]
    assert [row.entry.strategy for row in shown.rows] == ["simclr", "byol", "mfcc", "random", "constant"]
    (pitch, *_) = headline.answers(shown, found, run)
    assert {gain.over: round(gain.difference, 6) for gain in pitch.gains} == {"random": 0.4, "mfcc": 0.275}
    rows = headline.csv_rows(found, run).query("level == 'pitch' and fraction == 0.01 and probe == 'linear'")
    assert rows.set_index("strategy")["over_mfcc"]["byol"] == pytest.approx(0.1 / 0.8)
    assert set(rows["task"]) == {""}


def test_without_a_floor_there_is_no_level_and_chance_is_one():
    scores = planted.scores({name: x for name, x in planted.LEVELS.items() if name != "constant"})
    record = planted.run(list(planted.LEVELS))
    run = Run.model_validate(record)
    assert headline.headline(stats.prepare(scores), tables.cells(scores, run), run).table.empty
    record["control"] = [{"task": "key", "chance": 0.1}]
    run = Run.model_validate(record)
    found = headline.headline(stats.prepare(scores), tables.cells(scores, run), run).table
    assert set(found["task"]) == {"pitch"}
    best = found.query("strategy == 'simclr' and fraction == 0.01 and probe == 'linear'")
    assert best["mean"].item() == pytest.approx(0.52 / 0.9)


def test_a_row_that_lacks_a_task_is_missing_on_its_level_alone():
    scores = world({}).query("not (strategy == 's05' and task == 'beat')")
    table = headline.headline(scores, tables.cells(scores, RECORD), RECORD).table
    lacking = table[table["strategy"] == "s05"].set_index("task")["status"].to_dict()
    assert lacking == {"pitch": "scored", "time": "missing", "style": "scored"}


@pytest.mark.long
def test_a_winner_is_told_from_all_others_and_equal_rows_have_no_leader():
    """Pitch: one row .04 above the next, 4.9 standard errors of their difference, where Holm over 190 pairs asks 3.7.

    On style all are equal, and any row that is told from the best is told falsely.
    """
    told, false = [], []
    for seed in range(100):
        found = answered(world({"key": 0.04, "chord": 0.04}, seed=seed))
        told.append(leaders(found["pitch"]) == ["s03"] and not found["pitch"].tied)
        false.append(bool(found["style"].best) and len(found["style"].tied) < found["style"].among - 1)
    assert np.mean(told) >= 0.8
    assert np.mean(false) <= 0.05
