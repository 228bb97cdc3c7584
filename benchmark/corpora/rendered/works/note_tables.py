"""Works as two tables: what is kept of them between reading and rendering, and what a pack is made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmark.corpora.rendered.works.work import Work

#: everything about works but their notes, a row each
Heads = list[dict[str, Any]]


def flat(works: Sequence[Work]) -> tuple[Heads, pd.DataFrame]:
    """All notes in one table, which says of each whose it is: thousands of small tables are slow to write or send."""
    notes = pd.concat([work.notes for work in works], ignore_index=True)
    notes["work"] = np.repeat([work.work for work in works], [len(work.notes) for work in works])
    return [{k: v for k, v in vars(work).items() if k != "notes"} for work in works], notes


def works_of(heads: Heads, notes: pd.DataFrame) -> list[Work]:
    """The works again, in the order of their heads."""
    tables = _by_work(notes)
    return [Work(**head, notes=tables[head["work"]]) for head in heads]


def save_notes(works: Sequence[Work], folder: Path) -> None:
    """Write the works needed to render, as two Parquet tables."""
    heads, notes = flat(works)
    notes.to_parquet(folder / "notes.parquet", index=False, compression="zstd")
    # of some there is no tonic, which must not make floats of the others
    pd.DataFrame(heads).astype({"tonic": "Int64"}).to_parquet(folder / "works.parquet", index=False)


def load_notes(folder: Path, names: set[str] | None = None) -> dict[str, Work]:
    """Read the works called `names` back, or all, in the order in which they were saved."""
    heads: Heads = pq.read_table(folder / "works.parquet").to_pylist()  # pandas turns None into NaN
    chosen = [
        {**head, "signature": tuple(int(n) for n in head["signature"])}
        for head in heads
        if names is None or head["work"] in names
    ]
    only = None if names is None else [("work", "in", names)]
    return {w.work: w for w in works_of(chosen, pd.read_parquet(folder / "notes.parquet", filters=only))}


def _by_work(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The notes of each work, which stand together: ten times as fast as grouping."""
    names = table["work"].to_numpy()
    table = table.drop(columns="work")
    starts = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]])[: len(names)])
    return {names[a]: table.iloc[a:b] for a, b in pairwise([*starts.tolist(), len(names)])}
