"""What the commands share: options, and small steps around them."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from benchmark import registry
from benchmark.interfaces import UserError, visible

#: below `benchmark`: tables that come with the package, a folder each
PUBLISHED = "published"
#: lines of a failed job's log that are shown
_TAIL = 6

Data = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="MIR_PRETEXT_DATA",
        help="Where corpora are kept; a cache outside the repository.",
    ),
]
StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="MIR_PRETEXT_STORE",
        help="Where trainings, embeddings and scores are kept, shared by all runs; by default in the data folder.",
    ),
]
Home = Annotated[
    Path | None,
    typer.Option("--data-home", envvar="MIR_DATA_HOME", help="Where your data sets are, a folder each ('data list')."),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Use a data set although over 2 % of its files cannot be read.")
]
Against = Annotated[
    Path | None,
    typer.Option(help="Another results folder, or 'reference': its rows are shown, too, if made alike."),
]
Executor = Annotated[str, typer.Option(help="Where jobs run.")]
Workers = Annotated[int | None, typer.Option(min=1, max=4096, help="Jobs at once; by default one per GPU or core.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads per job.")]
Names = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated names; by default the grid's. What it does not list is added, with default options."
    ),
]
Rows = Annotated[
    str | None, typer.Option(help="Comma-separated names; by default all that the grid's search has spaces for.")
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        help="A Python file that defines strategies, encoders, tasks, corpora or claims; "
        "a CSV or a folder of your audio; or hf:NAME, a model of Hugging Face.",
    ),
]


Out = Annotated[Path | None, typer.Option("--out", help="Results folder; by default results/<grid>.")]
GridName = Annotated[str, typer.Option("--grid", help="A grid's name, or the path of a YAML file.")]
Budget = Annotated[float, typer.Option(min=1e-9, help="Multiplies the crops that pre-training hears.")]
Numbers = Annotated[str | None, typer.Option(help="Comma-separated numbers; by default the grid's.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Replaces a value of the grid, such as pretrain.batch_size=128."),
]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Only jobs of this name, and what they need; * and ? match as in a shell: 'probe byol *'."),
]
Exclude = Annotated[list[str] | None, typer.Option(help="No jobs of this name, nor what needs them.")]
PerGPU = Annotated[int, typer.Option("--jobs-per-gpu", min=1, help="Jobs that share a GPU.")]
TimeLimit = Annotated[float, typer.Option(min=0.001, help="Hours after which a job is killed and counts as failed.")]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        envvar="MIR_PRETEXT_DETERMINISTIC",
        help="Deterministic kernels on GPUs: a run repeats bit by bit, more slowly; on CPUs all do.",
    ),
]
KeepEmbeddings = Annotated[
    bool, typer.Option("--keep-embeddings", help="Leave embeddings on the disk when all that reads them is done.")
]
NoMLflow = Annotated[
    bool,
    typer.Option("--no-mlflow", envvar="MIR_PRETEXT_NO_MLFLOW", help="Do not mirror the results to MLflow."),
]


class Columns(StrEnum):
    """What a column of the table in the terminal is."""

    level = "level"
    task = "task"


By = Annotated[
    Columns,
    typer.Option(
        "--by",
        help="Columns of the table in the terminal: what is heard (pitch, time, timbre, style, …), or every task.",
    ),
]
Corpus = Annotated[
    str,
    typer.Option(
        "--corpus", help="What to pre-train on instead: a corpus's name, or folder:PATH, all audio below a folder."
    ),
]
Init = Annotated[
    str, typer.Option("--init", help="Go on from these weights: a folder that 'export' wrote, or a name that ships.")
]
Protocol = Annotated[str, typer.Option(help="probe (frozen encoder) or finetune; by default the grid's.")]
Corruptions = Annotated[
    bool, typer.Option("--corruptions", help="Score test audio also under every corruption, severities 1 to 4.")
]


def corpus_named(text: str) -> str:
    """The name of a corpus, or of one that is made of a folder here: `folder:PATH`.

    Raises:
        UserError: there is no such folder, or too little sound in it.
    """
    from benchmark.corpora.tables.columns import name_of

    kind, colon, path = text.partition(":")
    if kind != "folder" or not colon:
        return text
    folder = Path(os.path.abspath(path))
    if not folder.is_dir():
        raise UserError(f"--corpus {text}: no such folder")
    registry.load_plugins([folder / registry.EVERYTHING])
    return f"folder-{name_of(folder.name)}"


def numbers(text: str | None, option: str, kind: type[float]) -> list[Any]:
    """`0.01, 1` to its numbers, or none where the option is not given.

    Raises:
        UserError: something among them is no finite number, or it names none.
    """
    try:
        found = [kind(item) for item in some(text, option)]
        finite = all(map(math.isfinite, found))
    except (ValueError, OverflowError) as error:
        raise UserError(f"{option} {text}: {error}") from error
    if not finite:
        raise UserError(f"{option} {text}: give finite numbers")
    return found


def split_names(names: str) -> list[str]:
    """`a, b` to its names."""
    return [name.strip() for name in names.split(",") if name.strip()]


def some(names: str | None, option: str) -> list[str]:
    """`a, b` to its names, or none where the option is not given.

    Raises:
        UserError: it names nothing, as an empty variable of a shell does, or one name twice.
    """
    found = split_names(names or "")
    if names is not None and not found:
        raise UserError(f"{option} '{names}': names nothing; leave it out for all")
    if twice := [name for name in dict.fromkeys(found) if found.count(name) > 1]:
        raise UserError(f"{option}: {twice[0]!r} is listed twice")
    return found


def check_used(values: Mapping[str, Any], rows: Sequence[str]) -> None:
    """Make sure that no option is set of a row that a run leaves out.

    Raises:
        UserError: one is.
    """
    for path in values:
        axis, _, rest = path.partition(".")
        if rows and axis == "strategies" and rest and (row := rest.split(".")[0]) not in rows:
            raise UserError(f"--set {path}: {row} is not among --strategies {','.join(rows)}")


def data_folder(data_dir: Path | None) -> Path:
    """Where corpora are kept; workers are told as well."""
    from platformdirs import user_cache_path

    from benchmark.files import DATA_FOLDER

    folder = (data_dir or user_cache_path("mir-pretext")).absolute()
    os.environ[DATA_FOLDER] = str(folder)  # packed scores are found there
    return folder


def published(folder: Path) -> Path:
    """A results folder, or by its name one that comes along with the package."""
    places = (folder, Path(__file__).parents[1] / PUBLISHED / folder.name)
    return next((place for place in places if (place / "run.json").is_file()), folder).absolute()


def set_home(home: Path | None) -> None:
    """Say where data sets are, here and to workers."""
    from benchmark.corpora.datasets.dataset import DATA_HOME

    if home is not None:
        os.environ[DATA_HOME] = str(home.expanduser().absolute())


def say(text: str, err: bool = False) -> None:
    """Print a line; names in it are somebody's, and steer no terminal."""
    typer.echo(visible(text), err=err)


def corpora_of(grid: Any) -> list[str]:
    """Those that a grid pre-trains on, and those of its tasks."""
    return [*grid.corpora, *(registry.tasks.get(task).corpus for task in grid.tasks)]


def warn_of(corpora: Iterable[str]) -> None:
    """Say what is odd about corpora, before they are used.

    Raises:
        UserError: one of them cannot be used at all.
    """
    from benchmark.corpora.datasets.dataset import Absent

    for name in dict.fromkeys(corpora):
        with contextlib.suppress(Absent):  # the plan says what to do without it
            for found in registry.corpora.get(name)().inspect():
                say(f"warning: {name}{found.where}: {found.what}", err=True)


def print_warnings(out: Path) -> None:
    """What the record of a run warns of: the page has it, too."""
    from benchmark.leaderboard.record import load_run

    for text in load_run(out).warnings:
        say(f"warning: {text}", err=True)


def print_failures(report: Any, out: Path, command: str = "") -> None:
    """The jobs that failed: the error, the end of the log, and the command that runs each again."""
    for failure in report.failed:
        say(f"\nfailed: {failure.job.name}: {failure.error}", err=True)
        for line in failure.log.splitlines()[-_TAIL:]:
            say(f"  | {line}", err=True)
        say(f"  log:       {out}/logs/{failure.job.key}.log", err=True)
        if command:
            say(f"  run again: {command} --only {shlex.quote(failure.job.name)}", err=True)
    if report.blocked:
        say(f"not run, since they need a failed job: {len(report.blocked)} jobs", err=True)


class Stopped(KeyboardInterrupt):
    """A signal to stop came: on its way up, all that is under way is ended as by Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Take SIGTERM (batch systems, shutdowns) and SIGHUP (a closed terminal) as Ctrl-C; exit with 128 + the signal.

    A signal that is ignored, as under nohup, stays so.
    """
    own = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    for number in own:
        signal.signal(number, _stop)
    try:
        yield
    except KeyboardInterrupt as stop:  # typer would take it, and say nothing
        number = signal.Signals(stop.number if isinstance(stop, Stopped) else signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(f"stopped by {number.name}; the same command goes on from here", err=True)
        raise typer.Exit(128 + number) from None
    finally:
        for number in own:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what ends in order must not be cut short
    raise Stopped(number)
