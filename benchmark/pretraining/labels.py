"""Columns of a corpus as the labels that some strategies hear: multi-hot, a class per value or per tag."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.interfaces import UserError

Rows = NDArray[np.int64]


def multi_hot(tracks: pd.DataFrame, rows: Rows, tags: tuple[str, ...]) -> NDArray[np.float32]:
    """The labels of all tracks, (N, C): a class per value of each column that one of `rows` has, all side by side.

    In a column of lists each element is a value: MagnaTagATune's tags, say. Where nothing is known, all are zero.

    Raises:
        UserError: there is no such column, or its lists are not of tags.
    """
    absent = [tag for tag in tags if tag not in tracks]
    if absent:
        raise UserError(f"the corpus has no tag {', '.join(absent)}; its columns are {', '.join(tracks.columns)}")
    columns = [_classes(tracks[tag], rows) for tag in tags]
    return np.concatenate([np.zeros((len(tracks), 0), np.float32), *columns], axis=1)


def check_labels(strategy: Any, config: Any, tracks: pd.DataFrame) -> None:
    """Let a strategy that hears labels look at those of the training tracks, before it is trained.

    Args:
        strategy: its class.
        config: its options.

    Raises:
        UserError: the tracks have none of its tags, or it can learn nothing from them.
    """
    tags = strategy.crops(config).tags
    if tags:
        rows = np.flatnonzero(tracks["split"].to_numpy() == "train")
        strategy.check_labels(config, multi_hot(tracks, rows, tags)[rows])


def _classes(values: pd.Series[Any], rows: Rows) -> NDArray[np.float32]:
    """A column's classes, (N, C), in alphabetical order."""
    held = [_names(value) for value in values]
    if not all(isinstance(name, str) for names in held for name in names):
        raise UserError(f"the corpus's {values.name} are lists, but not of tags")
    owner = np.repeat(np.arange(len(held)), [len(names) for names in held])
    names = np.array([name for names in held for name in names], dtype=str)
    classes, number = np.unique(names, return_inverse=True)
    labels = np.zeros((len(held), len(classes)), np.float32)
    labels[owner, number] = 1
    return labels[:, labels[rows].any(axis=0)]


def _names(value: Any) -> list[Any]:
    """The classes that a cell names; numbers alone, but not in lists, which hold beats and the like."""
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    return [] if pd.isna(value) else [str(value)]
