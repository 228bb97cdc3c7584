"""From scored artefacts to what people read: one table, the run's record, the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.files import replacing
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.jobs import Stores
from benchmark.scheduler.record import SCORED, record
from benchmark.scheduler.store import MANIFEST, Store
from benchmark.scheduler.walk import Job, Report

if TYPE_CHECKING:
    import pandas as pd

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
    probes = [job for job in jobs.values() if job.kind in SCORED and stores.done(job)]
    stamp = {"grid": grid.model_dump(mode="json"), "keys": sorted(job.key for job in probes)}
    stamp["failed"] = sorted(f.job.key for f in report.failed)
    state = out / "collected.json"
    if state.is_file() and json.loads(state.read_text()) == json.loads(json.dumps(stamp)) and _complete(out):
        return
    scores = _scores([stores.out.open(job.kind, job.key) for job in probes])
    _write(out / "run.json", json.dumps(record(grid, jobs, stores, report), indent=1))
    if scores is None:
        return
    with replacing(out / "scores.parquet") as draft:
        scores.to_parquet(draft, index=False)
    if _page(out):
        _write(state, json.dumps(stamp))


def gather(out: Path) -> None:
    """Write `scores.parquet` from all scored artefacts in a results folder, such as were imported from elsewhere.

    Raises:
        UserError: there are none.
    """
    store = Store(out)
    found = [path.parent for kind in SCORED for path in sorted((out / kind).glob(f"*/*/{MANIFEST}"))]
    scores = _scores([store.open(folder.parent.parent.name, folder.name) for folder in found])
    if scores is None:
        raise UserError(f"{out}: no scores.parquet, and no artefacts to make it of")
    with replacing(out / "scores.parquet") as draft:
        scores.to_parquet(draft, index=False)


def _page(out: Path) -> bool:
    """Build the page, unless this machine lacks what draws it."""
    try:
        from benchmark.leaderboard.page import build

        build(out)
    except ModuleNotFoundError as error:
        print(f"no page: {error.name} is not installed here; 'report' makes it on another machine", file=sys.stderr)
        return False
    return True


def _complete(out: Path) -> bool:
    return all((out / name).is_file() for name in ("scores.parquet", "leaderboard.html", "leaderboard.csv", "run.json"))


def _scores(folders: list[Path]) -> pd.DataFrame | None:
    import pandas as pd

    if not folders:
        return None
    tables = [pd.read_parquet(folder / "scores.parquet") for folder in folders]
    scores = pd.concat(tables, ignore_index=True)
    order = [
        *FIRST,
        "probe",
        "corruption",
        "severity",
        "metric",
        "value",
        "test_stderr",
        "n_train",
        "n_val",
        "n_test",
        "key",
    ]
    rest = [column for column in scores.columns if column not in order]
    by = ["strategy", "encoder", "task", "fraction", "resample", "seed", "probe", "corruption", "severity", "metric"]
    return scores[order + rest].sort_values(by, kind="stable").reset_index(drop=True)


def _write(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
