"""One (checkpoint, task): every fraction, resample and probe, scored, with each test item's prediction kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.experiment.fractions import Subset, draw_subsets, split_hash
from benchmark.experiment.probe import Features, ProbeResult, run_probe
from benchmark.interfaces import Task

BOOTSTRAP_DRAWS = 50


@dataclass(frozen=True)
class Trial:
    """One task on one corpus, as every probe and the supervised baseline meet it: same labels, subsets, test items.

    Attributes:
        truth: a target per track, or None.
        labels: the same, permuted in the control with shuffled labels; what is learned from.
        classes: (N,) class index (0 for frame-level tasks), -1 without a label.
        subsets: labelled tracks of each resample of each fraction.
        test: indices of all test items.
    """

    task: Task
    tracks: pd.DataFrame
    truth: list[Any]
    labels: list[Any]
    classes: NDArray[np.int64]
    subsets: list[Subset]
    test: NDArray[np.int64]

    @classmethod
    def of(cls, task: Task, tracks: pd.DataFrame, fractions: dict[float, int], shuffle_labels: bool) -> Trial:
        """Draw the subsets; they depend on the corpus alone, so that every strategy sees the same labels.

        Args:
            fractions: number of resamples by label fraction.
            shuffle_labels: the control: labels are permuted among the training and validation tracks.
        """
        truth = task.targets(tracks)
        labels = _shuffled(truth, tracks) if shuffle_labels else truth
        clip_level = task.output == "multiclass"
        classes = np.array([-1 if y is None else int(y) if clip_level else 0 for y in labels])
        subsets = draw_subsets(classes, tracks["split"].to_numpy(str), fractions, seed=0)
        labelled = np.array([y is not None for y in truth])
        test = np.flatnonzero(tracks["split"].isin(task.test_splits.values()) & labelled)
        return cls(task, tracks, truth, labels, classes, subsets, test)

    def targets(self, frames: int, frame_rate: float) -> NDArray[Any]:
        """(N,) class indices, or (N, F) activations of a frame-level task."""
        if self.task.output == "multiclass":
            return self.classes
        return self.task.frame_targets(self.labels, frames, frame_rate)

    def select(self, outputs: NDArray[np.float32], rows: NDArray[np.int64], frame_rate: float) -> float:
        """The main metric of outputs on validation tracks, higher is better."""
        predicted = self.task.decode(outputs, frame_rate)
        value = self.task.score(predicted, [self.labels[i] for i in rows])[self.task.metric]
        return value if self.task.higher_is_better else -value

    def scored(
        self, results: Sequence[tuple[str, ProbeResult]], frame_rate: float
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Scores, one row per (probe, subset, metric), and predictions, one row per test item of each."""
        scores, predictions = [], []
        for probe, result in results:
            decoded = self.task.decode(result.outputs, frame_rate)
            scores += _score_rows(self.task, self.tracks, self.truth, self.test, decoded, probe, result)
            predictions.append(_prediction_rows(self.tracks, self.test, decoded, probe, result.subset))
        identity = split_hash(self.tracks["id"].tolist(), self.tracks["split"].tolist())
        return pd.DataFrame(scores).assign(split_hash=identity), pd.concat(predictions, ignore_index=True)


def evaluate(
    trial: Trial, features: Features, frame_rate: float, probes: list[Literal["linear", "mlp"]], seed: int, device: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probe frozen embeddings, and score; `seed` is of the probes' own draws. Returns what `Trial.scored` does."""

    def select(outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> float:
        return trial.select(outputs, rows, frame_rate)

    targets, classes = trial.targets(features.frames, frame_rate), len(trial.task.classes) or None
    results = [
        (probe, result)
        for probe in probes
        for result in run_probe(
            probe, features, targets, trial.subsets, trial.test, select, device, seed, classes=classes
        )
    ]
    return trial.scored(results, frame_rate)


def _shuffled(truth: list[Any], tracks: pd.DataFrame) -> list[Any]:
    labels = list(truth)
    for split in ("train", "val"):
        rows = np.flatnonzero(tracks["split"] == split)
        for i, j in zip(rows, np.random.default_rng(0).permutation(rows), strict=True):
            labels[i] = truth[j]
    return labels


def _score_rows(
    task: Task,
    tracks: pd.DataFrame,
    truth: list[Any],
    test: NDArray[np.int64],
    decoded: list[Any],
    probe: str,
    result: ProbeResult,
) -> list[dict[str, Any]]:
    rows = []
    for suffix, split in task.test_splits.items():
        at = np.flatnonzero(tracks["split"].to_numpy()[test] == split)
        predicted, true = [decoded[i] for i in at], [truth[test[i]] for i in at]
        groups = tracks["group"].to_numpy()[test[at]]
        errors = sampling_error(task, predicted, true, groups)
        for metric, value in task.score(predicted, true).items():
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
                    "n_train": len(result.subset.train),
                    "n_val": len(result.subset.val),
                    "n_test": len(at),
                    "val_score": result.val_score,
                    **result.chosen,
                }
            )
    return rows


def sampling_error(task: Task, predictions: list[Any], targets: list[Any], groups: NDArray[Any]) -> dict[str, float]:
    """Standard error of each metric from sampling test groups (items of one group are not independent).

    In closed form where the metric is a mean over items, else by a seeded bootstrap over groups.
    """
    codes = pd.factorize(groups)[0]
    errors = {}
    for metric, values in task.item_scores(predictions, targets).items():
        deviations = np.bincount(codes, weights=values - values.mean())
        errors[metric] = float(np.sqrt(np.square(deviations).sum()) / len(values))
    rest = [m for m in task.score(predictions, targets) if m not in errors]
    if rest:
        draws = _bootstrap(task, predictions, targets, codes)
        errors |= {metric: float(np.std([d[metric] for d in draws], ddof=1)) for metric in rest}
    return errors


def _bootstrap(task: Task, predictions: list[Any], targets: list[Any], codes: NDArray[Any]) -> list[dict[str, float]]:
    members = [np.flatnonzero(codes == g) for g in range(codes.max() + 1)]
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(BOOTSTRAP_DRAWS):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        draws.append(task.score([predictions[i] for i in rows], [targets[i] for i in rows]))
    return draws


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
