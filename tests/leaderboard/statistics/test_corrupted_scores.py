"""What is left of a score under corruptions: of rows that have all their runs, best first, the others last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from helpers import planted

from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics.robustness import load_robustness


def test_no_average_passes_over_a_missing_run(tmp_path: Path) -> None:
    """simclr's worst seed has no scores: what the others have flatters, and is not shown."""
    clean = planted.scores().assign(corruption="", severity=0)
    noisy = clean.assign(corruption="noise", severity=2, value=clean["value"] - 0.1)
    scores = pd.concat([clean, noisy]).query("not (strategy == 'simclr' and seed == 0)")
    record = planted.run(list(planted.LEVELS)) | {"resamples": [3, 3, 1]}
    for note in record["strategies"].values():
        note["seeds"] = 3
    run = Run.model_validate(record)
    key = next(one for one in load_robustness(planted.write(tmp_path, scores), run) if one.task == "key")
    assert [row.entry.strategy for row in key.rows] == ["byol", "mfcc", "random", "constant", "simclr"]
    assert np.isnan(key.rows[-1].clean)
    assert np.isnan(key.rows[-1].corrupted).all()
    few = Run.model_validate({**record, "budget_seeds": {"500": 2}})
    heard = scores.assign(crops=500.0)
    key = next(one for one in load_robustness(planted.write(tmp_path, heard), few) if one.task == "key")
    assert np.isfinite([row.clean for row in key.rows]).all(), "of this budget no more was planned"
    key = next(one for one in load_robustness(planted.write(tmp_path, scores), run) if one.task == "key")
    np.testing.assert_allclose([row.corrupted[0][0] - row.clean for row in key.rows[:-1]], -0.1)
