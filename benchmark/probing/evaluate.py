"""One (checkpoint, task): every fraction, resample and probe, scored, with each test item's prediction kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.interfaces import Task
from benchmark.probing.features import Features
from benchmark.probing.fractions import Subset, draw_subsets, split_hash
from benchmark.probing.probe import LOSSES, Outputs, ProbeResult, Targets, run_probe

#: resamples of a test set; the b-th is the same for every strategy, so that their differences are paired
BOOTSTRAP_DRAWS = 100
#: of the targets, to know what chance is in the control
PERMUTATIONS = 20


class Condition(NamedTuple):
    """How the test audio was corrupted."""

    corruption: str
    severity: int


CLEAN = Condition("", 0)


class Heard(NamedTuple):
    """Embeddings of some tracks under a condition; `rows` says which tracks of the catalog those are."""

    features: Features
    rows: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> Features:
        """Of tracks of the catalog, all of them among `rows`."""
        order = np.argsort(self.rows)
        return self.features.select(order[np.searchsorted(self.rows, rows, sorter=order)])


@dataclass(frozen=True)
class Trial:
    """One task on one corpus, as every probe and the supervised baseline meet it: same labels, subsets, test items.

    Attributes:
        truth: a target per track, or None.
        labels: the same, permuted in the control with shuffled labels; what is learned from.
        subsets: labelled tracks of each resample of each fraction.
        test: indices of all test items.
    """

    task: Task
    tracks: pd.DataFrame
    truth: list[Any]
    labels: list[Any]
    subsets: list[Subset]
    test: NDArray[np.int64]

    @classmethod
    def of(
        cls, task: Task, tracks: pd.DataFrame, fractions: dict[float, int], shuffle_labels: bool, shuffle: int = 0
    ) -> Trial:
        """Draw the subsets; they depend on the corpus alone, so that every strategy sees the same labels.

        Args:
            fractions: number of resamples by label fraction.
            shuffle_labels: the control: labels are permuted among the training and validation tracks.
            shuffle: which of the permutations.

        Raises:
            ValueError: the catalog does not have what the task says that its items are of.
        """
        if missing := [column for column in task.crossed if column not in tracks]:
            said = f"{task.info.name}: `crossed` names {missing[0]!r}, which no column of {task.corpus} is"
            raise ValueError(f"{said}: {', '.join(map(str, tracks.columns))}")
        truth = task.targets(tracks)
        labels = _shuffled(truth, tracks, shuffle) if shuffle_labels else truth
        splits = tracks["split"].to_numpy(str)
        subsets = draw_subsets(_strata(task, labels, splits == "train"), splits, fractions, seed=0)
        labelled = np.array([y is not None for y in truth])
        test = np.flatnonzero(np.any(list(task.test_sets(tracks).values()), axis=0) & labelled)
        return cls(task, tracks, truth, labels, subsets, test)

    @property
    def shuffled(self) -> bool:
        """Whether this is the control."""
        return self.labels is not self.truth

    @property
    def of_events(self) -> bool:
        """Whether times are decoded from an activation."""
        return self.task.output == "frame_activation"

    def targets(self, features: Features, frame_rate: float) -> Targets:
        """What each row of `features` should say."""
        task, counts = self.task, np.diff(features.offsets)
        loss, columns = LOSSES[task.output], max(1, len(task.classes))
        if task.frame_level:
            nothing: Any = -1 if loss == "softmax" else 0.0
            kind = np.int64 if loss == "softmax" else np.float32
            tables = [
                np.full(n, nothing, kind) if y is None else np.asarray(task.frame_targets(y, n, frame_rate), kind)
                for y, n in zip(self.labels, counts.tolist(), strict=True)
            ]
            rows = np.concatenate(tables)
            return Targets(rows if loss == "softmax" else rows.reshape(len(rows), -1), columns, loss, of_frames=True)
        return Targets(np.repeat(_clip_targets(task, self.labels), counts, axis=0), columns, loss)

    def select(self, outputs: Outputs, rows: NDArray[np.int64], frame_rate: float) -> float:
        """The main metric of outputs on validation tracks, higher is better."""
        predicted = self.task.decode(outputs, frame_rate)
        value = self.task.main_score(predicted, [self.labels[i] for i in rows])
        return value if self.task.higher_is_better else -value

    def scored(
        self,
        results: Iterable[tuple[str, ProbeResult]],
        frame_rate: float,
        conditions: Mapping[Condition, NDArray[np.int64]] = MappingProxyType({}),
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Scores, one row per (probe, subset, condition, metric), and predictions, one row per clean test item.

        Args:
            results: by probe, each let go of once it is scored; outputs of `test`, and for each condition, of the
                tracks that were heard under it.
            frame_rate: of frame-level outputs.
            conditions: which tracks were heard under each.
        """
        scores, predictions, heard = [], [], {CLEAN: self.test, **conditions}
        for probe, result in results:
            every = zip(heard.items(), [result.outputs, *result.corrupted], strict=True)
            for (condition, rows), outputs in every:
                decoded = self.task.decode(outputs, frame_rate)
                scored = _score_rows(self, rows, decoded, probe, result)
                scores += [{**row, **condition._asdict()} for row in scored]
                if condition == CLEAN:
                    predictions.append(_prediction_rows(self.tracks, self.test, decoded, probe, result.subset))
        identity = split_hash(self.tracks["id"].tolist(), self.tracks["split"].tolist())
        return pd.DataFrame(scores).assign(split_hash=identity), pd.concat(predictions, ignore_index=True)


def rows_of(ids: Sequence[str], among: Sequence[str]) -> NDArray[np.int64]:
    """Where each of some tracks stands among others, by id."""
    place = {name: row for row, name in enumerate(among)}
    return np.array([place[name] for name in ids], np.int64)


def evaluate(
    trial: Trial,
    features: Features,
    frame_rate: float,
    probes: list[Literal["linear", "mlp"]],
    seed: int,
    device: str,
    corrupted: Mapping[Condition, Heard] = MappingProxyType({}),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probe frozen embeddings, and score.

    Args:
        trial: the task.
        features: embeddings of all tracks.
        frame_rate: of frame-level ones.
        probes: kinds of probe.
        seed: of the probes' own draws.
        device: where to compute.
        corrupted: by condition, embeddings of some tracks, as they sound under it.

    Returns:
        What `Trial.scored` does.
    """
    conditions = {condition: np.intersect1d(trial.test, heard.rows) for condition, heard in corrupted.items()}
    others = [corrupted[condition].of(rows) for condition, rows in conditions.items()]

    def select(outputs: Outputs, rows: NDArray[np.int64]) -> float:
        return trial.select(outputs, rows, frame_rate)

    def probed(targets: Targets) -> Iterator[tuple[str, ProbeResult]]:
        learned = (features, targets, trial.subsets, trial.test, select, device, seed, others)
        return ((probe, result) for probe in probes for result in run_probe(probe, *learned))

    targets = trial.targets(features, frame_rate)
    scores, predictions = trial.scored(probed(targets), frame_rate, conditions)
    if trial.shuffled and trial.of_events:
        # Peaks of any function of the sound fall on its events, whatever was learned: chance is to learn noise.
        noise = np.random.default_rng(seed).permutation(targets.rows)
        aimless = trial.scored(probed(replace(targets, rows=noise)), frame_rate, conditions)[0]
        scores["chance"] = aimless["value"].to_numpy()
    return scores, predictions


def _clip_targets(task: Task, labels: list[Any]) -> NDArray[Any]:
    """(N,) class indices, -1 without a label, or (N, C) tags or numbers, NaN without."""
    if task.output == "multiclass":
        return np.array([-1 if y is None else int(y) for y in labels], np.int64)
    nothing = np.full(len(task.classes), np.nan, np.float32)
    return np.stack([nothing if y is None else np.asarray(y, np.float32) for y in labels])


def _strata(task: Task, labels: list[Any], train: NDArray[np.bool_]) -> NDArray[Any]:
    """What subsets are stratified by: classes, tags, fifths of a scale or the first number; frame tasks by nothing.

    Fifths are those of the training tracks: which of these are drawn is no matter of test labels.
    """
    known = np.array([y is not None for y in labels])
    if task.frame_level:
        return np.where(known, 0, -1)
    targets = _clip_targets(task, labels)
    if task.output != "regression" and not task.ordered:
        return targets
    scale = targets if task.ordered else targets[:, 0]
    edges = np.quantile(scale[known & train], (0.2, 0.4, 0.6, 0.8)) if (known & train).any() else []
    return np.where(known, np.searchsorted(edges, scale), -1)


def _shuffled(truth: list[Any], tracks: pd.DataFrame, shuffle: int) -> list[Any]:
    labels = list(truth)
    for split in ("train", "val"):
        rows = np.flatnonzero(tracks["split"] == split)
        for i, j in zip(rows, np.random.default_rng(shuffle).permutation(rows), strict=True):
            labels[i] = truth[j]
    return labels


def _score_rows(
    trial: Trial, heard: NDArray[np.int64], decoded: list[Any], probe: str, result: ProbeResult
) -> list[dict[str, Any]]:
    """Every metric on every test set of which tracks were heard."""
    rows, task = [], trial.task
    for suffix, members in task.test_sets(trial.tracks).items():
        at = np.flatnonzero(members[heard])
        if not len(at):
            continue
        predicted, true = [decoded[i] for i in at], [trial.truth[heard[i]] for i in at]
        drawn = [trial.tracks[column].to_numpy()[heard[at]] for column in ("group", *task.crossed)]
        scores, errors, draws = scored_with_error(task, predicted, true, *drawn)
        guessed = chance(task, predicted, true) if trial.shuffled and not trial.of_events else {}
        for metric, value in scores.items():
            rows.append(
                {
                    "task": task.info.name,
                    "corpus": task.corpus,
                    "fraction": result.subset.fraction,
                    "resample": result.subset.resample,
                    "probe": probe,
                    "metric": metric + suffix,
                    "value": value,
                    "test_stderr": errors[metric],
                    **({"chance": guessed[metric]} if guessed else {}),
                    "draws": draws if metric == task.metric and not suffix else None,
                    "n_train": len(result.subset.train),
                    "n_val": len(result.subset.val),
                    "n_test": len(at),
                    "groups": min(len(np.unique(column)) for column in drawn),
                    "val_score": result.val_score,
                    **result.chosen,
                }
            )
    return rows


def chance(task: Task, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
    """What predictions score that have nothing to do with the targets: on average over permuted ones.

    The constant predictor does not say it of every metric: guesses have a higher macro F1.
    """
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(targets)) for _ in range(PERMUTATIONS)]
    scores = [task.score(predictions, [targets[i] for i in order]) for order in orders]
    return {metric: float(np.nanmean([score[metric] for score in scores])) for metric in scores[0]}


def scored_with_error(
    task: Task, predictions: list[Any], targets: list[Any], *drawn: NDArray[Any]
) -> tuple[dict[str, float], dict[str, float], list[float]]:
    """Scores, and what sampling other test groups would do to them (items of one group are not independent).

    Each item is scored once: mir_eval takes its time.

    Args:
        drawn: each item's group; and what else it is of, where other values of that would change the score, too. A
            draw takes as many of each as there are, and an item as often as the product says (the pigeonhole bootstrap
            of Owen 2007, a little too wide: what is in the single item counts once more for each).

    Returns:
        Each metric; its standard error, in closed form where it is a mean over items and groups alone are drawn, else
        by the bootstrap; and the main metric's values on its draws, which follow from `drawn` alone, in short.
    """
    each = task.item_scores(predictions, targets)
    are_means = type(task).score is Task.score
    scores = {m: float(v.mean()) for m, v in each.items()} if are_means else task.score(predictions, targets)
    groups, *others = (pd.factorize(column)[0] for column in drawn)
    times, rng = np.ones((BOOTSTRAP_DRAWS, len(targets)), np.int64), np.random.default_rng(0)
    for codes in (groups, *others):
        count = codes.max() + 1
        chosen = rng.integers(0, count, (BOOTSTRAP_DRAWS, count))
        times *= np.stack([np.bincount(row, minlength=count) for row in chosen])[:, codes]
    errors, draws = {}, {}
    for metric, values in each.items():
        draws[metric] = _ratio(times @ values, times.sum(axis=1))
        deviations = np.bincount(groups, weights=values - values.mean())
        closed = float(np.sqrt(np.square(deviations).sum()) / len(values))
        errors[metric] = _spread(draws[metric]) if others else closed
    rest = [m for m in scores if m not in errors]
    if rest:
        items = [np.repeat(np.arange(len(targets)), row) for row in times]
        some = iter(task.resampled_scores(predictions, targets, [at for at in items if len(at)]))
        resampled = [next(some) if len(at) else dict.fromkeys(rest, math.nan) for at in items]
        draws |= {metric: np.array([scores[metric] for scores in resampled]) for metric in rest}
        errors |= {metric: _spread(draws[metric]) for metric in rest}
    return scores, errors, in_short(draws[task.metric]).tolist()


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """NaN where a draw has nothing at all."""
    ratio: NDArray[np.float64] = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return ratio


def in_short(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounded to a 32nd of their spread: further digits say nothing of it, and take most of the space."""
    spread = _spread(draws)
    if not spread > 0:
        return draws
    step = 2.0 ** math.floor(math.log2(spread / 32))
    return np.round(draws / step) * step


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation of the draws in which a metric is defined (a rare tag may be in none of a draw's items)."""
    defined = values[np.isfinite(values)]
    return float(np.std(defined, ddof=1)) if len(defined) > 1 else float("nan")


def _prediction_rows(
    tracks: pd.DataFrame, test: NDArray[np.int64], decoded: list[Any], probe: str, subset: Subset
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": tracks["id"].to_numpy()[test],
            "probe": probe,
            "fraction": subset.fraction,
            "resample": subset.resample,
            "prediction": decoded,
        }
    )
