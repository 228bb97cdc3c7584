"""What `smoke` claims, held to its own leaderboard (minutes: pytest -m long)."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

TASKS = ("instrument", "key", "metre", "beat")


@pytest.fixture(scope="module")
def smoke(cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Results and data of the README's command."""
    out, data = tmp_path_factory.mktemp("smoke"), tmp_path_factory.mktemp("smoke-data")
    done = cli("run", "--grid", "smoke", "--out", str(out), "--data-dir", str(data), timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, data


@pytest.fixture(scope="module")
def linear(smoke: tuple[Path, Path]) -> pd.DataFrame:
    """Main metrics of the linear probe, by (strategy, task, fraction)."""
    table = pd.read_csv(smoke[0] / "leaderboard.csv")
    return table[(table["probe"] == "linear") & table["main"]].set_index(["strategy", "task", "fraction"]).sort_index()


def test_simclr_beats_the_untrained_encoder(linear: pd.DataFrame) -> None:
    def wins(task: str) -> bool:
        return all(
            linear.loc[("simclr", task, fraction), "low"] > linear.loc[("random", task, fraction), "high"]
            for fraction in (0.1, 1.0)
        )

    assert wins("key"), linear.loc[["simclr", "random"], ["mean", "low", "high"]].to_string()


def test_mfcc_is_a_real_contestant(linear: pd.DataFrame) -> None:
    for task in TASKS:
        assert linear.loc[("mfcc", task, 1.0), "low"] > linear.loc[("constant", task, 1.0), "high"], task


def test_nothing_has_collapsed(smoke: tuple[Path, Path]) -> None:
    trained = json.loads((smoke[0] / "run.json").read_text())["pretraining"]
    assert {p["strategy"] for p in trained} == {"simclr", "byol"}
    for p in trained:
        print({k: p[k] for k in ("strategy", "loss", "std", "effective_rank", "mean_cosine")})
        assert not p["collapsed"]


def test_nothing_is_left_to_do(cli, smoke: tuple[Path, Path]) -> None:
    out, data = smoke
    before = (out / "scores.parquet").stat().st_mtime_ns
    again = cli("run", "--grid", "smoke", "--out", str(out), "--data-dir", str(data))
    assert again.returncode == 0
    assert "finished" not in again.stdout + again.stderr
    assert (out / "scores.parquet").stat().st_mtime_ns == before
