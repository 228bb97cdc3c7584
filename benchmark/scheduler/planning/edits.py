"""Which of our own entries a grid uses that are edited: their versions do not say what they are."""

from __future__ import annotations

from typing import Any

from benchmark import own_code, registry
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.keys import ENGINE, engine_source
from benchmark.scheduler.planning.rows import rows


def version_of(axis: registry.Registry[Any], name: str) -> int | str:
    """The version of an entry; of one of ours that is edited, with what tells this code from any other."""
    version = axis.get(name).info.version
    return f"{version}, edited {axis.source_hash(name)[:8]}" if axis.edits(name) else version


def engines() -> dict[str, int | str]:
    """The version of each kind of job, likewise."""
    sources = {kind: engine_source(kind).get("engine_source", "") for kind in ENGINE}
    return {
        kind: f"{ENGINE[kind]}, edited {source[:8]}" if source else ENGINE[kind] for kind, source in sources.items()
    }


def used(grid: Grid) -> dict[str, set[str]]:
    """Names of what a grid's scores depend on beside the engine and the corpora, by axis."""
    return {
        "strategies": {row.strategy for row in rows(grid)},
        "encoders": {encoder for row in rows(grid) for encoder, _ in row.checkpoints(grid)},
        "tasks": set(grid.tasks),
    }


def words_of_edits(grid: Grid) -> list[str]:
    """What a run with code that is not as recorded says: nothing, as a rule."""
    corpora = {*grid.corpora, *(registry.tasks.get(name).corpus for name in grid.tasks)}
    found: dict[str, list[str]] = {}
    for axis, names in {**used(grid), "corpora": corpora}.items():
        of: registry.Registry[Any] = getattr(registry, axis)
        for name in sorted(names):
            for file in of.edits(name):
                found.setdefault(file, []).append(name)
    for file in own_code.edits_in(*own_code.ROOMS):
        found.setdefault(file, []).append("the engine")
    if not found:
        return []
    files = "; ".join(f"{file} ({', '.join(dict.fromkeys(names))})" for file, names in sorted(found.items()))
    return [f"not as released, so that what depends on it has results of its own: {files}"]
