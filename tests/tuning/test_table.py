"""What a search leaves behind: rows of other searches stay, whatever became of their trials."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark.scheduler.grid_files import load, narrow
from benchmark.tuning import table
from benchmark.tuning.trials import Trial

SETTING = {"temperature": 0.1}


def test_a_later_search_keeps_the_rows_of_an_earlier_one_also_what_failed(tmp_path: Path) -> None:
    grid = load("tune")
    assert grid.search is not None
    rungs = grid.search.model_copy(update={"rungs": {125_000: 2, 250_000: 1}})
    grid = grid.model_copy(update={"search": rungs})
    lost = Trial("vicreg", 1, SETTING, 125_000, error="1 of 4 jobs failed, the first: None")
    kept = Trial("vicreg", 0, SETTING, 125_000, {"key": 0.5, "tempo": 0.25}, goes_on=True)
    table.write(tmp_path, narrow(grid, ["vicreg"]), [kept, lost])
    for mean in (0.3, 0.6):  # the second takes the place of the first
        table.write(tmp_path, narrow(grid, ["byol"]), [Trial("byol", 0, SETTING, 250_000, {"key": mean}, goes_on=True)])
    read = pd.read_csv(tmp_path / table.TRIALS, keep_default_na=False)
    assert read[["row", "setting", "mean", "chosen"]].to_numpy().tolist() == [
        ["byol", 0, "0.6", True],
        ["vicreg", 0, "0.375", False],
        ["vicreg", 1, "", False],
    ]
    shown = (tmp_path / table.PAGE).read_text()
    assert "| **0** | **250,000** | **0.1** | **0.600** | **0.600** |" in shown
    assert "| 0 | 125,000 | 0.1 | 0.500 | 0.250 | 0.375 |" in shown
    assert "| 1 | 125,000 | 0.1 | 1 of 4 jobs failed, the first: None |" in shown


def test_the_published_page_is_that_of_the_published_trials() -> None:
    folder = Path(__file__).resolve().parents[2] / "results" / "tune"
    grid = load("tune")
    assert (folder / table.PAGE).read_text() == table.page(grid, table.read(folder / table.TRIALS))
