"""Every task on real data runs from the files as they are distributed to the leaderboard, on tiny trees.

What sounds in a tree follows its labels, so that features beat the constant predictor on every task only if each label
stays with its sound through reader, decoder, windows, embedding, probe and decoding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.forked import quick
from trees import TREES, write_all
from typer.testing import CliRunner

from benchmark import registry
from benchmark.cli import main as cli
from benchmark.corpora.datasets.dataset import DATA_HOME, DataSet
from benchmark.interfaces import Task
from benchmark.probing.evaluate import Trial
from benchmark.testing import check_task

CORPORA = [name for name in registry.corpora.names() if issubclass(registry.corpora.get(name), DataSet)]
TASKS = [name for name in registry.tasks.names() if registry.tasks.get(name).corpus in CORPORA]
#: one of each kind of output, the one with unknown tags, and the one with several test sets
SOME = (
    *("nsynth_pitch", "openmic_instrument", "mtat_tags", "emomusic_emotion"),
    *("ballroom_downbeat", "mir_1k_melody", "guitarset_chord"),
)
GRID = """
name: every
corpus: {corpus}
size: {size}
strategies: [constant, mfcc]
encoders: [cnn_small]
tasks: [{tasks}]
fractions: {{1.0: 1}}
probes: [linear]
seeds: [0]
pretrain: {{crops: 640, batch_size: 32}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home with all data sets."""
    root = tmp_path_factory.mktemp("homes")
    write_all(root)
    return root


@pytest.fixture
def home(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_HOME, str(root))
    return root


def _loaded(name: str) -> tuple[Task, pd.DataFrame]:
    task = registry.tasks.get(name)()
    return task, registry.corpora.get(task.corpus)().tracks()


def test_every_data_set_has_a_tree_and_every_task_a_corpus() -> None:
    assert sorted(TREES) == sorted(CORPORA)
    assert {registry.tasks.get(name).corpus for name in TASKS} == set(CORPORA)
    assert {registry.tasks.get(name).output for name in SOME} == {registry.tasks.get(name).output for name in TASKS}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_keeps_the_contract(name: str, home: Path) -> None:
    task, tracks = _loaded(name)
    labelled = tracks["split"][[target is not None for target in task.targets(tracks)]].value_counts()
    assert labelled["train"] >= 8
    assert labelled[["val", "test"]].min() >= 4
    check_task(type(task), tracks)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_chosen_by_is_neither_learned_from_nor_tested(name: str, home: Path) -> None:
    task, tracks = _loaded(name)
    trial = Trial.of(task, tracks, {0.01: 2, 0.1: 2, 1.0: 1}, shuffle_labels=False)
    for subset in trial.subsets:
        parts = [set(part.tolist()) for part in (subset.train, subset.val, trial.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts))


@pytest.mark.parametrize("name", CORPORA)
def test_a_full_data_set_passes_its_check(name: str, home: Path) -> None:
    done = CliRunner().invoke(cli.app, ["data", "check", name, "--data-home", str(home)])
    assert done.exit_code == 0, done.output
    count = len(registry.corpora.get(name)().tracks())
    assert f"{count} of {count} files" in done.output


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    TREES["nsynth"](tmp_path)
    lost = next((tmp_path / "nsynth" / "nsynth-test" / "audio").iterdir())
    lost.unlink()
    done = quick("data", "check", "nsynth", "--data-home", str(tmp_path))
    assert done.returncode == 1
    assert f"not there: nsynth-test/audio/{lost.name}\n" in done.stdout
    assert "32 of 33 files" in done.stdout


def test_data_sets_that_are_there_are_listed_and_others_with_where_to_get_them(root: Path, tmp_path: Path) -> None:
    def listed(home: Path) -> dict[str, str]:
        lines = quick("data", "list", "--data-home", str(home)).stdout.splitlines()
        return dict(line.split(": ", 1) for line in lines if line.partition(": ")[0] in CORPORA)

    everything = listed(root)
    assert set(everything) == set(CORPORA)
    assert "missing" not in everything.values()
    TREES["nsynth"](tmp_path)
    one = listed(tmp_path)
    assert one.pop("nsynth").startswith("33 tracks")
    assert set(one) == set(CORPORA) - {"nsynth"}
    assert set(one.values()) == {"missing"}


def _run(root: Path, folder: Path, data: Path, corpus: str, size: str, tasks: list[str]) -> None:
    """One run of all `tasks`, whose scores are then held to what the trees contain."""
    (folder / "grid.yaml").write_text(GRID.format(corpus=corpus, size=size, tasks=", ".join(tasks)))
    where = ["--data-home", str(root), "--data-dir", str(data), "--out", str(folder / "out")]
    done = quick("run", "--grid", str(folder / "grid.yaml"), *where)
    assert done.returncode == 0, done.stdout + done.stderr
    scores = pd.read_parquet(folder / "out" / "scores.parquet")
    for name in tasks:
        task, tracks = _loaded(name)
        labelled = np.array([target is not None for target in task.targets(tracks)])
        rows = scores[scores["task"] == name].set_index(["strategy", "metric"])
        for suffix, members in task.test_sets(tracks).items():
            main = rows.loc[[(strategy, task.metric + suffix) for strategy in ("constant", "mfcc")]]
            assert (main["n_test"] == (members & labelled).sum()).all(), name
            assert np.isfinite(main["value"]).all(), name
        values = rows["value"].unstack()[task.metric]
        assert values["mfcc"] > values["constant"] + 0.1, f"{name}: its labels are not heard"


@pytest.mark.long
def test_one_task_of_each_kind_runs_to_its_scores(home: Path, tmp_path: Path) -> None:
    _run(home, tmp_path, tmp_path / "data", "nsynth", "all", list(SOME))


@pytest.mark.long
def test_every_task_runs_to_its_scores(home: Path, tmp_path: Path, data_dir: Path) -> None:
    _run(home, tmp_path, data_dir, "rendered_scores", "tiny", TASKS)
