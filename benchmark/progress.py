"""One live line for a person, plain lines for a log file."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from benchmark.scheduler.walk import Event

#: many small jobs of these kinds: counted, not announced one by one
_QUIET = ("shard",)


class Progress:
    """Shows the walk's events."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = RichProgress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("jobs", total=0)
        self.running: list[str] = []
        self.count: Counter[str] = Counter()

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def show(self, event: Event) -> None:
        """Take one event."""
        self.count[event.what] += 1
        if event.what == "submitted":
            self.running.append(event.job.name)
        elif event.job.name in self.running:
            self.running.remove(event.job.name)
        if event.what in ("failed", "retried"):
            self.console.print(f"{event.what}: {event.job.name}: {event.error}", markup=False, style="red")
        elif event.what == "finished" and event.job.kind not in _QUIET and not self.console.is_terminal:
            self.console.print(f"finished: {event.job.name}", markup=False)
        ended = sum(self.count[what] for what in ("finished", "failed", "blocked", "skipped"))
        self.bar.update(self.task, completed=ended, description=", ".join(self.running[:2]) or "jobs")
