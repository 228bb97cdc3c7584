"""What every task must keep: targets that fit its kind, outputs that say them score full marks, test sets apart."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.interfaces import Task
from benchmark.registry import is_name

#: what outputs that say the truth must score at least, and what noise may score at most, where 1 is perfect
PERFECT, NOISE = 0.95, 0.9
#: frames per second, and how long a track is at most, in seconds
FRAME_RATE, LONGEST = 50.0, 1800.0


def check_task(cls: type[Task], tracks: pd.DataFrame) -> None:
    """Check a task on tracks of its corpus: what its metadata say, its targets, its scores at both ends.

    Args:
        cls: the task.
        tracks: catalog of its corpus, or of a tiny one: some tracks of every split that it uses.

    Raises:
        AssertionError: what is wrong, with the task's name.
    """
    task = cls()
    name = _check_record(task, tracks)
    truth = task.targets(tracks)
    _require(len(truth) == len(tracks), f"{name}: {len(truth)} targets for {len(tracks)} tracks")
    rows = _check_test_sets(name, task, tracks, truth)
    for target in truth:
        if target is not None:
            check_target(task, target)
    known = [truth[i] for i in rows]
    perfect = task.score(task.decode([outputs_saying(task, y) for y in known], FRAME_RATE), known)
    _require(task.metric in perfect, f"{name}: score gives {sorted(perfect)}, without its main metric {task.metric}")
    if task.higher_is_better:
        value = perfect[task.metric]
        _require(value >= PERFECT, f"{name}: outputs that say the truth score {value:.3f} {task.metric}")
        noise = task.score(task.decode(noise_for(task, known), FRAME_RATE), known)[task.metric]
        _require(not noise > NOISE, f"{name}: noise scores {noise:.3f} {task.metric}")
    _check_predictions(name, task, known)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _check_record(task: Task, tracks: pd.DataFrame) -> str:
    name = task.info.name
    _require(is_name(name), f"{name!r} is no name")
    document = sys.modules[type(task).__module__].__doc__ or type(task).__doc__ or ""
    _require("Conventions" in document or not document, f"{name}: its file does not open with its Conventions")
    _require(bool(task.info.citation), f"{name}: no citation")
    absent = [label for label in (*task.labels, *task.told_by) if label not in tracks]
    _require(bool(task.labels) and not absent, f"{name}: labels {task.labels}, but the corpus has no column {absent}")
    return name


def _check_test_sets(name: str, task: Task, tracks: pd.DataFrame, truth: list[Any]) -> NDArray[np.int64]:
    """The main test set has labels, and so have training and validation. Returns its rows."""
    sets = check_test_sets(task, tracks)
    rows = np.flatnonzero(sets[""] & np.array([y is not None for y in truth]))
    _require(len(rows) > 0, f"{name}: its test set has no label")
    for split in ("train", "val"):
        here = np.flatnonzero(tracks["split"] == split)
        _require(any(truth[i] is not None for i in here), f"{name}: split {split} has no label")
    return rows


def check_test_sets(task: Task, tracks: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """A task's test sets, apart from what is learned and chosen from.

    Raises:
        AssertionError: they are not, or none is the main one.
    """
    learned = tracks["split"].isin(("train", "val")).to_numpy()
    sets = task.test_sets(tracks)
    _require("" in sets, f"{task.info.name}: no main test set")
    for suffix, members in sets.items():
        apart = not (members & learned).any()
        _require(apart, f"{task.info.name}: test set {suffix!r} holds training or validation tracks")
    return sets


def check_target(task: Task, target: Any) -> None:
    """Check one target of a track that has a label.

    Raises:
        AssertionError: it is none of the task's kind.
    """
    name, columns = task.info.name, len(task.classes)
    if task.output == "multiclass":
        whole = int(target) == target
        _require(
            whole and 0 <= target < columns, f"{name}: class {target} of {columns}, counted from 0 (None: no label)"
        )
    elif task.output in ("multilabel", "regression"):
        _require(np.shape(target) == (columns,), f"{name}: a target of shape {np.shape(target)} for {columns} names")
        values = np.asarray(target, float)
        tags = np.isin(values, (0, 1)) | np.isnan(values)
        legal = tags if task.output == "multilabel" else np.isfinite(values)
        _require(bool(legal.all()), f"{name}: a target holds {values[~legal][:3].tolist()}")
    else:
        frames: NDArray[Any] = np.asarray(task.frame_targets(target, 100, FRAME_RATE), float)
        _require(len(frames) == 100, f"{name}: {len(frames)} frame targets for 100 frames")
        legal = (
            (frames >= 0) & (frames <= 1) if task.output == "frame_activation" else (frames >= -1) & (frames < columns)
        )
        _require(bool(legal.all()), f"{name}: frame targets outside their range")


def outputs_saying(task: Task, target: Any) -> NDArray[np.float32]:
    """Outputs that say `target` with certainty."""
    if task.output == "multiclass":
        return np.asarray(_certain(task)[int(target)])
    if task.output == "multilabel":
        return np.where(np.asarray(target, np.float32) > 0.5, 10, -10).astype(np.float32)
    if task.output == "regression":
        return np.asarray(target, np.float32)
    frames = _frames(task, target)
    if task.output == "frame_activation":
        return (20 * frames - 10).astype(np.float32)
    return np.asarray(_certain(task)[np.maximum(frames, 0).astype(int)])


def _frames(task: Task, target: Any) -> NDArray[Any]:
    """What frames should say, to a second after the last of them that says anything."""
    frames: NDArray[Any] = np.asarray(task.frame_targets(target, round(LONGEST * FRAME_RATE), FRAME_RATE))
    says = (frames > 0).reshape(len(frames), -1).any(axis=1) if task.output == "frame_activation" else frames >= 0
    return frames[: np.flatnonzero(says).max(initial=0) + 1 + round(FRAME_RATE)]


def _certain(task: Task) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = 20 * np.eye(len(task.classes), dtype=np.float32)
    return logits


def noise_for(task: Task, truth: list[Any]) -> list[NDArray[np.float32]]:
    """Outputs that say nothing, one for each target."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=outputs_saying(task, y).shape).astype(np.float32) for y in truth]


def _check_predictions(name: str, task: Task, truth: list[Any]) -> None:
    """Predictions can be stored, and whatever order the items come in, the score is the same."""
    predictions = task.decode(noise_for(task, truth), FRAME_RATE)
    try:
        pd.DataFrame({"prediction": predictions}).to_parquet(io.BytesIO())
    except Exception as error:
        raise AssertionError(f"{name}: its predictions cannot be stored in a table: {error}") from error
    there, back = task.score(predictions, truth), task.score(predictions[::-1], truth[::-1])
    same = all(np.isclose(there[m], back[m], equal_nan=True) for m in there)
    _require(same, f"{name}: the score depends on the order of the items: {there} and {back}")
