"""Whether a corpus has the labels that a task needs: to learn from, to choose settings by, to be tested on."""

from __future__ import annotations

import math
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.usable import lacking
from benchmark.interfaces import Task, UserError, one_line

if TYPE_CHECKING:
    import pandas as pd

#: targets that are looked at where each takes its frames
_FEW = 100
#: how many are scored, by whether each has its frames
_FEW_TRACKS, _MANY = 20, 1000


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


def check_scale(task: Task, tracks: pd.DataFrame) -> None:
    """Make sure that the main metric tells outputs that say the truth from noise, and as the task declares.

    Raises:
        UserError: it does not, or has nothing to be measured on.
    """
    from benchmark.testing.tasks import FRAME_RATE, noise_for, outputs_saying

    test = task.test_sets(tracks)[""]
    known = [target for target, tested in zip(task.targets(tracks), test, strict=True) if tested and target is not None]
    if not known:
        raise UserError(f"{task.info.name}: no track of its main test set has a label")
    known = known[:: max(1, len(known) // (_FEW_TRACKS if task.frame_level else _MANY))]
    truth, noise = (
        task.main_score(task.decode(outputs, FRAME_RATE), known)
        for outputs in ([outputs_saying(task, target) for target in known], noise_for(task, known))
    )
    what, name = f"its main metric {task.metric}", task.info.name
    if not math.isfinite(truth):
        raise UserError(f"{name}: {what} of outputs that say the truth is {truth}, so that no score says anything")
    if math.isfinite(noise) and (noise > truth if task.higher_is_better else noise < truth):
        raise UserError(
            f"{name}: {what} is {truth:.3g} where the truth is said, {noise:.3g} where nothing is, "
            f"though higher_is_better is {task.higher_is_better}"
        )
