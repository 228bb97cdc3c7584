"""What the scores say: a mean with its interval per cell, who cannot be told from the best, ranks over tasks.

A *cell* is all runs (label draws x pre-training seeds) of one strategy on one task at one label fraction,
read by one probe and one metric. Everything here is a pure function of the scores table.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from benchmark.interfaces import UserError
from benchmark.leaderboard.statistics.student import satterthwaite

Mark = Literal["best", "tied", "", "missing"]

#: one row of the leaderboard: configurations are never mixed
ENTRY = ["strategy", "encoder", "pretrain_corpus"]
#: one cell; its runs differ only in the label draw (`resample`) and the pre-training `seed`
CELL = [*ENTRY, "task", "fraction", "probe", "metric"]
#: what every scores table has, beside `test_stderr`
NAMES = [*ENTRY, "task", "corpus", "split_hash", "probe", "metric"]
NUMBERS = ["fraction", "resample", "seed", "value", "n_train", "n_test"]
#: the two-sided 95% quantile of the normal distribution
Z = 1.96


def load_scores(folder: Path) -> pd.DataFrame:
    """Read and check `folder/scores.parquet`.

    Raises:
        UserError: it is absent, unreadable, lacks a column, or mixes what cannot be compared.
    """
    path = folder / "scores.parquet"
    if not path.is_file():
        raise UserError(
            f"{path} does not exist, so there is nothing to report; give the output folder of a run, "
            f"or make one: python -m benchmark run --grid smoke --out {folder}"
        )
    try:
        return prepare(pd.read_parquet(path))
    except (OSError, ValueError, pa.ArrowException, UserError) as error:
        raise UserError(f"{path} is not a usable scores table: {error}; run the grid again to rewrite it") from error


def prepare(scores: pd.DataFrame) -> pd.DataFrame:
    """Check a scores table and bring its columns to one type each.

    Raises:
        UserError: a column is absent or of the wrong type, or rows of one comparison do not belong together.
    """
    if "severity" in scores:  # corrupted test audio is another question
        scores = scores[scores["severity"].fillna(0) == 0]
    if "share" in scores:  # and so is an encoder on the way
        scores = scores[scores["share"].fillna(1) == 1]
    absent = [name for name in [*NAMES, *NUMBERS] if name not in scores]
    if absent:
        raise UserError(f"it lacks the column(s) {', '.join(absent)}")
    table = scores.assign(**{name: scores[name].fillna("").astype(str) for name in NAMES})
    # Tables from before test_stderr was stored stay loadable: their intervals are unknown, not zero.
    table["test_stderr"] = table.get("test_stderr", np.nan)
    for name in [*NUMBERS, "test_stderr"]:
        try:
            table[name] = pd.to_numeric(table[name]).astype(float)
        except (TypeError, ValueError) as error:
            raise UserError(f"column {name} is not numeric ({error})") from error
    table["fraction"] = table["fraction"].round(6)
    _check_comparable(table)
    return table


def _check_comparable(table: pd.DataFrame) -> None:
    run = [*CELL, "resample", "seed"]
    if table.duplicated(run).any():
        first = table.loc[table.duplicated(run), run].iloc[0]
        raise UserError(f"two rows for one run ({', '.join(f'{k}={v}' for k, v in first.items())})")
    draw = ["task", "fraction", "resample", "seed"]
    splits = table.groupby(draw)["split_hash"].nunique()
    if (splits > 1).any():
        task = splits.index[splits > 1][0][0]
        raise UserError(f"task {task!r} was scored on different splits (split_hash): such rows cannot be compared")


def half_width(
    rms_stderr: ArrayLike, seed_spread: ArrayLike, seeds: ArrayLike, draw_spread: ArrayLike, draws: ArrayLike
) -> NDArray[np.float64]:
    """Half-width of the 95% interval of a mean over seeds crossed with label draws.

    `sqrt((1.96 rms_stderr)^2 + t^2 (v_s + v_d))`, where v_s = seed_spread^2 / seeds, v_d = draw_spread^2 / draws, and
    t is Student's .975 quantile at Satterthwaite's degrees of freedom, (v_s + v_d)^2 / (v_s^2 / (seeds - 1) +
    v_d^2 / (draws - 1)). All runs are scored on one test set, so its sampling error does not shrink with their
    number. A single seed (draw) shows no spread and adds nothing: nothing is pretended about what did not vary.

    Args:
        rms_stderr: root mean square over runs of the test set's standard error.
        seed_spread: standard deviation (ddof 1) of the means of the seeds; ignored where `seeds` is 1.
        seeds: number of pre-training seeds.
        draw_spread: standard deviation (ddof 1) of the means of the label draws; ignored where `draws` is 1.
        draws: number of label draws.

    Returns:
        Half-widths, in the metric's unit; NaN where `rms_stderr` is.
    """
    parts = []
    for spread, count in ((seed_spread, seeds), (draw_spread, draws)):
        n = np.asarray(count, dtype=np.float64)
        parts.append((np.where(n > 1, np.square(np.asarray(spread, dtype=np.float64)) / n, 0.0), n - 1))
    total, freedom = satterthwaite(parts)
    between = np.where(total > 0, stdtrit(freedom, 0.975) * np.sqrt(total), 0.0)
    return np.hypot(Z * np.asarray(rms_stderr, dtype=np.float64), between)


def summarize(scores: pd.DataFrame) -> pd.DataFrame:
    """Summarize each cell of the scores table.

    Returns:
        One row per cell, sorted: the columns of `CELL`, `mean`, `half_width`, `low`, `high`, `runs`, `seeds`,
        `n_train`, `n_test` (means over runs). A cell with a run that is not a finite number is missing (NaN):
        leaving that run out would flatter a strategy that diverges.
    """
    finite = scores["value"].where(np.isfinite(scores["value"]))
    runs = scores.assign(value=finite, variance=scores["test_stderr"] ** 2)
    table = runs.groupby(CELL, as_index=False).agg(
        mean=("value", "mean"),
        variance=("variance", "mean"),
        runs=("value", "size"),
        scored=("value", "count"),
        seeds=("seed", "nunique"),
        draws=("resample", "nunique"),
        n_train=("n_train", "mean"),
        n_test=("n_test", "mean"),
    )
    table.loc[table["scored"] < table["runs"], "mean"] = np.nan
    spread = {
        factor: runs.groupby([*CELL, factor])["value"].mean().groupby(CELL).std().to_numpy()
        for factor in ("seed", "resample")
    }
    width = half_width(np.sqrt(table["variance"]), spread["seed"], table["seeds"], spread["resample"], table["draws"])
    table["half_width"] = np.where(table["mean"].isna(), np.nan, width)
    table["low"] = table["mean"] - table["half_width"]
    table["high"] = table["mean"] + table["half_width"]
    return table.drop(columns=["variance", "scored", "draws"])


def marks(mean: ArrayLike, half: ArrayLike, higher_is_better: bool = True) -> list[Mark]:
    """Mark the best of a column and all that cannot be told from it.

    Args:
        mean: one mean per strategy, NaN where missing.
        half: half-widths of their intervals; an unknown one (NaN) rules nothing out.
        higher_is_better: direction of the metric.

    Returns:
        Per strategy `best` (exact ties share it), `tied` (its interval overlaps the interval of a best one),
        `missing` or "".
    """
    means = np.round(np.asarray(mean, dtype=np.float64), 12)
    halves = np.asarray(half, dtype=np.float64)
    present = ~np.isnan(means)
    if not present.any():
        return ["missing"] * len(means)
    top = np.max(means[present]) if higher_is_better else np.min(means[present])
    best = means == top
    reach = np.inf if np.isnan(halves[best]).any() else np.max(halves[best])
    overlaps = ~(np.abs(means - top) > np.nan_to_num(halves, nan=np.inf) + reach)
    return [
        "missing" if not p else "best" if b else "tied" if o else ""
        for p, b, o in zip(present, best, overlaps, strict=True)
    ]


def add_ranks(cells: pd.DataFrame, higher_is_better: Mapping[str, bool]) -> pd.DataFrame:
    """Rank strategies on each task's main metric, 1 = best, ties averaged.

    Args:
        cells: planned cells: `CELL`, `main` (is this the task's main metric?) and `mean`, NaN where missing.
        higher_is_better: direction of the main metric by task; up where a task is not listed.

    Returns:
        The cells with `rank` (among all scores of that task, fraction and probe) and `mean_rank` (over tasks,
        per fraction and probe). A strategy with a missing cell gets no mean rank; mean ranks are taken among
        the complete strategies only, so that a partial one shifts nobody.
    """
    main = cells[cells["main"]]
    sign = main["task"].map(lambda task: -1.0 if higher_is_better.get(task, True) else 1.0)
    order = main.assign(order=(sign * main["mean"]).round(12))
    column = ["task", "fraction", "probe"]
    row = [*ENTRY, "fraction", "probe"]
    complete = order.groupby(row)["mean"].transform("count") == order.groupby(row)["mean"].transform("size")
    whole = order[complete]
    mean_rank = whole.assign(r=whole.groupby(column)["order"].rank()).groupby(row)["r"].mean().rename("mean_rank")
    ranked = cells.assign(rank=order.groupby(column)["order"].rank())
    return ranked.merge(mean_rank.reset_index(), on=row, how="left")
