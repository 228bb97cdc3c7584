"""What is committed of a run (`examples/publish.py`) is whole: another machine goes on from it and remakes nothing."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT
from helpers.forked import quick
from helpers.rescored import SCORES, differences
from stores import flip

from benchmark import load_encoder
from benchmark.bookkeeping.outputs import link, link_of
from benchmark.interfaces import UserError
from benchmark.pretrained.choose import choose
from benchmark.store.artefacts import Store


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `examples/publish.py` defines."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return runpy.run_path(str(ROOT / "examples" / "publish.py"))


@pytest.fixture(scope="module")
def committed(tiny_run: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "tiny"
    folder.mkdir()
    (folder / "README.md").write_text("# Mine\n\n<!-- answers: tiny -->\nold\n<!-- /answers -->\n\nMore.\n")
    (folder / "weights" / "gone").mkdir(parents=True)
    script = [sys.executable, str(ROOT / "examples" / "publish.py"), str(tiny_run), "--to", str(folder)]
    done = subprocess.run([*script, "--data-dir", str(data_dir)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_has_tables_page_figures_and_weights(committed: Path, tiny_run: Path) -> None:
    tables = ["leaderboard.csv", "pairs.csv", "labels.csv", "scores.parquet", "draws.parquet"]
    assert all((committed / name).stat().st_size for name in [*tables, "leaderboard.html", "run.json"])
    assert list((committed / "figures").glob("level-*.svg"))
    readme = (committed / "README.md").read_text()
    assert "| level | labels |" in readme
    assert "\nold\n" not in readme
    assert readme.endswith("<!-- /answers -->\n\nMore.\n")
    silent = [line for line in readme.splitlines() if "no verdict" in line and line.startswith("| ")]
    assert silent, "two seeds of almost no training tell nothing apart"
    assert not [line for line in silent if set(line) & set("▲▼≈")], "a sign beside no verdict"
    said, ran = ((json.loads((folder / "run.json").read_text())["command"]) for folder in (committed, tiny_run))
    assert str(tiny_run) in ran
    assert said == "python -m benchmark run --grid " + ran.split("--grid ")[1].split()[0]
    rows = {path.name for path in (committed / "weights").iterdir()}
    assert "simclr" in rows
    assert not rows & {"gone", "constant", "mfcc", "random"}
    load_encoder(committed / "weights" / "simclr")


def test_predictions_give_the_scores_again(committed: Path, tiny_run: Path) -> None:
    """By scikit-learn and mir_eval alone; the main test set's items are there, each once, and no others."""
    scores = pd.read_parquet(tiny_run / "scores.parquet").query("fraction == 1 and severity == 0")
    apart = differences(committed / "predictions", scores)
    assert set(apart.index.get_level_values(0)) == {"instrument", "key", "metre", "beat"}
    assert set(apart.index.get_level_values(1)) == {"constant", "random", "mfcc", "simclr", "byol"}
    assert apart.abs().max() < 1e-9
    for path in (committed / "predictions").glob("*.parquet"):
        items = pd.read_parquet(path).index
        assert items.is_unique
        of_main_set = scores[(scores["task"] == path.stem) & scores["metric"].isin(SCORES)]
        assert {len(items)} == set(of_main_set["n_test"])


@pytest.fixture
def imported(committed: Path, tiny_run: Path, tmp_path: Path) -> Path:
    """A run whose store began with the archive: its scores are there, no weights and no predictions."""
    folder, store = tmp_path / "run", tmp_path / "store"
    assert quick("store", "import", str(committed / "artefacts.tar.xz"), str(store)).returncode == 0
    folder.mkdir()
    for name in ("scores.parquet", "draws.parquet", "run.json"):
        shutil.copyfile(tiny_run / name, folder / name)
    link(folder, store, [job["key"] for job in json.loads((committed / "run.json").read_text())["pretraining"]])
    return folder


def test_what_an_archive_did_not_have_is_left_out(
    publish: dict[str, Any], committed: Path, imported: Path, data_dir: Path
) -> None:
    to = imported / "published"
    publish["write_predictions"](imported, to / "predictions", Store(data_dir), imported / "nothing")
    publish["write_weights"](imported, to / "weights", imported / "nothing")
    assert not [path for path in to.rglob("*") if path.is_file()]


def test_what_an_archive_did_not_have_stays_as_it_was_published(
    publish: dict[str, Any], committed: Path, imported: Path, data_dir: Path
) -> None:
    to = imported / "published"
    publish["write_predictions"](imported, to / "predictions", Store(data_dir), committed)
    publish["write_weights"](imported, to / "weights", committed / "weights")
    for folder in ("predictions", "weights"):
        files = [path for path in (committed / folder).rglob("*") if path.is_file()]
        assert files
        assert all((to / path.relative_to(committed)).read_bytes() == path.read_bytes() for path in files)


@pytest.mark.parametrize("change", [{"seed": 7}, {"crops": 9e9}])
def test_weights_of_another_seed_or_budget_do_not_stay(
    publish: dict[str, Any], committed: Path, imported: Path, change: dict[str, float]
) -> None:
    """Of the same run, but not what its leaderboard shows now."""
    kept, to = imported / "kept", imported / "published" / "weights"
    shutil.copytree(committed / "weights", kept)
    about = json.loads((kept / "simclr" / "config.json").read_text())
    (kept / "simclr" / "config.json").write_text(json.dumps(about | change))
    publish["write_weights"](imported, to, kept)
    assert {path.name for path in kept.iterdir()} - {path.name for path in to.iterdir()} == {"simclr"}


def test_what_was_published_of_another_training_does_not_stay(
    publish: dict[str, Any], committed: Path, imported: Path, data_dir: Path
) -> None:
    """A row whose code has changed since: its key is another one, and so are those of its scores."""
    to = imported / "published"
    scores = pd.read_parquet(imported / "scores.parquet")
    anew = scores["strategy"] == "simclr"
    scores.loc[anew, "key"] = scores.loc[anew, "key"].astype(str).str[::-1]
    scores.to_parquet(imported / "scores.parquet")
    told, used = json.loads((committed / "run.json").read_text())["pretraining"], link_of(imported)
    assert used
    link(imported, used.store, [job["key"] for job in told if job["strategy"] != "simclr"])
    publish["write_predictions"](imported, to / "predictions", Store(data_dir), committed)
    publish["write_weights"](imported, to / "weights", committed / "weights")
    assert not (to / "weights" / "simclr").exists()
    for path in (committed / "predictions").glob("*.parquet"):
        now = pd.read_parquet(to / "predictions" / path.name)
        pd.testing.assert_frame_equal(now, pd.read_parquet(path).drop(columns="simclr")[list(now)])


def test_what_others_have_trained_is_theirs_to_publish(publish: dict[str, Any], tiny_run: Path, tmp_path: Path) -> None:
    """A row as a contestant's would be on record."""
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy, ignore=shutil.ignore_patterns("*.html", "logs"))
    record = json.loads((copy / "run.json").read_text())
    record["strategies"]["random"]["family"] = "frozen contestant"
    (copy / "run.json").write_text(json.dumps(record))
    theirs = publish["write_weights"](copy, tmp_path / "weights", tmp_path / "nothing")
    assert theirs == {choose(copy, "random").key}
    rows = {path.name for path in (tmp_path / "weights").iterdir()}
    assert "simclr" in rows
    assert "random" not in rows


def test_another_machine_has_nothing_left_to_do_but_sound(
    committed: Path, tiny_run: Path, tiny_grid: Path, data_dir: Path, tmp_path: Path
) -> None:
    """The archive in a new store: a run trains, embeds and probes nothing, and ends with the same scores."""
    store, out = tmp_path / "store", tmp_path / "out"
    assert quick("store", "import", str(committed / "artefacts.tar.xz"), str(store)).returncode == 0
    alone = quick("report", str(store), "--out", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    assert "has no run.json" in alone.stderr
    scored = sorted((store / "probe").glob("*/*/scores.parquet"))
    flip(scored[0])
    (store / "probe" / "ab" / "no key").mkdir(parents=True)
    (store / "probe" / "ab" / "no key" / "manifest.json").write_text("{}")
    for _ in range(2):  # what is damaged is told of each time
        damaged = quick("report", str(store), "--out", str(tmp_path / "less"))
        assert damaged.returncode == 1, damaged.stderr
        assert f"damaged, and left out: probe {scored[0].parent.name[:12]}" in damaged.stderr
    flip(scored[0])
    args = ("--grid", str(tiny_grid), "--data-dir", str(data_dir), "--store", str(store), "--out", str(out))
    planned = json.loads(quick("plan", *args, "--json").stdout)["jobs"]
    kinds = {job["kind"] for job in planned if job["state"] == "to do"}
    assert not {"trunk", "pretrain", "embed", "probe", "supervised", "control"} & kinds
    assert quick("run", *args, "--no-mlflow").returncode == 0
    columns = ["strategy", "task", "metric", "fraction", "resample", "seed", "value"]
    ours, theirs = (pd.read_parquet(folder / "scores.parquet")[columns] for folder in (out, tiny_run))
    order = columns[:-1]
    pd.testing.assert_frame_equal(
        ours.sort_values(order).reset_index(drop=True), theirs.sort_values(order).reset_index(drop=True)
    )


def test_trainings_whose_weights_did_not_fit_stay_on_record(
    publish: dict[str, Any], committed: Path, tiny_run: Path, tmp_path: Path
) -> None:
    """A run that went on from the archive, without some weights: what was published of those is published again."""
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy, ignore=shutil.ignore_patterns("*.html", "logs"))
    record = json.loads((copy / "run.json").read_text())
    told = json.loads((committed / "run.json").read_text())["pretraining"]
    record["pretraining"] = [job for job in record["pretraining"] if job != told[0]]
    (copy / "run.json").write_text(json.dumps(record))
    assert publish["trainings"](copy, committed)["pretraining"] == told
    again = {**record, "pretraining": [{**told[0], "loss": 17.0}, *record["pretraining"]]}  # made anew, elsewhere
    (copy / "run.json").write_text(json.dumps(again))
    assert publish["trainings"](copy, committed)["pretraining"] == told, "the scores are of the first"
    main = told[0]["crops"]
    longer = {**told[0], "key": "f" * 64, "crops": 2 * main, "loss": 17.0, "lengths": {f"{2 * main}": 40.0}}
    (copy / "run.json").write_text(json.dumps({**record, "pretraining": [longer, *record["pretraining"]]}))
    first, *rest = publish["trainings"](copy, committed)["pretraining"]
    assert first == {**told[0], "lengths": {**told[0]["lengths"], f"{2 * main}": 40.0}}, "it is compared after this one"
    assert rest == told[1:]
    (copy / "run.json").write_text(json.dumps(record))
    stranger = [{**told[0], "key": "0" * 64}]
    (tmp_path / "run.json").write_text(json.dumps({"pretraining": stranger}))
    assert publish["trainings"](copy, tmp_path)["pretraining"] == told[1:], "of a training that is not planned"


def test_scores_that_are_archived_and_not_shown_are_of_the_same_store(publish: dict[str, Any], tmp_path: Path) -> None:
    store, (mine, strange, bare) = Store(tmp_path / "store"), (tmp_path / name for name in ("mine", "strange", "bare"))
    for folder in (store.root, mine, strange, bare):
        folder.mkdir()
    link(mine, store.root, ["a", "b"])
    link(strange, tmp_path / "other", ["c"])
    assert publish["keys_in"](mine, store) == {"a", "b"}
    for folder in (strange, bare):
        with pytest.raises(UserError, match=rf"{folder.name}: its artefacts are not in"):
            publish["keys_in"](folder, store)
