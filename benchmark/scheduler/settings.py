"""Where and how a grid runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.interfaces import Resources, UserError
from benchmark.scheduler.estimate import Timings
from benchmark.scheduler.executors.slots import slots_for
from benchmark.store.job import Stores


@dataclass(frozen=True)
class Settings:
    """Where and how a grid runs; nothing here changes a score.

    Attributes:
        out: the results folder: tables, page, record, logs.
        data: the data folder.
        time_limit: seconds after which a job is killed.
        only: patterns of job names; with what they need, those alone run.
        exclude: patterns of job names that do not run, nor what needs them.
        keep_embeddings: whether they stay when all that reads them is done.
        mlflow: whether results are mirrored there.
        store: where trainings, embeddings and scores are kept, for all runs; by default in the data folder.
        against: another results folder, whose rows are to stand beside those of this run.
    """

    out: Path
    data: Path
    executor: str = "local"
    workers: int | None = None
    threads: int = 1
    jobs_per_gpu: int = 1
    time_limit: float = 24 * 3600.0
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep_embeddings: bool = False
    mlflow: bool = False
    store: Path | None = None
    against: Path | None = None

    def __post_init__(self) -> None:
        try:
            str(self.out).encode()
        except UnicodeEncodeError as error:  # its stores could not say in JSON who uses them
            raise UserError(f"{self.out!r}: its name is not UTF-8; choose another results folder") from error

    def stores(self) -> Stores:
        """Where artefacts are kept."""
        return Stores(self.data, self.store or self.data)

    def resources(self, devices: int) -> Resources:
        """What jobs may use, `devices` GPUs each."""
        return Resources(devices, self.threads, self.workers, self.jobs_per_gpu, self.time_limit)

    def timings(self) -> Timings:
        """What earlier jobs cost on devices such as this machine's."""
        return Timings(self.data / "timings.json", slots_for(Resources())[0].device.partition(":")[0])

    def slots(self, devices: int) -> int:
        """How many jobs run side by side, as far as this machine can tell; at least one."""
        if self.executor != "local":
            return self.workers or 1
        return len(slots_for(self.resources(devices)))
