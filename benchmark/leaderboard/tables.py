"""The scores as tables: read and checked, laid out by the plan, and shown in the terminal or written as CSV.

A planned cell without a score stays in every table as *missing*; nothing is averaged over it.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from benchmark.interfaces import UserError
from benchmark.leaderboard import stats

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

#: columns of leaderboard.csv, in order
CSV = [*stats.CELL, "main", "status", "mean", "low", "high", "runs", "seeds", "n_train", "n_test"]
CSV += ["rank", "mean_rank"]
#: task columns side by side in a terminal of 100 characters
TERMINAL_TASKS = 4
#: how a mark is written where there is no color: beside the value, so that nothing hangs on style alone
SIGN = {"best": "*", "tied": "≈", "": " ", "missing": ""}
LEGEND = (
    "mean ± 95% interval; * best, ≈ interval overlaps that of the best,\n"
    "† one run: test sampling only, — a cell is missing: no mean rank"
)


class StrategyNote(BaseModel):
    """What the run says about a strategy."""

    title: str = ""
    citation: str = ""
    trains: bool = True


class TaskNote(BaseModel):
    """What the run says about a task."""

    title: str = ""
    citation: str = ""
    level: str = ""
    metric: str = ""
    higher_is_better: bool = True
    corpus: str = ""
    licence: str = ""
    conventions: str = ""


class Failure(BaseModel):
    """A job that gave no score."""

    job: str
    error: str = ""


class Pretraining(BaseModel):
    """One pre-trained checkpoint and its monitors; None where a strategy has no such monitor."""

    strategy: str
    encoder: str = ""
    seed: int = 0
    crops: float | None = None
    seconds: float | None = None
    loss: float | None = None
    std: float | None = None
    effective_rank: float | None = None
    mean_cosine: float | None = None
    parameters: int | None = None
    peak_mb: int | None = None
    collapsed: bool = False


class Run(BaseModel):
    """`run.json`: what was planned and how it went. Every field may be absent; unknown ones are ignored."""

    grid: str = ""
    command: str = ""
    version: str = ""
    created: str = ""
    settings: dict[str, Any] = {}
    fractions: list[float] = []
    probes: list[str] = []
    strategies: dict[str, StrategyNote] = {}
    tasks: dict[str, TaskNote] = {}
    failures: list[Failure] = []
    pretraining: list[Pretraining] = []

    def task(self, name: str) -> TaskNote:
        """What is known of task `name`, which may be nothing."""
        return self.tasks.get(name, TaskNote())

    def collapsed(self, strategy: str, encoder: str) -> bool:
        """Whether any checkpoint of this strategy and encoder collapsed."""
        return any(p.collapsed for p in self.pretraining if (p.strategy, p.encoder) == (strategy, encoder))


class Entry(NamedTuple):
    """One row of the leaderboard."""

    strategy: str
    encoder: str
    pretrain_corpus: str


@dataclass(frozen=True)
class Column:
    """One column: a task under one metric."""

    task: str
    metric: str
    level: str
    higher_is_better: bool


@dataclass(frozen=True)
class Score:
    """One cell as shown. `mean` and `half` are NaN where missing."""

    mean: float
    half: float
    runs: int
    mark: stats.Mark

    @property
    def texts(self) -> tuple[str, str]:
        """Mean and half-width, with as many decimals as the interval bears."""
        digits = 3 if self.half < 0.01 else 2
        return f"{self.mean:.{digits}f}", "?" if np.isnan(self.half) else f"{self.half:.{digits}f}"


@dataclass(frozen=True)
class Row:
    """One strategy's scores; `mean_rank` is None where a planned cell is missing."""

    entry: Entry
    mean_rank: float | None
    collapsed: bool
    scores: list[Score]


@dataclass(frozen=True)
class Standing:
    """Strategies x tasks at one label fraction under one probe, best mean rank first."""

    fraction: float
    probe: str
    columns: list[Column]
    rows: list[Row]

    @property
    def percent(self) -> str:
        """The label fraction as a percentage."""
        return percent(self.fraction)

    @property
    def runs(self) -> str:
        """How many runs stand behind a score, `1` or `1 to 15`."""
        counts = {score.runs for row in self.rows for score in row.scores if score.mark != "missing"} or {0}
        return f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def percent(fraction: float) -> str:
    """A label fraction as a percentage, `0.01` as `1%`."""
    return f"{100 * fraction:g}%"


def load_run(folder: Path) -> Run:
    """Read `folder/run.json`; an empty record if there is none.

    Raises:
        UserError: it is there but is not a run record.
    """
    path = folder / "run.json"
    if not path.is_file():
        return Run()
    try:
        # An error message may quote a file name that is not UTF-8: half a character must not cost the page.
        text = json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)
        return Run.model_validate_json(text.encode("utf-8", errors="replace"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON ({error}); delete or rewrite it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"{path} is not a run record ({where}: {first['msg']}); delete or rewrite it") from error


def cells(scores: pd.DataFrame, run: Run) -> pd.DataFrame:
    """All planned cells, tidy, with their statistics.

    The plan is what `run` lists, and whatever the scores hold beyond it.

    Returns:
        One row per cell in the plan's order: `stats.CELL`, `main`, `status` (scored, one_run or missing), and
        the columns of `stats.summarize` and `stats.add_ranks`.
    """
    table = stats.prepare(scores)
    plan = _plan(table, run).merge(stats.summarize(table), on=stats.CELL, how="left")
    plan["runs"] = plan["runs"].fillna(0).astype(int)
    plan["seeds"] = plan["seeds"].fillna(0).astype(int)
    one = np.where(plan["runs"] == 1, "one_run", "scored")
    plan["status"] = np.where(plan["mean"].isna(), "missing", one)
    return stats.add_ranks(plan, {name: note.higher_is_better for name, note in run.tasks.items()})


def _plan(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    seen = table.groupby("task")["metric"].unique()
    tasks = _union(run.tasks, sorted(seen.index))
    metrics = {task: _metrics(run.task(task).metric, sorted(seen.get(task, []))) for task in tasks}
    planned = itertools.product(run.fractions, run.probes)
    settings = _union(planned, table[["fraction", "probe"]].itertuples(index=False, name=None))
    rows = [
        {
            **entry._asdict(),
            "task": task,
            "fraction": fraction,
            "probe": probe,
            "metric": metric,
            "main": i == 0,
        }
        for fraction, probe in sorted(settings)
        for entry in _entries(table, run)
        for task in tasks
        for i, metric in enumerate(metrics[task])
    ]
    if not rows:
        raise UserError("the scores table is empty and no run.json says what was planned: nothing to report")
    return pd.DataFrame(rows)


def _metrics(main: str, seen: list[str]) -> list[str]:
    """Main metric first: the declared one, or the first by name."""
    return _union([main] if main else [], seen) or ["score"]


def _entries(table: pd.DataFrame, run: Run) -> list[Entry]:
    seen = sorted(Entry(*row) for row in set(table[stats.ENTRY].itertuples(index=False, name=None)))
    scored = {entry.strategy for entry in seen}
    unseen = [Entry(name, "", "") for name in run.strategies if name not in scored]
    order = {name: i for i, name in enumerate(run.strategies)}
    return sorted([*seen, *unseen], key=lambda entry: order.get(entry.strategy, len(order)))


def _union(first: Iterable[Any], then: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys([*first, *then]))


def standing(table: pd.DataFrame, run: Run, fraction: float, probe: str, main: bool = True) -> Standing:
    """Lay out the cells of one label fraction and probe as strategies x tasks.

    Args:
        table: the result of `cells`.
        run: directions, levels and collapsed checkpoints.
        fraction: label fraction.
        probe: probe type.
        main: each task's main metric, ranked and marked; or all its other metrics, neither ranked nor marked,
            because nothing declares in which direction they are better.
    """
    part = table[(table["fraction"] == fraction) & (table["probe"] == probe)]
    shown = part[part["main"] == main]
    columns = [_column(run, *pair) for pair in _union(_pairs(shown, ["task", "metric"]), [])]
    scores = [_scores(shown, column, main) for column in columns]
    ranks = part.drop_duplicates(stats.ENTRY)["mean_rank"]
    rows = [
        Row(entry, None if np.isnan(rank) else rank, run.collapsed(*entry[:2]), list(of_row))
        for entry, rank, *of_row in zip(_union(_entries_of(part), []), ranks, *scores, strict=True)
    ]
    # Ties and incomplete strategies keep the plan's order: the sort is stable.
    rows.sort(key=lambda row: np.inf if row.mean_rank is None else row.mean_rank)
    return Standing(fraction, probe, columns, rows)


def standings(table: pd.DataFrame, run: Run, main: bool = True) -> list[Standing]:
    """One standing per probe and label fraction, in order."""
    settings = _union(_pairs(table, ["probe", "fraction"]), [])
    return [standing(table, run, fraction, probe, main) for probe, fraction in sorted(settings)]


def _pairs(table: pd.DataFrame, names: list[str]) -> Iterable[Any]:
    return table[names].itertuples(index=False, name=None)


def _entries_of(table: pd.DataFrame) -> list[Entry]:
    return [Entry(*row) for row in _pairs(table, stats.ENTRY)]


def _column(run: Run, task: str, metric: str) -> Column:
    return Column(task, metric, run.task(task).level, run.task(task).higher_is_better)


def _scores(shown: pd.DataFrame, column: Column, main: bool) -> list[Score]:
    part = shown[(shown["task"] == column.task) & (shown["metric"] == column.metric)]
    mean, half = part["mean"], part["half_width"]
    marks = stats.marks(mean, half, column.higher_is_better)
    if not main:
        marks = ["missing" if mark == "missing" else "" for mark in marks]
    return [Score(*values) for values in zip(mean, half, part["runs"], marks, strict=True)]


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write all cells, one per row, missing ones included; floats in full, so that they read back exactly."""
    table[CSV].to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def printable(text: str) -> str:
    """Make control characters visible, escape sequences and direction overrides among them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shorten(text: str, width: int) -> str:
    """Printable text of at most `width` characters."""
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def terminal(scores: pd.DataFrame, run: Run | Mapping[str, Any] | None = None) -> RenderableType:
    """The leaderboard for a terminal of 100 columns: one table per label fraction, linear probe.

    Args:
        scores: the scores table.
        run: the run record, or its JSON; None without one.
    """
    from rich.console import Group
    from rich.text import Text

    record = Run.model_validate({} if run is None else run)
    everything = standings(cells(scores, record), record)
    headline = [s for s in everything if s.probe == "linear"] or everything
    tables = [
        _terminal_table(each, start) for each in headline for start in range(0, len(each.columns), TERMINAL_TASKS)
    ]
    return Group(*tables, Text(LEGEND, style="dim"))


def _terminal_table(shown: Standing, start: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    of_labels = f"{shorten(shown.probe, 20)} probe, {shown.percent} of the labels"
    table = Table(title=Text(of_labels, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("strategy", max_width=22)
    table.add_column("mean\nrank", justify="right", no_wrap=True)
    for column in shown.columns[start : start + TERMINAL_TASKS]:
        arrow = "↑" if column.higher_is_better else "↓"
        header = Text(f"{shorten(column.task, 14)}\n{shorten(column.metric, 14)}{arrow}")
        table.add_column(header, justify="right", no_wrap=True)
    names = Counter(row.entry.strategy for row in shown.rows)
    for row in shown.rows:
        rank = "—" if row.mean_rank is None else f"{row.mean_rank:.1f}"
        scores = row.scores[start : start + TERMINAL_TASKS]
        table.add_row(_terminal_name(row, names[row.entry.strategy] > 1), rank, *map(_terminal_score, scores))
    return table


def _terminal_name(row: Row, ambiguous: bool) -> Text:
    from rich.text import Text

    name = Text(shorten(row.entry.strategy, 22))
    if ambiguous:
        name.append("".join(f"\n  {shorten(part, 20)}" for part in row.entry[1:]), style="dim")
    return name.append("\n  collapsed", style="yellow") if row.collapsed else name


def _terminal_score(score: Score) -> Text:
    from rich.text import Text

    if score.mark == "missing":
        return Text("—missing", style="dim")
    mean, half = score.texts
    text = f"{SIGN[score.mark]}{mean} ±{half.removeprefix('0')}{'†' if score.runs == 1 else ' '}"
    return Text(text, style="bold" if score.mark == "best" else "")
