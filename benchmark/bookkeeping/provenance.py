"""Where results come from: source, packages and machine, the sound behind them, and the control that finds leaks."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import re
from pathlib import Path
from typing import Any

import psutil

from benchmark import registry, source
from benchmark.scheduler.executors.machine import processor
from benchmark.store.job import Job, Stores


def environment() -> dict[str, Any]:
    """Commit, versions and machine of this process, which is the driver: workers of a cluster may differ."""
    return {
        **source.commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": f"{psutil.cpu_count()} x {processor()}",
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "gpus": source.printed("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"),
        "packages": _packages(),
    }


def corpora(jobs: dict[str, Job]) -> dict[str, dict[str, Any]]:
    """What the sound of each corpus was made or read with: its fingerprint, by corpus and number of tracks."""
    waveforms = [job.spec for job in jobs.values() if job.kind == "waveforms"]
    return {f"{spec['corpus']}, {spec['size']} tracks": spec["fingerprint"] for spec in waveforms}


def sound(jobs: dict[str, Job]) -> dict[str, str]:
    """Where in the data folder the audio is that tasks were read from: the waveforms' key, by corpus."""
    read = {key for job in jobs.values() if job.kind in ("embed", "supervised") for key in job.needs}
    return {job.spec["corpus"]: key for key, job in jobs.items() if job.kind == "waveforms" and key in read}


def control(jobs: dict[str, Job], stores: Stores) -> list[dict[str, Any]]:
    """Scores of probes that learned shuffled labels: each task's main metric, on average over the shuffles."""
    done = [job for job in jobs.values() if job.kind == "control" and stores.done(job)]
    return [row for job in done for row in _scores(stores.results.open("control", job.key), job.spec["task"])]


def _scores(folder: Path, task: str) -> list[dict[str, Any]]:
    import pandas as pd

    scores = pd.read_parquet(folder / "scores.parquet")
    main = scores[scores["metric"] == registry.tasks.get(task).metric]
    return [
        {
            **dict(zip(("task", "strategy", "probe", "metric"), name, strict=True)),
            "shuffles": len(rows),
            "value": rows["value"].mean(),
            "chance": rows["chance"].mean(),
            "stderr": (rows["value"] - rows["chance"]).sem(),
        }
        for name, rows in main.groupby(["task", "strategy", "probe", "metric"], sort=False)
    ]


def _packages() -> dict[str, str]:
    """Versions of all that the package requires directly."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        required = importlib.metadata.requires("mir-pretext") or []
        names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line]
        return {name: _version(name) for name in sorted(names, key=str.lower)}
    return {}


def _version(name: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return "not installed"
