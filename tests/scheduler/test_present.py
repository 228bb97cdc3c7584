"""`absent: skip`: a grid runs on the data sets that are here, and says which are not; others are refused as ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.forked import quick
from trees.dances import ballroom
from trees.notes import tinysol

from benchmark import registry
from benchmark.cli.main import main
from benchmark.corpora.datasets.dataset import DATA_HOME, DataSet, _tracks
from benchmark.files import DATA_FOLDER
from benchmark.interfaces import UserError
from benchmark.scheduler.grid_files import load, narrow
from benchmark.scheduler.planning.plan import plan
from benchmark.scheduler.planning.present import present, words_of_left_out

BALLROOM = ["ballroom_tempo", "ballroom_beat", "ballroom_downbeat", "ballroom_dance"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets")
    ballroom(root)
    tinysol(root)
    return root


def test_the_real_grid_has_every_task_on_a_data_set() -> None:
    tasks = {name: registry.tasks.get(name) for name in registry.tasks.names()}
    real = {name for name, task in tasks.items() if issubclass(registry.corpora.get(task.corpus), DataSet)}
    assert real == set(load("real").tasks)


def test_tasks_without_data_are_left_out_and_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_HOME, str(home))
    grid = present(load("real"))
    assert grid.tasks == ["tinysol_instrument", *BALLROOM]
    left = {task for tasks in grid.left_out.values() for task in tasks}
    assert left | set(grid.tasks) == set(load("real").tasks)
    assert grid.left_out["gtzan"] == ["gtzan_tempo", "gtzan_beat", "gtzan_downbeat", "gtzan_genre"]
    (said,) = words_of_left_out(grid)
    assert "run on what is on this disk: tinysol, ballroom; left out" in said
    assert present(load("smoke")) == load("smoke")
    with pytest.raises(UserError, match=r"there is no .*gtzan"):  # who does not say so, is refused
        plan(narrow(load("smoke"), tasks=["ballroom_dance", "gtzan_genre"]))


def test_annotations_without_sound_and_sound_without_labels_are_absent_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballroom(tmp_path)
    tinysol(tmp_path)
    for path in (tmp_path / "tinysol").rglob("*.wav"):
        path.unlink()
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    index = registry.corpora.get("ballroom").index
    monkeypatch.setattr(
        registry.corpora.get("ballroom"), "index", lambda self, home: index(self, home).assign(dance=None)
    )
    _tracks.cache_clear()
    assert present(load("real")).tasks == BALLROOM[:-1]
    _tracks.cache_clear()


def test_with_none_here_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (DATA_HOME, DATA_FOLDER):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("sys.argv", ["benchmark", "run", "--grid", "real", "--data-home", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "real: none of its data sets is here" in said
    assert "'data get NAME' downloads some (tinysol, nsynth," in said


def test_one_command_runs_what_is_here(home: Path, tmp_path: Path) -> None:
    args = ["--grid", "real", "--data-home", str(home), "--data-dir", str(tmp_path / "data")]
    args += ["--out", str(tmp_path / "out"), "--strategies", "constant,mfcc", "--fractions", "1"]
    args += ["--tasks", "tinysol_instrument,ballroom_dance,gtzan_genre,nsynth_pitch", "--set", "probes=[linear]"]
    done = quick("run", *args)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert set(record["tasks"]) == {"tinysol_instrument", "ballroom_dance"}
    said = "left out, for their data is not here: gtzan (gtzan_genre), nsynth (nsynth_pitch)"
    assert said in record["warnings"][0]
    assert said in (tmp_path / "out/leaderboard.html").read_text()
    assert said in done.stderr
