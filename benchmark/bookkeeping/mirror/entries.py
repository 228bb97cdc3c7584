"""An artefact as the MLflow mirror shows it: a pure function of what is stored.

Params are the job's specification, nested names joined by dots. Metrics are the numbers of its manifest (curves by
step), and METRIC/PROBE/FRACTION/RESAMPLE[/CORRUPTION/SEVERITY] for each row of its scores table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.bookkeeping.record import SCORED
from benchmark.store.artefacts import MANIFEST, Store

MIRRORED = ("pretrain", *SCORED)
#: longer values are cut: some servers take no more
_SHORT = 250


@dataclass(frozen=True)
class Entry:
    """A child run: metrics are (name, value, step), times are milliseconds since 1970."""

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: list[tuple[str, float, int]]
    start: int
    end: int


def entry(store: Store, kind: str, key: str) -> Entry:
    """What the mirror says of an artefact, whenever it is asked."""
    manifest, folder = store.manifest(kind, key), store.folder(kind, key)
    spec, info = manifest["spec"], manifest["info"]
    metrics = [*_measured(info), *(_scores(folder) if kind in SCORED else ())]
    end = int((folder / MANIFEST).stat().st_mtime * 1000)
    start = end - int(info.get("job_seconds", 0) * 1000)
    return Entry(_name(spec), {"job_key": key, "kind": kind}, dict(_params(spec)), metrics, start, end)


def _name(spec: dict[str, Any]) -> str:
    name = f"{spec['kind']} {spec['strategy']} {spec['encoder']} seed {spec['seed']}"
    task = f" on {spec['task']}" if "task" in spec else ""
    subset = f", {spec['fraction']:g} #{spec['resample']}" if "fraction" in spec else ""
    on_the_way = f" at {spec['share']:g}" if "share" in spec else ""
    return name + on_the_way + task + subset


def _params(spec: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in spec.items():
        if isinstance(value, dict):
            yield from _params(value, f"{prefix}{name}.")
        else:
            # a server refuses an empty text: it becomes ""
            text = value if isinstance(value, str) and value else json.dumps(value)
            yield _plain(prefix + name), text[:_SHORT]


def _measured(info: dict[str, Any]) -> Iterator[tuple[str, float, int]]:
    """The numbers of a manifest; the points of a curve are spread evenly over the steps."""
    last = max(0, info.get("steps", 1) - 1)
    for name, value in info.items():
        points = value if isinstance(value, list) else [value]
        if all(isinstance(point, int | float) for point in points):
            for at, point in enumerate(points):
                yield _plain(name), float(point), at * last // max(1, len(points) - 1)


def _scores(folder: Path) -> Iterator[tuple[str, float, int]]:
    import pandas as pd

    for row in pd.read_parquet(folder / "scores.parquet").to_dict("records"):
        parts = [row["metric"], row["probe"], f"{row['fraction']:g}", row["resample"]]
        if row.get("corruption"):
            parts += [row["corruption"], row["severity"]]
        yield _plain("/".join(map(str, parts))), float(row["value"]), 0


def _plain(name: str) -> str:
    """A name in the characters that MLflow allows."""
    return re.sub(r"[^\w/.\- :]", "_", name)
