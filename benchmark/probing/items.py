"""Whether a corpus has the labels that a task needs: to learn from, to choose settings by, to be tested on."""

from __future__ import annotations

import traceback
from pathlib import Path
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

    from benchmark.testing.tasks import check_target, check_test_sets

    try:
        targets, tests = task.targets(tracks), check_test_sets(task, tracks)
        if len(targets) != len(tracks):
            raise UserError(f"{task.info.name}: targets() gives {len(targets)} for {len(tracks)} tracks")
        known = [target for target in targets if target is not None]
        for target in known[:_FEW] if task.frame_level else known:
            check_target(task, target)
    except UserError:
        raise
    except AssertionError as error:
        raise UserError(str(error)) from error
    except Exception as error:  # whatever a plugin's code raises
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(at.filename).name}, line {at.lineno}"
        raise UserError(f"{task.info.name}: its targets or test sets fail in {where}: {one_line(error)}") from error
    labeled = np.array([target is not None for target in targets], bool)
    train, val = (int((labeled & (tracks["split"] == split)).sum()) for split in ("train", "val"))
    tested = np.any(list(tests.values()), axis=0)
    missing = lacking(train, val, int((labeled & tested).sum()))
    if missing:
        raise UserError(f"{task.info.name}: {'; '.join(missing)} (of {len(tracks)} tracks of {task.corpus})")
