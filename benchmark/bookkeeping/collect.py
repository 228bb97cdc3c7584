"""From scored artefacts to what people read: one table, the run's record, the page."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchmark.bookkeeping.against import Against
from benchmark.bookkeeping.budgets import with_shares
from benchmark.bookkeeping.record import SCORED, record
from benchmark.bookkeeping.tables import NAMES, RECORD, sha256, write_record, write_tables
from benchmark.files import read_json, replacing
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.rows import rows
from benchmark.scheduler.walk import Report
from benchmark.store.artefacts import KEY, MANIFEST, Store
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


def collect(
    grid: Grid, jobs: dict[str, Job], stores: Stores, report: Report, out: Path, against: Against | None = None
) -> None:
    """Write `scores.parquet`, `run.json` and the page into the results folder, if anything changed.

    Where nothing is scored, what an earlier run has left there stays as it is, record and all, and the report says so.

    Args:
        grid: what was asked for.
        jobs: all of it.
        stores: where the artefacts are.
        report: how it went.
        out: the results folder.
        against: whose rows stand beside those of this run.
    """
    there = {job.key for job in report.skipped}  # nothing needs a scored job: it was skipped since it stands
    probes = [job for job in jobs.values() if job.kind in SCORED and (job.key in there or stores.done(job))]
    stamp: dict[str, Any] = {"grid": grid.model_dump(mode="json"), "keys": sorted(job.key for job in probes)}
    stamp["failed"] = sorted(f.job.key for f in report.failed)
    stamp["against"] = against.record if against else None
    state = out / COLLECTED
    if _complete(out) and read_json(state) == json.loads(json.dumps({**stamp, "tables": _sums(out)})):
        return
    if not probes and (out / NAMES[0]).is_file():
        report.stale = True
        return
    told = record(grid, jobs, stores, report)
    if not probes:
        write_record(told, out)
        return
    others = against.tables(grid, {row.name for row in rows(grid)}) if against else {}
    if against:
        told = against.told(told, set(others[NAMES[0]]["strategy"]))
    budgets = grid.budgets or [grid.pretrain.crops]
    write_tables(_tables(stores.results, [(job.kind, job.key) for job in probes], others, budgets), out, told)
    stamp["tables"] = _sums(out)
    if _page(out):
        _write(state, json.dumps(stamp))


def gather(folder: Path, out: Path) -> list[str]:
    """Write the tables from all scored artefacts in a results folder, such as were imported from elsewhere, into `out`.

    Returns:
        Those that are damaged: they are left out, and left there.

    Raises:
        UserError: there are none.
    """
    store = Store(folder)
    paths = [path.parent for kind in SCORED for path in sorted((folder / kind).glob(f"*/*/{MANIFEST}"))]
    found = [(path.parent.parent.name, path.name) for path in paths if KEY.fullmatch(path.name)]
    is_sound = {at: store.check(*at) for at in found}
    sound = [at for at in found if is_sound[at]]
    if not sound and not (folder / NAMES[0]).is_file():
        damage = f", and all {len(found)} artefacts are damaged" if found else ", and no artefacts to make it of"
        raise UserError(f"{folder}: no {NAMES[0]}{damage}")
    if sound:
        write_tables(_tables(store, sound), out)
    return [f"{kind} {key[:12]}" for kind, key in found if not is_sound[kind, key]]


def _page(out: Path) -> bool:
    """Build the page, unless this machine lacks what draws it."""
    try:
        from benchmark.leaderboard.page.html import build

        build(out)
    except ModuleNotFoundError as error:
        print(f"no page: {error.name} is not installed here; 'report' makes it on another machine", file=sys.stderr)
        return False
    return True


def _sums(out: Path) -> dict[str, str]:
    """Of the tables: a stamp must not vouch for what another run, a kill in this one, or a bad disk has left."""
    return {name: sha256(out / name) for name in (*NAMES, RECORD)}


def _complete(out: Path) -> bool:
    names = ("scores.parquet", "draws.parquet", "leaderboard.html", "leaderboard.csv", "run.json")
    return all((out / name).is_file() for name in names)


def _tables(
    store: Store,
    scored: list[tuple[str, str]],
    others: Mapping[str, pd.DataFrame] = MappingProxyType({}),
    budgets: Collection[float] = (),
) -> dict[str, pd.DataFrame]:
    """The scores, and the main metrics on resampled test sets, of all artefacts together: of what their manifests list.

    Args:
        store: where they are.
        scored: kind and key of each.
        others: rows of such tables from elsewhere, by table.
        budgets: crops of all trainings, where the grid is known.

    Raises:
        CorruptArtefact: one is damaged.
    """
    import pandas as pd

    folders = [(store.open(*at), store.manifest(*at)["files"]) for at in scored]
    found = {}
    for name, order in zip(NAMES, (_ordered, _in_short), strict=True):
        paths = [folder / name for folder, files in folders if name in files]  # snapshots on the way have no draws
        tables = [*map(pd.read_parquet, paths), *([others[name]] if name in others else [])]
        found[name] = order(with_shares(pd.concat(tables, ignore_index=True), budgets))
    return found


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
