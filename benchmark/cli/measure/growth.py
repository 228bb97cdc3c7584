"""How the wall time of `run` grows with what it is given: crops, rows, tasks, hours of audio.

Each point is the command itself, started anew, with folders of its own but for the audio, which is rendered before
(and is an axis of its own). What a run costs that has nothing to do is taken off before exponents are fitted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmark import registry

#: a grid of one row, on two minutes of a core
_GRID: dict[str, Any] = {
    "corpus": "rendered_scores",
    "size": "tiny",
    "strategies": {"simclr": {}},
    "encoders": ["cnn_small"],
    "tasks": ["instrument", "key"],
    "fractions": {0.1: 3, 1.0: 1},
    "probes": ["linear"],
    "seeds": [0],
    "pretrain": {"crops": 8000, "batch_size": 64, "warmup_crops": 800},
}
_ROWS = ["simclr", "cola", "byol", "vicreg", "barlow_twins", "mae", "dino", "cpc"]
_TASKS = ["instrument", "key", "tempo", "dance", "metre", "beat", "voices", "mode"]
#: of the corpus, whose clips last 8 s
_SIZES = ("tiny", "small")


def points() -> dict[str, list[tuple[float, dict[str, Any]]]]:
    """By axis, how much of it there is, and what that changes in the grid."""
    pretrain, sizes = _GRID["pretrain"], registry.corpora.get(_GRID["corpus"]).sizes
    return {
        "crops": [(n, {"pretrain": {**pretrain, "crops": n}}) for n in (8000, 16000, 32000, 64000)],
        "rows": [(n, {"strategies": {name: {} for name in _ROWS[:n]}}) for n in (1, 2, 4, 8)],
        "tasks": [(n, {"tasks": _TASKS[:n]}) for n in (1, 2, 4, 8)],
        "hours": [(sizes[name] * 8 / 3600, {"size": name}) for name in _SIZES],
    }


def measure() -> pd.DataFrame:
    """Run every point: `axis`, `amount`, `seconds` of the run, of one after it with nothing to do, and of its jobs."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for axis, steps in points().items():
            for amount, change in steps:
                rows.append({"axis": axis, "amount": amount, **_point(Path(place), {**_GRID, **change}, axis)})
                print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def _point(place: Path, grid: dict[str, Any], axis: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as own:
        path, data = Path(own) / "grid.yaml", place / "data"
        path.write_text(yaml.safe_dump({"name": "growth", **grid}))
        if axis == "hours":  # rendering is what grows
            data = Path(own) / "data"
            (data / "packed").parent.mkdir(parents=True, exist_ok=True)
            if (place / "data" / "packed").is_dir():  # but tunes are read once
                (data / "packed").symlink_to(place / "data" / "packed")
        else:
            _run(path, data, Path(own) / "first", "--only", "join *")
        seconds = _run(path, data, Path(own) / "out")
        again = _run(path, data, Path(own) / "out")
        jobs = [json.loads(found.read_text()) for found in (Path(own) / "out").rglob("manifest.json")]
        return {
            "seconds": round(seconds, 2),
            "seconds_again": round(again, 2),
            # where it renders, most of its jobs' records are gone with the shards
            "seconds_of_jobs": np.nan if axis == "hours" else round(sum(job["info"]["job_seconds"] for job in jobs), 2),
        }


def _run(grid: Path, data: Path, out: Path, *options: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmark", "run", "--grid", str(grid), "--data-dir", str(data)]
    command += ["--out", str(out), "--store", str(out), "--no-mlflow", "--keep-embeddings", *options]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By axis: the exponent of the wall time beyond a run that has nothing to do, from all points and the last two."""
    rows = []
    for axis, part in table.groupby("axis", sort=False):
        x, y = np.log(part["amount"]), np.log((part["seconds"] - part["seconds_again"]).clip(lower=0.01))
        slots = len(os.sched_getaffinity(0))
        rows.append(
            {
                "axis": axis,
                "exponent": round(float(np.polyfit(x, y, 1)[0]), 2),
                "exponent_at_the_end": round(float(np.diff(y)[-1] / np.diff(x)[-1]), 2),
                "slots_x_wall_over_jobs": round(
                    float(slots * part["seconds"].iloc[-1] / part["seconds_of_jobs"].iloc[-1]), 2
                ),
                "again_seconds": round(float(part["seconds_again"].median()), 2),
            }
        )
    return pd.DataFrame(rows)


def write(table: pd.DataFrame, folder: Path) -> None:
    """`growth.csv` and `growth.svg`: wall time against each axis, both logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "growth.csv", index=False)
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    slopes = summary(table).set_index("axis")["exponent"]
    for axes, (axis, part) in zip(
        figure.subplots(1, table["axis"].nunique()), table.groupby("axis", sort=False), strict=True
    ):
        axes.loglog(part["amount"], part["seconds"], "o-", color="#0072b2", label="run")
        axes.loglog(part["amount"], part["seconds_again"], "o--", color="#888888", label="again, with nothing to do")
        axes.set(xlabel=axis, title=f"beyond that: {axis}^{slopes[axis]:.2f}", ylim=(1, None))
        axes.set_xticks(part["amount"], [f"{float(f'{amount:.2g}'):,g}" for amount in part["amount"]], fontsize=7)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3, which="both")
    figure.axes[0].set(ylabel="seconds, 2 cores" if len(os.sched_getaffinity(0)) == 2 else "seconds")
    figure.axes[0].legend(fontsize=7)
    figure.savefig(folder / "growth.svg", metadata={"Date": None})
