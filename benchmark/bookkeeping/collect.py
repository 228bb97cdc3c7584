"""From scored artefacts to what people read: one table, the run's record, the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.bookkeeping.budgets import with_shares
from benchmark.bookkeeping.record import SCORED, record
from benchmark.files import read_json, replacing
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.walk import Report
from benchmark.store.artefacts import MANIFEST, Store
from benchmark.store.job import Job, Stores

if TYPE_CHECKING:
    import pandas as pd

#: where a results folder says what its last run was
COLLECTED = "collected.json"
FIRST = (
    "strategy",
    "encoder",
    "pretrain_corpus",
    "task",
    "corpus",
    "split_hash",
    "fraction",
    "resample",
    "seed",
)


def collect(grid: Grid, jobs: dict[str, Job], stores: Stores, report: Report) -> None:
    """Write `scores.parquet`, `run.json` and the page into the results folder, if anything changed."""
    out = stores.out.root
    there = {job.key for job in report.skipped}  # nothing needs a scored job: it was skipped since it stands
    probes = [job for job in jobs.values() if job.kind in SCORED and (job.key in there or stores.done(job))]
    stamp = {"grid": grid.model_dump(mode="json"), "keys": sorted(job.key for job in probes)}
    stamp["failed"] = sorted(f.job.key for f in report.failed)
    state = out / COLLECTED
    if _complete(out) and read_json(state) == json.loads(json.dumps({**stamp, "tables": _tables(out)})):
        return
    _write(out / "run.json", json.dumps(record(grid, jobs, stores, report), indent=1))
    if not probes:
        return
    _write_tables([stores.out.open(job.kind, job.key) for job in probes], out)
    stamp["tables"] = _tables(out)
    if _page(out):
        _write(state, json.dumps(stamp))


def gather(out: Path) -> None:
    """Write the tables from all scored artefacts in a results folder, such as were imported from elsewhere.

    Raises:
        UserError: there are none.
    """
    found = [path.parent for kind in SCORED for path in sorted((out / kind).glob(f"*/*/{MANIFEST}"))]
    if not found and not (out / "scores.parquet").is_file():
        raise UserError(f"{out}: no scores.parquet, and no artefacts to make it of")
    if not found:
        return
    store = Store(out)
    _write_tables([store.open(folder.parent.parent.name, folder.name) for folder in found], out)


def _page(out: Path) -> bool:
    """Build the page, unless this machine lacks what draws it."""
    try:
        from benchmark.leaderboard.page.html import build

        build(out)
    except ModuleNotFoundError as error:
        print(f"no page: {error.name} is not installed here; 'report' makes it on another machine", file=sys.stderr)
        return False
    return True


def _tables(out: Path) -> dict[str, list[int]]:
    """Size and time of the tables: a stamp must not vouch for what another run, or a kill in this one, has left."""
    stats = {name: (out / name).stat() for name in ("scores.parquet", "draws.parquet", "run.json")}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _complete(out: Path) -> bool:
    names = ("scores.parquet", "draws.parquet", "leaderboard.html", "leaderboard.csv", "run.json")
    return all((out / name).is_file() for name in names)


def _write_tables(folders: list[Path], out: Path) -> None:
    """`scores.parquet`, and `draws.parquet`, the main metrics on resampled test sets, from all artefacts together."""
    import pandas as pd

    for name, order in (("scores", _ordered), ("draws", _in_short)):
        paths = [folder / f"{name}.parquet" for folder in folders]  # snapshots on the way have no draws
        table = with_shares(pd.concat([pd.read_parquet(path) for path in paths if path.is_file()], ignore_index=True))
        with replacing(out / f"{name}.parquet") as draft:
            order(table).to_parquet(draft, index=False, compression="zstd")


def _in_short(draws: pd.DataFrame) -> pd.DataFrame:
    """Sorted, in half the space: seven digits are more than a hundred draws are worth."""
    return _sorted(
        draws.drop(columns="crops").assign(draws=draws["draws"].map(lambda values: values.astype("float32")))
    )


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    by = [
        "strategy",
        "encoder",
        "task",
        "fraction",
        "resample",
        "seed",
        "probe",
        "corruption",
        "severity",
        "share",
        "metric",
    ]
    present = [column for column in by if column in table]
    return table.sort_values(present, kind="stable").reset_index(drop=True)


def _ordered(scores: pd.DataFrame) -> pd.DataFrame:
    order = [
        *FIRST,
        "probe",
        "corruption",
        "severity",
        "crops",
        "share",
        "metric",
        "value",
        "test_stderr",
        "n_train",
        "n_val",
        "n_test",
        "key",
    ]
    rest = [column for column in scores.columns if column not in order]
    return _sorted(scores[[*(column for column in order if column in scores), *rest]])


def _write(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
