"""Whether a corpus has the labels that a task needs: to learn from, to choose settings by, to be tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.corpora.usable import lacking
from benchmark.interfaces import Task, UserError, one_line

if TYPE_CHECKING:
    import pandas as pd

#: targets that are looked at where each takes its frames
_FEW = 100


def check_items(task: Task, tracks: pd.DataFrame) -> None:
    """Count a task's labeled tracks, and look at what their labels are.

    Raises:
        UserError: there are too few in a split, one is none of the task's kind, or what is learned from is tested on.
    """
    import numpy as np

    from benchmark.testing.tasks import check_target

    try:
        targets = task.targets(tracks)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{task.info.name}: targets() fails: {one_line(error)}") from error
    if len(targets) != len(tracks):
        raise UserError(f"{task.info.name}: targets() gives {len(targets)} for {len(tracks)} tracks")
    known = [target for target in targets if target is not None]
    try:
        for target in known[:_FEW] if task.frame_level else known:
            check_target(task, target)
    except AssertionError as error:
        raise UserError(f"{error}; None is for tracks without a label") from error
    learned = tracks["split"].isin(("train", "val")).to_numpy()
    for suffix, members in task.test_sets(tracks).items():
        if (members & learned).any():
            raise UserError(f"{task.info.name}: test set {suffix!r} holds training or validation tracks")
    labeled = np.array([target is not None for target in targets], bool)
    train, val = (int((labeled & (tracks["split"] == split)).sum()) for split in ("train", "val"))
    tested = np.any(list(task.test_sets(tracks).values()), axis=0)
    missing = lacking(train, val, int((labeled & tested).sum()))
    if missing:
        raise UserError(f"{task.info.name}: {'; '.join(missing)} (of {len(tracks)} tracks of {task.corpus})")
