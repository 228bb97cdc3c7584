"""One live view for a person, plain lines for a log file."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmark.bookkeeping.status import Status
from benchmark.interfaces import human, visible
from benchmark.scheduler.walk import Event

#: many small jobs of these kinds: counted, not announced one by one
_QUIET = ("labels", "shard", "preflight")


class Progress:
    """Shows the walk's events, and while it goes on, how far it is; quiet, only what goes wrong."""

    def __init__(self, quiet: bool = False) -> None:
        self.console, self._quiet = Console(stderr=True), quiet
        self._live = Live(console=self.console, auto_refresh=False, transient=True)

    def __enter__(self) -> Progress:
        if self.console.is_terminal and not self._quiet:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Take one event."""
        if event.what in ("failed", "retried"):
            self.console.print(visible(f"{event.what}: {event.job.name}: {event.error}"), markup=False, style="red")
        elif self._quiet:
            return
        elif event.what == "waiting":
            self.console.print(visible(f"waiting: {event.job.name}, {event.error}"), markup=False)
        elif event.what == "finished" and event.job.kind not in _QUIET and not self.console.is_terminal:
            self.console.print(visible(f"finished: {event.job.name}"), markup=False)

    def watch(self, status: Status) -> None:
        """Take a new status."""
        if self._live.is_started:
            self._live.update(view(status), refresh=True)


def view(status: Status) -> RenderableType:
    """A status as tables: jobs by kind, then what runs at the moment."""
    jobs = Table(box=None, pad_edge=False)
    for heading in ("jobs", "done", "running", "left"):
        jobs.add_column(heading, justify="left" if heading == "jobs" else "right")
    for kind, counts in status.kinds.items():
        jobs.add_row(kind, *(str(count) if count else "-" for count in counts))
    running = Table(box=None, pad_edge=False)
    for heading in ("running", "for", "step", "loss", "rank", "cosine"):
        running.add_column(heading, justify="left" if heading == "running" else "right")
    for job in status.running:
        running.add_row(Text(visible(job["name"])), human(job["seconds"]), *_training(job))
    return Group(jobs, running, Text(_foot(status), style="bold"))


def _training(job: dict[str, Any]) -> list[str]:
    """Step, loss and monitors of a job that trains."""
    if "step" not in job:
        return ["", "", "", ""]
    monitors = [f"{job[name]:.2f}" if name in job else "" for name in ("effective_rank", "mean_cosine")]
    return [f"{job['step']}/{job['steps']}", f"{job['loss']:.3f}", *monitors]


def _foot(status: Status) -> str:
    parts = [f"waiting: {status.waiting}"] if status.waiting else []
    parts += [f"about {human(status.seconds_left)} left"] if status.seconds_left is not None else []
    if status.devices:
        parts.append("GPU " + ", ".join(f"{use} %" for use in status.devices))
    if status.failed:
        parts.append(f"{status.failed} failed")
    return "; ".join(parts)
