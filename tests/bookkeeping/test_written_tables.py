"""The tables of a results folder: a bit that has flipped is noticed, and a kill between two files is no damage."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.forked import quick

from benchmark.bookkeeping.tables import NAMES, check_tables, write_tables
from benchmark.interfaces import UserError
from benchmark.probing.evaluate import in_short


def made(value: float) -> dict[str, pd.DataFrame]:
    table = pd.DataFrame({"strategy": ["a", "b"], "value": [value, value / 3]})
    return {name: table.copy() for name in NAMES}


@pytest.mark.parametrize("rows", [0, 1, 500])
def test_draws_are_read_as_they_were_written_in_less_space(rows: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, rows), 2.0 ** rng.uniform(-8, -5, rows)
    draws = [in_short(rng.normal(mean, spread, 100)).astype("float32") for mean, spread in zip(*scores, strict=True)]
    for values in draws[:1]:
        values[7] = np.nan  # where a metric is undefined
    table = pd.DataFrame({"strategy": ["a"] * rows, "draws": draws})
    write_tables({"draws.parquet": table}, tmp_path)
    read = pd.read_parquet(tmp_path / "draws.parquet")
    assert list(read["strategy"]) == ["a"] * rows
    for one, other in zip(read["draws"], draws, strict=True):
        np.testing.assert_array_equal(one, other)
    if rows == 500:
        table.to_parquet(tmp_path / "plain.parquet", index=False, compression="zstd")
        sizes = [(tmp_path / f"{name}.parquet").stat().st_size for name in ("draws", "plain")]
        assert sizes[0] < 0.9 * sizes[1]


def test_every_flipped_bit_is_noticed_whatever_the_table_then_reads_as(tmp_path: Path) -> None:
    write_tables(made(0.5), tmp_path, {"grid": "toy"})
    check_tables(tmp_path)
    dice = random.Random(0)
    for name in NAMES:
        whole = (tmp_path / name).read_bytes()
        for _ in range(50):
            data = bytearray(whole)
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            (tmp_path / name).write_bytes(data)
            with pytest.raises(UserError, match=rf"{name}: has changed since it was written"):
                check_tables(tmp_path)
        (tmp_path / name).write_bytes(whole)
    check_tables(tmp_path)


@pytest.mark.parametrize("killed_before", range(3))
def test_a_kill_while_they_are_written_leaves_nothing_that_counts_as_damaged(
    killed_before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(made(0.5), tmp_path, {"grid": "old"})
    real, renamed = os.replace, []

    def killed(*paths: Path) -> None:
        if len(renamed) == killed_before:
            raise KeyboardInterrupt
        renamed.append(paths)
        real(*paths)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_tables(made(0.25), tmp_path, {"grid": "new"})
    check_tables(tmp_path)
    monkeypatch.setattr(os, "replace", real)
    write_tables(made(0.125), tmp_path, {"grid": "newer"})
    check_tables(tmp_path)


@pytest.mark.parametrize("record", ["", "[1]", "{}", '{"tables": 1}', '{"tables": {"scores.parquet": 1}}'])
def test_without_a_record_there_is_nothing_to_compare_with(record: str, tmp_path: Path) -> None:
    write_tables(made(0.5), tmp_path)
    (tmp_path / "run.json").write_text(record)
    check_tables(tmp_path)


@pytest.fixture
def results(tiny_run: Path, tmp_path: Path) -> Path:
    for name in (*NAMES, "run.json"):
        (tmp_path / "results").mkdir(exist_ok=True)
        shutil.copy(tiny_run / name, tmp_path / "results")
    return tmp_path / "results"


def test_report_refuses_a_table_that_has_changed(results: Path) -> None:
    table = pd.read_parquet(results / "scores.parquet")
    table.loc[0, "value"] += 1e-9
    table.to_parquet(results / "scores.parquet", index=False, compression="zstd")
    done = quick("report", str(results))
    assert done.returncode == 2
    assert f"{results}/scores.parquet: has changed since it was written" in " ".join(done.stderr.split())
    assert not (results / "leaderboard.html").exists()


def test_report_to_another_folder_leaves_the_first_as_it_is(results: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in results.iterdir()}
    out = tmp_path / "elsewhere" / "page"
    done = quick("report", str(results), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out / "leaderboard.html")
    assert {path: path.read_bytes() for path in results.iterdir()} == before
    assert json.loads((out / "run.json").read_text())["grid"] == "tiny"
