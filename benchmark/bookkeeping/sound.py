"""What the record says about the sound of a run's tasks: verdicts, tracks that are padded, and splits that leak."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark import registry
from benchmark.corpora.leaks import read_twins, words_of_groups, words_of_twins
from benchmark.corpora.verdicts import heard_oddly, kinds, read_verdicts
from benchmark.store.job import Job, Stores


class Sound:
    """The sound that a run's tasks are heard on, as far as it is there.

    Args:
        scored: the jobs that leave scores.
        jobs: all jobs, by key.
    """

    def __init__(self, scored: Iterable[Job], jobs: dict[str, Job], stores: Stores) -> None:
        self._stores, self._waveforms, self._encoders = stores, dict[str, Job](), dict[str, set[str]]()
        for job in scored:
            task, waveforms = job.spec["task"], next(jobs[key] for key in job.needs if jobs[key].kind == "waveforms")
            self._encoders.setdefault(task, set()).add(job.spec["encoder"])
            if stores.done(waveforms):
                self._waveforms.setdefault(task, waveforms)

    def of(self, task: str) -> dict[str, Any]:
        """What the page says with a task: its tracks, those left out or heard oddly, and those padded, by encoder."""
        job = self._waveforms.get(task)
        if job is None:
            return {}
        info = self._stores.data.manifest("waveforms", job.key)["info"]
        folder = self._folder(job)
        found = {"tracks": info["tracks"], "unreadable": info["unreadable"], "odd": heard_oddly(read_verdicts(folder))}
        found["leaks"] = self._leaks(job)
        seconds = pd.read_parquet(folder / "tracks.parquet", columns=["length"])["length"]
        needs = {name: registry.encoders.get(name).shortest for name in sorted(self._encoders[task])}
        padded = {name: int((seconds < need).sum()) for name, need in needs.items()}
        return found | {"padded": {name: count for name, count in padded.items() if count}}

    @property
    def warnings(self) -> list[str]:
        """A line for each kind of verdict on each corpus, and for what is heard on both sides of its split."""
        jobs = {job.key: job for job in self._waveforms.values()}
        return [
            f"{job.spec['corpus']}: {line}"
            for job in jobs.values()
            for line in (
                *(said for said, _ in kinds(read_verdicts(self._folder(job)))),
                *words_of_twins(read_twins(self._folder(job))),
            )
        ]

    def _folder(self, job: Job) -> Path:
        return self._stores.data.open("waveforms", job.key)

    def _leaks(self, job: Job) -> list[str]:
        tracks = pd.read_parquet(self._folder(job) / "tracks.parquet", columns=["group", "split"])
        return [*words_of_groups(tracks), *words_of_twins(read_twins(self._folder(job)))]
