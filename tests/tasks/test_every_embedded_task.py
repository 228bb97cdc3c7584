"""Every task of the embedded corpora, from the command line to its scores; and the control with shuffled labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import catalog_of
from helpers.forked import quick
from sklearn.metrics import adjusted_mutual_info_score

from benchmark import registry
from benchmark.corpora.rendered.notes import RenderedNotes
from benchmark.corpora.rendered.scores import RenderedChorales
from benchmark.testing import check_task

CORPORA = ("rendered_scores", "rendered_chorales", "rendered_notes")
TASKS = [name for name in registry.tasks.names() if registry.tasks.get(name).corpus in CORPORA]
GRID = """
name: every
corpus: rendered_scores
size: tiny
sizes: {{rendered_chorales: few, rendered_notes: few}}
strategies: [constant, mfcc]
encoders: [cnn_small]
tasks: [{tasks}]
fractions: {{1.0: 1}}
probes: [linear]
seeds: [0]
pretrain: {{crops: 640}}
"""


def _few() -> None:
    """Of what no other test here hears, enough for every label."""
    RenderedChorales.sizes["few"], RenderedNotes.sizes["few"] = 96, 183


def _run(folder: Path, data_dir: Path, **more: str) -> pd.DataFrame:
    text = GRID.format(tasks=", ".join(TASKS)) + "".join(f"{key}: {value}\n" for key, value in more.items())
    (folder / "grid.yaml").write_text(text)
    where = ("--grid", str(folder / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(folder / "out"))
    done = quick("run", *where, first=_few)
    assert done.returncode == 0, done.stdout + done.stderr
    scores = pd.read_parquet(folder / "out" / "scores.parquet")
    main = [row.metric == registry.tasks.get(str(row.task)).metric for row in scores.itertuples()]
    return scores[main].set_index(["task", "strategy"]).sort_index()


@pytest.fixture(scope="module")
def scores(data_dir: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """After the tiny run, so that the first file of the session makes all that is shared."""
    return _run(tmp_path_factory.mktemp("every"), data_dir)


@pytest.fixture(scope="module")
def shuffled(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return _run(tmp_path_factory.mktemp("shuffled"), data_dir, shuffle_labels="true")


@pytest.fixture(scope="module")
def catalogs(scores: pd.DataFrame, data_dir: Path) -> dict[str, pd.DataFrame]:
    return {
        name: pd.read_parquet(catalog_of(name, data_dir) / "tracks.parquet")
        for name in {registry.tasks.get(task).corpus for task in TASKS}
    }


@pytest.mark.parametrize("name", TASKS)
def test_it_keeps_the_contract(name: str, catalogs: dict[str, pd.DataFrame]) -> None:
    task = registry.tasks.get(name)
    check_task(task, catalogs[task.corpus])


@pytest.mark.parametrize("name", [name for name in TASKS if registry.tasks.get(name).told_by])
def test_what_tells_of_a_label_does(name: str, catalogs: dict[str, pd.DataFrame]) -> None:
    """What clips of one value of that column have in common, as far as others' do not: 0 by chance, 1 if it is told."""
    task = registry.tasks.get(name)
    tracks = catalogs[task.corpus].dropna(subset=[*task.labels[:1], *task.told_by])
    label = tracks[task.labels[0]]
    if name in ("beat", "downbeat"):  # beats a minute, beats a bar
        seconds = label.map(lambda times: np.median(np.diff(times)))
        label = (60 / seconds if name == "beat" else seconds * tracks["tempo"] / 60).round()
    (told,) = (tracks[column] for column in task.told_by)
    told = told.round() if name == "beat" else told
    assert adjusted_mutual_info_score(label.map(str), told.map(str)) > 0.1


@pytest.mark.parametrize("name", TASKS)
def test_it_runs(name: str, scores: pd.DataFrame) -> None:
    cells = scores.loc[name]
    assert set(cells.index) == {"constant", "mfcc"}
    assert np.isfinite(cells["value"]).all()
    assert (cells["n_test"] > 0).all()


@pytest.mark.long
@pytest.mark.parametrize("name", TASKS)
def test_shuffled_labels_are_worth_nothing(
    name: str, scores: pd.DataFrame, shuffled: pd.DataFrame, catalogs: dict[str, pd.DataFrame]
) -> None:
    """What is left is what is known of all clips alike, which the constant predictor has, too."""
    task = registry.tasks.get(name)()
    cell, floor = shuffled.loc[(name, "mfcc")], scores.loc[(name, "constant"), "value"]
    if task.output == "frame_activation":  # a constant has no peaks; peaks anywhere hit some beats
        tracks = catalogs[task.corpus]
        truth = task.targets(tracks[tracks["split"] == "test"])
        noise = np.random.default_rng(0).normal(size=(len(truth), 200)).astype(np.float32)
        floor = task.score(task.decode(list(noise), 25.0), truth)[task.metric]
    assert cell["value"] < floor + 4 * max(cell["test_stderr"], 0.02)
