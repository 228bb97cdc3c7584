"""What the scores say: a mean with its interval per cell, who cannot be told from the best, ranks over tasks.

A *cell* is all runs (label draws x pre-training seeds) of one strategy on one task at one label fraction,
read by one probe and one metric. Everything here is a pure function of the scores table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics.student import student
from benchmark.leaderboard.statistics.uncertainty import of_rows
from benchmark.leaderboard.statistics.variance import bound, cube, groups_of

#: one row of the leaderboard: configurations are never mixed
ENTRY = ["strategy", "encoder", "pretrain_corpus"]
#: one cell; its runs differ only in the label draw (`resample`) and the pre-training `seed`
CELL = [*ENTRY, "task", "fraction", "probe", "metric"]
#: one run of a cell
RUN = ["resample", "seed"]
#: one column of the leaderboard: cells that are compared
COLUMN = ["task", "fraction", "probe", "metric"]
#: what every scores table has, beside `test_stderr`
NAMES = [*ENTRY, "task", "corpus", "split_hash", "probe", "metric"]
NUMBERS = ["fraction", "resample", "seed", "value", "n_train", "n_test"]


def load_scores(folder: Path) -> pd.DataFrame:
    """Read and check `folder/scores.parquet`, with the bootstrap draws of `folder/draws.parquet` where there are any.

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
        return prepare(read_scores(folder))
    except (OSError, ValueError, pa.ArrowException, UserError) as error:
        raise UserError(f"{path} is not a usable scores table: {error}; run the grid again to rewrite it") from error


def read_scores(folder: Path) -> pd.DataFrame:
    """`scores.parquet` as it is, all conditions, with bootstrap draws beside the scores if the run stored them.

    Raises:
        UserError: two rows of draws for one run.
    """
    scores, path = pd.read_parquet(folder / "scores.parquet"), folder / "draws.parquet"
    if not path.is_file():
        return scores
    draws = _shared(pd.read_parquet(path))
    if draws.duplicated([*CELL, *RUN, "share"]).any():
        raise UserError(f"{path} has two rows for one run; run the grid again to rewrite it")
    return with_draws(scores, draws)


def with_draws(scores: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Put the bootstrap draws of the main metrics (`draws.parquet`) beside the clean scores that they belong to."""
    keys = [*CELL, *RUN, "share"]
    clean = scores.get("severity", pd.Series(0, index=scores.index)).fillna(0) == 0
    found = _shared(draws)[[*keys, "draws", "groups"]]
    known = _shared(scores).merge(found, on=keys, how="left", validate="many_to_one")
    known = known.set_axis(scores.index)
    return scores.assign(draws=known["draws"].where(clean, None), groups=known["groups"])


def _shared(table: pd.DataFrame) -> pd.DataFrame:
    """With the share of the main budget that each run is of: all of it, where nothing is said."""
    return table.assign(share=table["share"].fillna(1.0) if "share" in table else 1.0)


def planned(table: pd.DataFrame, run: Run) -> pd.Series:
    """Of each line of a scores table, how many its cell should have; 0 if nobody says."""
    asked = table[["strategy", "fraction"]].assign(crops=table.get("crops", np.nan))
    cells = asked.drop_duplicates()
    counts = [run.planned_runs(*cell) for cell in cells.itertuples(index=False, name=None)]
    return asked.merge(cells.assign(planned=counts), how="left")["planned"].set_axis(table.index)


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
    table["draws"], table["groups"] = table.get("draws"), table.get("groups", np.nan)
    for name in [*NUMBERS, "test_stderr"]:
        try:
            table[name] = pd.to_numeric(table[name]).astype(float)
        except (TypeError, ValueError) as error:
            raise UserError(f"column {name} is not numeric ({error})") from error
    table["fraction"] = table["fraction"].round(6)
    _check_comparable(table)
    return table


def _check_comparable(table: pd.DataFrame) -> None:
    run = [*CELL, *RUN]
    if table.duplicated(run).any():
        first = table.loc[table.duplicated(run), run].iloc[0]
        raise UserError(f"two rows for one run ({', '.join(f'{k}={v}' for k, v in first.items())})")
    draw = ["task", "fraction", "resample", "seed"]
    splits = table.groupby(draw)["split_hash"].nunique()
    if (splits > 1).any():
        task = splits.index[splits > 1][0][0]
        raise UserError(f"task {task!r} was scored on different splits (split_hash): such rows cannot be compared")


def summarize(scores: pd.DataFrame, fixed: Collection[str] = ()) -> pd.DataFrame:
    """Summarize each cell of the scores table.

    Args:
        scores: the result of `prepare`.
        fixed: strategies that have nothing to seed.

    Returns:
        One row per cell, sorted: the columns of `CELL`, `mean`, `half_width` (95 %, after `uncertainty.of_rows`),
        `low`, `high`, `runs`, `seeds`, `lone` (one seed, where another would change the score), `n_train`, `n_test`
        (means over runs). A cell with a run that is not a finite number is missing (NaN): leaving that run out would
        flatter a strategy that diverges.
    """
    table = scores.groupby(CELL, as_index=False).agg(
        runs=("value", "size"), seeds=("seed", "nunique"), n_train=("n_train", "mean"), n_test=("n_test", "mean")
    )
    cell = pd.MultiIndex.from_frame(table[CELL]).get_indexer(pd.MultiIndex.from_frame(scores[CELL]))
    found = np.full((len(table), 3), np.nan)
    for _, part in scores.assign(cell=cell).groupby(COLUMN):
        at, row = np.unique(part["cell"], return_inverse=True)
        unseeded = table["strategy"].iloc[at].isin(list(fixed)).to_numpy()
        judged = of_rows(cube(part, row, len(at)), groups_of(part), bound(part, row, len(at)), unseeded)
        half = np.where(np.isfinite(judged.mean), student(judged.mean, judged.parts).half_width, np.nan)
        found[at] = np.transpose([judged.mean, half, judged.lone])
    table["mean"], table["half_width"], table["lone"] = found[:, 0], found[:, 1], found[:, 2] == 1
    table["low"], table["high"] = table["mean"] - table["half_width"], table["mean"] + table["half_width"]
    return table


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
