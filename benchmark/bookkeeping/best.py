"""Which checkpoints of a results folder are worth their bytes where not all can be carried."""

from __future__ import annotations

from pathlib import Path

from benchmark.bookkeeping.upkeep import Address
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import load_run
from benchmark.leaderboard.statistics import stats
from benchmark.store.artefacts import Store

_CHECKPOINT = ["strategy", "encoder", "seed"]


def best_checkpoints(folder: Path, store: Store, room: float) -> list[str]:
    """Keys of the pre-trained checkpoints that score best and have room together, the best first.

    A checkpoint is ranked among all of them on each task's main metric, in each setting (fraction, probe); the order
    is that of the mean of its ranks. Where it has no score it counts as the last.

    Args:
        folder: of results, with the tables of its last run.
        store: of its artefacts.
        room: bytes.

    Raises:
        UserError: there are no tables, or by a version that did not say which checkpoint a score is of.
    """
    run, fits = load_run(folder), list[str]()
    keys = {(job.strategy, job.encoder, job.seed): job.key for job in run.pretraining}
    if not (keys and all(keys.values())):
        raise UserError(f"{folder}/run.json does not name the checkpoints: run the grid again, which rewrites it")
    for name in _best_first(folder):
        size = _size(store, keys[name]) if name in keys and keys[name] not in fits else None
        if size is not None and size <= room:
            fits.append(keys[name])
            room -= size
    return fits


def _best_first(folder: Path) -> list[tuple[str, str, int]]:
    """(strategy, encoder, seed) of all rows with scores, best first."""
    run, scores = load_run(folder), stats.load_scores(folder)
    main = scores[scores["metric"] == scores["task"].map(lambda task: run.task(task).metric)]
    up = main["task"].map(lambda task: 1.0 if run.task(task).higher_is_better else -1.0)
    named = main.assign(value=main["value"] * up, seed=main["seed"].astype(int))
    table = named.pivot_table("value", _CHECKPOINT, ["task", "fraction", "probe"])
    order = table.rank(ascending=False, na_option="bottom").mean(axis=1).sort_values(kind="stable")
    return [(strategy, encoder, int(seed)) for strategy, encoder, seed in order.index]


def _size(store: Store, key: str) -> float | None:
    """Bytes of a checkpoint's files; None if it is not there."""
    at = Address("pretrain", key)
    return sum(file["bytes"] for file in store.manifest(*at)["files"].values()) if store.is_done(*at) else None
