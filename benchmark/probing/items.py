"""Whether a corpus has the labels that a task needs: to learn from, to choose settings by, to be tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.corpora.usable import lacking
from benchmark.interfaces import Task, UserError

if TYPE_CHECKING:
    import pandas as pd


def check_items(task: Task, tracks: pd.DataFrame) -> None:
    """Count a task's labeled tracks.

    Raises:
        UserError: there are too few in a split.
    """
    import numpy as np

    labeled = np.array([target is not None for target in task.targets(tracks)], bool)
    train, val = (int((labeled & (tracks["split"] == split)).sum()) for split in ("train", "val"))
    tested = np.any(list(task.test_sets(tracks).values()), axis=0)
    missing = lacking(train, val, int((labeled & tested).sum()))
    if missing:
        raise UserError(f"{task.info.name}: {'; '.join(missing)} (of {len(tracks)} tracks of {task.corpus})")
