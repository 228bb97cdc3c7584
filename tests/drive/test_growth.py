"""`bench --growth`: what it says of runs whose growth is known."""

from pathlib import Path

import pandas as pd
import pytest

from benchmark.cli.measure import growth
from benchmark.scheduler.grid import Grid


def test_known_growth_is_found_beyond_what_an_idle_run_costs(tmp_path: Path) -> None:
    rows = [
        {"axis": axis, "amount": n, "seconds": 5 + 0.01 * n**power, "seconds_again": 5.0, "seconds_of_jobs": 0.02 * n}
        for axis, power in (("crops", 1.0), ("rows", 2.0))
        for n in (100, 200, 400)
    ]
    found = growth.summary(pd.DataFrame(rows)).set_index("axis")
    assert found["exponent"].to_dict() == {"crops": 1.0, "rows": 2.0}
    assert found["exponent_at_the_end"].to_dict() == {"crops": 1.0, "rows": 2.0}
    growth.write(pd.DataFrame(rows), tmp_path / "new")
    assert pd.read_csv(tmp_path / "new" / "growth.csv").shape == (6, 5)
    assert "crops^1.00" in (tmp_path / "new" / "growth.svg").read_text()


@pytest.mark.parametrize("axis", growth.points())
def test_every_point_is_a_grid(axis: str) -> None:
    steps = growth.points()[axis]
    assert [amount for amount, _ in steps] == sorted(amount for amount, _ in steps)
    for _, change in steps:
        Grid.model_validate({"name": "growth", **growth._GRID, **change})
