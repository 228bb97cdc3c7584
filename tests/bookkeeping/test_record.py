"""What a run says of its rows beyond their scores."""

from __future__ import annotations

from pathlib import Path

from benchmark.bookkeeping.record import record
from benchmark.leaderboard.record import Run
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.walk import Report
from benchmark.store.job import Stores


def test_rows_are_told_on_which_encoders_they_are_not_the_papers_method(tmp_path: Path) -> None:
    grid = Grid.model_validate(
        {
            "name": "toy",
            "corpus": "rendered_scores",
            "size": "tiny",
            "strategies": {"simclr": {}, "mae": {}, "tokens": {"strategy": "mae", "encoders": ["vit"]}},
            "encoders": ["cnn_small"],
            "tasks": ["key"],
            "fractions": {1.0: 1},
            "probes": ["linear"],
            "seeds": [0, 1],
            "pretrain": {"crops": 640},
        }
    )
    run = Run.model_validate(record(grid, {}, Stores(tmp_path, tmp_path), Report()))
    assert {name: note.variants for name, note in run.strategies.items()} == {
        "simclr": {},
        "mae": {"cnn_small": "CNN masking"},
        "tokens": {},
    }
    assert (run.variant("mae", "cnn_small"), run.variant("tokens", "vit")) == ("CNN masking", "")
    assert (run.strategy("tokens").method, run.strategy("tokens").seeds) == ("mae", 2)
    assert run.settings["encoders"] == "cnn_small, vit"
