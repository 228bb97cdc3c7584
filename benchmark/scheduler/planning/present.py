"""Which of a grid's tasks this disk has the data for: a grid that says `absent: skip` runs those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark import registry
from benchmark.corpora.datasets.dataset import Absent
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid


def present(grid: Grid) -> Grid:
    """The grid without the tasks whose data is not here, if it says so; it remembers which they were.

    Raises:
        UserError: none is left.
    """
    if grid.absent == "refuse":
        return grid
    tasks = {name: registry.tasks.get(name) for name in grid.tasks}
    here = [name for name, task in tasks.items() if _is_here(task)]
    if not here:
        raise UserError(_none_is_here(grid, tasks))
    left_out: dict[str, list[str]] = {}
    for name, task in tasks.items():
        if name not in here:
            left_out.setdefault(task.corpus, []).append(name)
    at = grid.snapshots.model_copy(update={"tasks": [name for name in grid.snapshots.tasks if name in here]})
    return grid.model_copy(update={"tasks": here, "left_out": left_out, "snapshots": at})


def words_of_left_out(grid: Grid) -> list[str]:
    """What a run on part of the data says of the rest: nothing where all is here."""
    if not grid.left_out:
        return []
    found = dict.fromkeys(registry.tasks.get(name).corpus for name in grid.tasks)
    rest = ", ".join(f"{corpus} ({', '.join(tasks)})" for corpus, tasks in grid.left_out.items())
    return [f"run on what is on this disk: {', '.join(found)}; left out, for their data is not here: {rest}"]


def _is_here(task: Any) -> bool:
    """Whether there is sound for a task, and some label; a data set that is damaged is not absent, but an error."""
    corpus = registry.corpora.get(task.corpus)()
    try:
        corpus.fingerprint()
        corpus.require(task.labels)
    except Absent:
        return False
    return True


def _none_is_here(grid: Grid, tasks: Mapping[str, Any]) -> str:
    corpora = dict.fromkeys(task.corpus for task in tasks.values())
    offered = ", ".join(name for name in corpora if getattr(registry.corpora.get(name), "sources", ()))
    how = f"'data get NAME' downloads some ({offered}); " if offered else ""
    return (
        f"{grid.name}: none of its data sets is here; say where they are: --data-home or MIR_DATA_HOME. "
        f"{how}'data list' says how to get each"
    )
