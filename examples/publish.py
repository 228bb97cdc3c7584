"""Make of a run what is committed of it: tables, page, figures, weights, and an archive from which it goes on.

    python examples/publish.py results/mine --to results/reference

Written below the folder: `scores.parquet`, `draws.parquet`, `run.json` (without this machine's paths), the page and its
tables, each level's figure, `weights/ROW` (float16, the leaderboard's budget, first seed), `predictions/TASK.parquet`
(what rows say of each test item, and what is true), and `artefacts.tar.xz`: all scores. On another machine

    python -m benchmark store import results/reference/artefacts.tar.xz STORE
    python -m benchmark run --grid reference --store STORE

goes on from there: what is scored is not trained again. What was published stays where it is of the same key, and so
of the same scores: trainings in `run.json`, weights, predictions that such a store does not have. (Trained again on
another processor, a key's weights are others.) `--also` archives what another run into the same store has scored, of
tasks or seeds that are not complete yet.

A table between `<!-- answers: NAME -->` and `<!-- /answers -->` of its README is replaced. Frozen contestants'
weights are others' to publish: they are left out. Where nothing is trained, there are neither weights nor archive.
What git would ignore is an error: a leaderboard that was committed without its files is none.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import pandas as pd
import typer
from heard import run

import benchmark
from benchmark import registry
from benchmark.bookkeeping.archive import export as archive
from benchmark.bookkeeping.outputs import link_of
from benchmark.bookkeeping.record import SCORED
from benchmark.bookkeeping.upkeep import artefacts, existing
from benchmark.cli.options import PUBLISHED, Data, data_folder
from benchmark.encoders.exported import CARD, SHIPPED, WEIGHTS, About, read_about
from benchmark.files import read_json
from benchmark.interfaces import Task, UserError
from benchmark.leaderboard.page import export as exports
from benchmark.leaderboard.page import html
from benchmark.leaderboard.page.report import gather
from benchmark.leaderboard.record import load_run, nominal
from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.tables import Entry, names_of
from benchmark.pretrained import card
from benchmark.pretrained.choose import Chosen, choose
from benchmark.pretrained.export import copy, export
from benchmark.store.artefacts import Store
from strategies.contestants import Contestant

PACKAGE = Path(benchmark.__file__).parent
TABLES = ("scores.parquet", "draws.parquet")
#: options that name this machine's folders
PRIVATE = ("--out", "--store", "--data-dir", "--data-home")
#: bytes of a task's predictions, at most: beats, melodies' frames and scores of tags would fill the folder
LARGEST = 1.5 * 2**20
#: bytes of all weights, at most: rows of a grid's end may have to do without
ROOM = 10 * 2**20
ARTEFACTS, KINDS, PREDICTIONS = "artefacts.tar.xz", (*SCORED, "control"), "predictions.parquet"


def main(
    results: Annotated[Path, typer.Argument(help="A results folder, its store at hand.")],
    to: Annotated[Path, typer.Option("--to", help="Where it is committed: results/NAME.")],
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Results of the same store: their scores go into the archive, and are not shown."),
    ] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="It comes with the package: weights, and scores by name.")
    ] = False,
    data_dir: Data = None,
) -> None:
    """Write all of it, and print how large it is."""
    to.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as aside:
        earlier = shutil.copytree(to, Path(aside) / to.name)
        for name in TABLES:
            shutil.copyfile(results / name, to / name)
        record = json.loads((results / "run.json").read_bytes()) | trainings(results, earlier)
        record["command"] = without_paths(record["command"])
        (to / "run.json").write_text(json.dumps(record, indent=1) + "\n")
        write_page(to)
        for folder in ("weights", "predictions"):
            shutil.rmtree(to / folder, ignore_errors=True)
        (to / ARTEFACTS).unlink(missing_ok=True)
        if any(note.trains for note in load_run(results).strategies.values()):
            theirs = write_weights(results, to / "weights", earlier / "weights")
            write_archive(results, to / ARTEFACTS, also or [], theirs)
            write_predictions(results, to / "predictions", Store(data_folder(data_dir)), earlier)
    if ship:
        write_links(to)
    check_committed(to)
    for path in sorted(to.iterdir()):
        size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")))
        typer.echo(f"{size / 2**20:8.2f} MB  {path.name}")


def write_archive(results: Path, to: Path, also: list[Path], theirs: set[str]) -> None:
    """All scores, and those of `also`, without what is others' to publish."""
    store, keys = existing(results)
    every = None if keys is None else keys | {key for folder in also for key in keys_in(folder, store)}
    scored = {at.key for at in artefacts(store, every) if at.kind in KINDS and at.key not in theirs}
    done = archive(store, to, keys=scored, without=[PREDICTIONS])
    if done.damaged:
        raise UserError(f"{store.root}: {len(done.damaged)} artefacts are damaged; see 'store verify'")


def keys_in(results: Path, store: Store) -> frozenset[str]:
    """Of all jobs of what was last run into a folder.

    Raises:
        UserError: it used another store.
    """
    link = link_of(results)
    if link is None or link.store != store.root:
        raise UserError(f"--also {results}: its artefacts are not in {store.root}")
    return link.keys


def trainings(results: Path, to: Path) -> dict[str, Any]:
    """The run's trainings, as an earlier publication tells of them if it does: its scores are of those.

    One of each row, encoder and seed, of the budget after which rows are compared, with the seconds of all its budgets.
    """
    record, published = (read_json(folder / "run.json") or {"pretraining": []} for folder in (results, to))
    rows, link = list(record["strategies"]), link_of(results)
    planned = link.keys if link else frozenset[str]()
    told = {(_trained(job), job["key"]): job for job in record["pretraining"]}  # rows of equal options share a training
    told |= {
        (_trained(job), job["key"]): job
        for job in published["pretraining"]
        if job.get("key") in planned and job["strategy"] in rows
    }
    scores = pd.read_parquet(results / TABLES[0], columns=["crops", "share"])
    main = nominal(scores.loc[scores["share"].fillna(1.0) == 1, "crops"].max())
    found = dict[tuple[int, str, int], dict[str, Any]]()
    for job in sorted(told.values(), key=lambda job: (nominal(job["crops"]) == main, job["crops"])):
        trained = rows.index(job["strategy"]), *_trained(job)[1:]
        before = found.get(trained, {"lengths": {}})
        lengths = {**before["lengths"], **job["lengths"]}
        found[trained] = {**job, "lengths": {crops: lengths[crops] for crops in sorted(lengths, key=float)}}
    return {"pretraining": [found[trained] for trained in sorted(found)]}


def _trained(job: dict[str, Any]) -> tuple[str, str, int]:
    return job["strategy"], job["encoder"], job["seed"]


def without_paths(command: str) -> str:
    """A command line as anybody would give it."""
    words, kept = iter(shlex.split(command)), list[str]()
    for word in words:
        if word in PRIVATE:
            next(words)
        elif not word.startswith(tuple(f"{option}=" for option in PRIVATE)):
            kept.append(word)
    return shlex.join(kept)


def write_page(to: Path) -> None:
    """The page, its tables, the figures of levels, and the answer, also where the README shows it."""
    report = gather(to)
    html.write(to, report)
    made = exports.write(to, report)
    shutil.rmtree(to / "figures", ignore_errors=True)
    (to / "figures").mkdir()
    for path in sorted((made / "figures").glob("level-*.svg")):
        shutil.copyfile(path, to / "figures" / path.name)
    answer = (made / "answers.md").read_text(encoding="utf-8")
    shutil.rmtree(made)
    readme = to / "README.md"
    if readme.is_file():
        block = re.compile(rf"(<!-- answers: {re.escape(to.name)} -->\n).*?(<!-- /answers -->)", re.S)
        readme.write_text(block.sub(lambda found: found[1] + answer + found[2], readme.read_text(encoding="utf-8")))


def write_weights(results: Path, to: Path, earlier: Path) -> set[str]:
    """The encoder of each row that pre-trains, in float16, as far as there is room.

    Those of an earlier publication stay where they are of the same training: it is what scored.

    Returns:
        Keys of weights that are others' to publish.
    """
    theirs, link, room = set[str](), link_of(results), ROOM
    for row, note in load_run(results).strategies.items():
        try:
            chosen = choose(results, row, gone=True)
        except UserError as error:  # labels alone, or features: it says which
            typer.echo(f"no weights: {error}")
            continue
        about = read_about(earlier / row)
        if note.family == Contestant.family:
            typer.echo(f"no weights: {row}: they come with its package")
            theirs.add(chosen.key)
        elif not note.trains:
            typer.echo(f"no weights: {row}: a seed and the corpus make them anew")
        elif about and link and about.key in link.keys and is_of(about, chosen):
            keep(chosen, earlier / row, to / row)
        elif chosen.key:
            export(chosen, to / row, half=True)
        else:
            typer.echo(f"no weights: {row}: they are not in {chosen.store.root} any more")
        size = sum(file.stat().st_size for file in (to / row).glob("*"))
        if size > room:
            shutil.rmtree(to / row)
            typer.echo(f"no weights: {row}: others fill the {ROOM / 2**20:.0f} MB that they may take")
        else:
            room -= size
    typer.echo(f"{len(list(to.glob(f'*/{WEIGHTS}')))} rows with weights")
    return theirs


def is_of(about: About, chosen: Chosen) -> bool:
    """Whether an export is of the very training that is chosen; the store may not know its key."""
    return (about.encoder, about.seed, nominal(about.crops or 0)) == (chosen.encoder, chosen.seed, chosen.crops)


def keep(chosen: Chosen, kept: Path, to: Path) -> None:
    """Copy a row's weights; the scores on their card are this run's."""
    copy(kept, to, half=True)
    before, heading, rest = (to / CARD).read_text(encoding="utf-8").partition("## Scores\n\n")
    _, limits, after = rest.partition("\n\n## What this cannot say\n")
    (to / CARD).write_text(before + heading + card.scores(chosen) + limits + after, encoding="utf-8")


def write_predictions(results: Path, to: Path, data: Store, earlier: Path) -> None:
    """What each row says of each test item with all labels, by its last seed: a table per task, beside what is true.

    Of probes that came with an archive, which has no predictions, it is what an earlier publication has; rows that are
    not there either are left out, and so are tasks that take too much room, or did so then.
    """
    store, _ = existing(results)
    last = last_seeds(results)
    known = last_seeds(earlier)["key"] if (earlier / TABLES[0]).is_file() else ()
    to.mkdir(parents=True)
    for name, rows in last.groupby("task"):
        table = predicted(store, data, registry.tasks.get(str(name))(), rows)
        path, same = earlier / "predictions" / f"{name}.parquet", named(rows[rows["key"].isin(known)])
        if same and path.is_file():
            table = with_earlier(table, pd.read_parquet(path), same)
        elif same and (earlier / "predictions").is_dir():
            typer.echo(f"no predictions on {name}, as before")
            continue
        if absent := sorted(set(named(rows)) - set(table)):
            typer.echo(f"no predictions on {name} by {', '.join(absent)}: the archive had none")
        if table.empty:
            continue
        table = table[["truth", *(row for row in named(rows) if row in table)]]
        path = to / f"{name}.parquet"
        table.to_parquet(path, compression="zstd", compression_level=19)
        if path.stat().st_size > LARGEST:
            typer.echo(f"no predictions on {name}: {path.stat().st_size / 2**20:.0f} MB")
            path.unlink()


def last_seeds(folder: Path) -> pd.DataFrame:
    """Of each row and task, the last seed's scores with all labels."""
    scores = pd.read_parquet(folder / TABLES[0]).query("fraction == 1 and share == 1 and probe == 'linear'")
    return scores.sort_values("seed", kind="stable").drop_duplicates(["task", *stats.ENTRY], keep="last")


def with_earlier(table: pd.DataFrame, earlier: pd.DataFrame, rows: list[str]) -> pd.DataFrame:
    """With the columns of these rows that the earlier table alone has."""
    more = earlier[[row for row in ("truth", *rows) if row in earlier and row not in table]]
    return table.join(more) if len(table) else more


def predicted(store: Store, data: Store, task: Task, rows: pd.DataFrame) -> pd.DataFrame:
    """By item of the main test set, `truth` and the prediction of each of these rows that has some; classes by name."""
    columns = dict[str, Any]()
    for name, key in zip(named(rows), rows["key"], strict=True):
        kind = next((kind for kind in SCORED if store.is_done(kind, key)), None)
        if kind is None or PREDICTIONS not in store.manifest(kind, key)["files"]:
            continue
        folder, filters = store.open(kind, key), [("fraction", "==", 1.0), ("probe", "==", "linear")]
        said = pd.read_parquet(folder / PREDICTIONS, filters=filters).set_index("id")["prediction"]
        if not columns:
            spec = store.manifest(kind, key)["spec"]
            tracks = pd.read_parquet(data.open("waveforms", spec.get("waveforms", spec["needs"][0])) / "tracks.parquet")
            truth = pd.Series(task.targets(tracks), tracks["id"], dtype=object)[task.test_sets(tracks)[""]]
            columns["truth"] = truth.dropna()
        columns[name] = said.loc[columns["truth"].index]
    found = {name: classes(column, task) for name, column in columns.items()}
    if task.output == "multiclass" and any(pd.api.types.is_float_dtype(column) for column in found.values()):
        found["truth"] = found["truth"].astype(float)  # tempo: a prediction is its class's number
    return pd.DataFrame(found)


def named(rows: pd.DataFrame) -> list[str]:
    """What the page calls rows."""
    entries = [Entry(*map(str, entry)) for entry in rows[stats.ENTRY].fillna("").itertuples(index=False)]
    names = names_of(entries)
    return [names[entry] for entry in entries]


def classes(column: pd.Series, task: Task) -> pd.Series:
    """By their names; what are no classes, as it is."""
    found = column.infer_objects()
    if task.output != "multiclass" or not pd.api.types.is_integer_dtype(found):
        return found
    return found.map(dict(enumerate(task.classes)))


def write_links(to: Path) -> None:
    """What the package brings along, as links into the results: a wheel has the files themselves."""
    trained = [name for name, note in load_run(to).strategies.items() if note.trains]
    weights = [path for name in trained for path in (to / "weights" / name).glob("*")]
    tables = [to / name for name in (*TABLES, "run.json")]
    for folder, files in ((PACKAGE / SHIPPED, weights), (PACKAGE / PUBLISHED / to.name, tables)):
        shutil.rmtree(folder, ignore_errors=True)
        for path in files:
            link = folder / path.name if path.parent == to else folder / path.parent.name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(path.resolve(), link.parent))


def check_committed(folder: Path) -> None:
    """Nothing of it may be what git leaves out.

    Raises:
        UserError: some of it is ignored.
    """
    files = "\n".join(str(path) for path in folder.rglob("*") if path.is_file())
    ignored: Any = subprocess.run(["git", "check-ignore", "--stdin"], input=files, capture_output=True, text=True)
    if ignored.stdout:
        raise UserError(f"git ignores {ignored.stdout.split()}; mend .gitignore")


if __name__ == "__main__":
    run(main)
