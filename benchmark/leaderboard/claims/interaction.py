"""Does the best strategy depend on the task? The strategy x task interaction, and what choosing by task gains.

An interaction alone does not make another strategy best somewhere, and the highest of noisy means is too high. So there
are two tests. Interaction: scores are standardized within each task, and each checkpoint's profile over tasks is freed
from its own mean. Without interaction these profiles differ by chance alone, whichever strategy they are of: the sum
of squares between strategies is held against its value when the profiles of each seed are dealt out anew, whole.
Gain: the best strategy of each task and the best one for all are chosen on all seeds but one, and both choices are
scored on that one; each seed is left out once. All seeds share the test items, and with them the luck of a strategy
that suits these items: what it adds to the gain is estimated, and taken off.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.leaderboard.claims.claim import Verdict, Word, untestable
from benchmark.leaderboard.record import percent
from benchmark.leaderboard.statistics.compare import LEVEL
from benchmark.leaderboard.statistics.evidence import (
    BOUNDED,
    NOTHING,
    PLACE,
    Estimate,
    Evidence,
    compare,
    differences,
    estimate,
)
from benchmark.leaderboard.statistics.stats import RUN

Floats = NDArray[np.float64]

PERMUTATIONS = 1999
TEST = (
    f"permutation test of the strategy x task interaction ({PERMUTATIONS} permutations of the checkpoints' profiles "
    "over tasks, within seeds) at 5%, and the gain of choosing by task on seeds and on test noise that the choice did "
    "not hear, with Student's t; contradicted only if one strategy beats every other on every task"
)
UNIT = "of the main metric, gained by choosing the strategy by task"


class Scores(NamedTuple):
    """Means over label draws, encoders and corpora: (strategies, seeds, tasks)."""

    names: list[str]
    seeds: list[float]
    values: Floats


def best_differs(evidence: Evidence) -> Verdict:
    """The verdict on "no strategy is best for all tasks", at the largest label fraction.

    Rows that are not pre-trained, that heard labels of a task, or that lack a run are left out; the last are named.
    """
    evidence = evidence.at(evidence.most())
    pretext = evidence.table["strategy"].map(evidence.run.pretext).astype(bool)
    tasks = sorted(evidence.table.loc[pretext, "task"].unique())  # of a run that is not through, baselines have others
    if len(tasks) < 2:
        return untestable(["scores on two tasks"])
    scores, incomplete, elsewhere = _cube(evidence, tasks)
    notes = [f"At {percent(evidence.most())} of the labels, {len(scores.names)} strategies."]
    notes += [f"Left out, not on the encoders and corpora of most: {', '.join(elsewhere)}."] if elsewhere else []
    notes += [f"Left out, fewer runs than others: {', '.join(incomplete)}."] if incomplete else []
    if len(scores.names) < 2:
        return untestable(["two pretext tasks that are scored on all tasks and heard labels of none"], notes)
    best = scores.values.mean(axis=1).argmax(axis=0)
    notes += [f"Best on {task}: {scores.names[i]}." for task, i in zip(tasks, best, strict=True)]
    return _judge(evidence, scores, tasks, notes)


def _judge(evidence: Evidence, scores: Scores, tasks: list[str], notes: list[str]) -> Verdict:
    word: Word = "undecided"
    gain, several = NOTHING, f"{len(scores.names)} strategies"
    if len(scores.seeds) < 2:
        notes = [*notes, "Fewer than two pre-training seeds: no interval, no verdict."]
    else:
        p, gain = interaction(scores.values), _gain(evidence, scores, tasks)
        if p < LEVEL and gain.low > 0:
            word = "supported"
        elif _one_for_all(evidence, scores):
            word = "contradicted"
        notes = [*notes, f"Interaction: p = {p:.4f}.", *([BOUNDED] if evidence.table["draws"].isna().any() else [])]
    return Verdict(word, gain, UNIT, TEST, several, tuple(tasks), notes=tuple(notes))


def _cube(evidence: Evidence, tasks: list[str]) -> tuple[Scores, list[str], list[str]]:
    """Pretext tasks with all runs, the names of those without, and of those on other encoders than most."""
    run, table = evidence.run, evidence.table
    chosen = [n for n, note in run.strategies.items() if note.trains and not any(run.heard(n, t) for t in tasks)]
    table = table[table["strategy"].isin(chosen)]
    table, elsewhere = _together(table)
    wide = table.pivot(index="strategy", columns=[*PLACE, *RUN], values="value").sort_index(axis=1)
    whole = wide[np.isfinite(wide).all(axis=1)]
    seeds, names = sorted(table["seed"].unique()), whole.index.tolist()
    means = whole.T.groupby(["seed", "task"]).mean()  # one row for each seed and task
    means = means.reindex(pd.MultiIndex.from_product([seeds, tasks], names=["seed", "task"]))
    values = means.to_numpy(np.float64).T.reshape(len(names), len(seeds), len(tasks))
    return Scores(names, seeds, values), [name for name in wide.index if name not in names], elsewhere


def _together(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The scores on the encoders and corpora that most strategies have, and the names of those that lack some."""
    place = pd.Series(list(zip(table["encoder"], table["pretrain_corpus"], strict=True)), table.index, dtype=object)
    places = place.groupby(table["strategy"]).agg(frozenset)
    if places.empty:
        return table, []
    usual = max(sorted(set(places), key=sorted), key=lambda some: (sum(some <= own for own in places), len(some)))
    whole = [name for name, own in places.items() if usual <= own]
    return table[place.isin(usual) & table["strategy"].isin(whole)], [n for n in places.index if n not in whole]


def interaction(values: Floats) -> float:
    """P-value of the strategy x task interaction.

    Args:
        values: (strategies, seeds, tasks).
    """
    spread = values.std(axis=(0, 1))
    standard = (values - values.mean(axis=(0, 1))) / np.where(spread > 0, spread, 1.0)
    profiles = (standard - standard.mean(axis=2, keepdims=True)).swapaxes(0, 1)  # seeds, strategies, tasks
    seeds, strategies, _ = profiles.shape
    dealt = np.random.default_rng(0).random((PERMUTATIONS, seeds, strategies)).argsort(axis=2)
    sums = sum(profiles[seed][dealt[:, seed]] for seed in range(seeds))
    observed = np.square(profiles.sum(axis=0)).sum()
    # Permutations that give the same split must count as equal, whatever the order of the sums.
    reached = np.square(sums).sum(axis=(1, 2)) >= observed * (1 - 1e-9)
    return float((1 + reached.sum()) / (1 + PERMUTATIONS))


def _gain(evidence: Evidence, scores: Scores, tasks: list[str]) -> Estimate:
    """What the best strategy of each task has over the best one for all, both chosen on the other seeds."""
    luck, rows = _luck(evidence.table, scores, tasks), []
    for held, seed in enumerate(scores.seeds):
        means = np.delete(scores.values, held, axis=1).mean(axis=1)
        everywhere = scores.names[int(means.mean(axis=1).argmax())]
        left_out = evidence.table[evidence.table["seed"] == seed]
        for at, (task, best) in enumerate(zip(tasks, means.argmax(axis=0), strict=True)):
            pairs = differences(left_out[left_out["task"] == task], scores.names[best], everywhere)
            pairs["difference"] -= luck[held, at]
            same = scores.names[best] == everywhere
            rows.append(pairs.assign(stderr=0.0) if same else pairs)
    return estimate(pd.concat(rows, ignore_index=True))


def _luck(table: pd.DataFrame, scores: Scores, tasks: list[str]) -> Floats:
    """How much of the gain, (seeds, tasks), is luck with the test items, which no seed left out takes away.

    To choose with test noise of the same size added and to score with it taken away makes choice and score
    independent (coupled bootstrap, Oliveira, Lei & Tibshirani 2021).
    """
    noise = _noise(table, scores, tasks)
    independent: Floats = _gains(scores.values + noise, scores.values - noise).mean(axis=0)
    return _gains(scores.values, scores.values) - independent


def _gains(heard: Floats, scored: Floats) -> Floats:
    """(..., seeds, tasks): the best of each task less the best for all, chosen on all seeds but the one scored."""
    gains = []
    for held in range(heard.shape[-2]):
        means = np.delete(heard, held, axis=-2).mean(axis=-2)
        best = means.argmax(axis=-2)[..., None, :]
        everywhere = np.broadcast_to(means.mean(axis=-1).argmax(axis=-1)[..., None, None], best.shape)
        of_best, of_all = (np.take_along_axis(scored[..., held, :], i, axis=-2) for i in (best, everywhere))
        gains.append((of_best - of_all)[..., 0, :])
    return np.stack(gains, axis=-2)


def _noise(table: pd.DataFrame, scores: Scores, tasks: list[str]) -> Floats:
    """(draws, strategies, seeds, tasks): what other test items would add to the means, by bootstrap draws if known."""
    table = table[table["strategy"].isin(scores.names)].sort_values([*PLACE, *RUN, "strategy"])
    if table["draws"].notna().all():
        drawn = np.stack(table["draws"].to_list())
        noise = drawn - np.nanmean(drawn, axis=1, keepdims=True)
    else:
        noise = table["test_stderr"].to_numpy()[:, None] * np.random.default_rng(0).normal(size=(len(table), 200))
    axes: dict[str, list[Any]] = {"strategy": scores.names, "seed": scores.seeds, "task": tasks}
    index = [table[column].map(values.index) for column, values in axes.items()]
    total, runs = np.zeros((*scores.values.shape, noise.shape[1])), np.zeros(scores.values.shape)
    np.add.at(total, tuple(index), np.nan_to_num(noise))
    np.add.at(runs, tuple(index), 1)
    return np.moveaxis(total / runs[..., None], -1, 0)


def _one_for_all(evidence: Evidence, scores: Scores) -> bool:
    """Whether one strategy beats every other on every task, each interval above zero."""
    best = set(scores.values.mean(axis=1).argmax(axis=0))
    if len(best) > 1:
        return False
    leader = scores.names[best.pop()]
    rest = [compare(evidence, leader, name) for name in scores.names if name != leader]
    return all(found.low > 0 for c in rest if c for found in c.by_task.values())
