"""IRMAS: instruments from folders in training, from text files in the test; excerpts of a recording stay together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_trees import apart, heard, refused
from sklearn.metrics import label_ranking_average_precision_score
from trees.files import tone, written

from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.instruments.irmas import IRMAS
from benchmark.interfaces import UserError
from tasks.irmas_instrument import IRMASInstrument

TRAINING = ("cel/[cel][cla]0001__1", "org/110__[org][dru][jaz_blu]1117__2", "flu/008__[flu][nod][cla]0393__1")
TESTING = {
    "Part1/Part1/02 - And The Body Will Die-8": "gel\t\nvoi\t\n",
    "Part1/Part1/02 - And The Body Will Die-10": "voi\t\n",
    "Part2/IRTestingData-Part2/(02) dont kill the whale-1": "gel\nvoi\ngel",
    "Part3/Part3/05 - Sax (live)-2": "sax\t\r\npia\t\r\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "irmas"
    more = [f"pia/{n:03}__[pia][nod][cla]{1300 + n}__{k}" for n in range(60) for k in (1, 2, 3)]
    for name in (*TRAINING, *more):
        written(home / "IRMAS-TrainingData" / f"{name}.wav")
    written(home / "IRMAS-TrainingData/cel/._[cel][cla]0001__1.wav")
    for name, codes in TESTING.items():
        written(home / f"IRMAS-TestingData-{name}.wav")
        written(home / f"IRMAS-TestingData-{name}.txt", codes)
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


def test_excerpts_are_read(root: Path) -> None:
    tracks = IRMAS().tracks().set_index("id")
    assert len(tracks) == 3 + 180 + 4
    organ = tracks.loc["IRMAS-TrainingData/org/110__[org][dru][jaz_blu]1117__2"]
    assert (organ["instruments"], organ["group"]) == (["org"], "recording 1117")
    test = tracks[tracks["split"] == "test"]
    assert test["instruments"].tolist() == [["voi"], ["gel", "voi"], ["gel", "voi"], ["sax", "pia"]]
    assert test["group"].tolist() == ["02 - And The Body Will Die"] * 2 + [
        "(02) dont kill the whale",
        "05 - Sax (live)",
    ]


def test_validation_is_carved_from_training_by_recording(root: Path) -> None:
    tracks = IRMAS().tracks()
    assert apart(tracks)
    share = tracks[tracks["group"].str.startswith("recording")].groupby("group")["split"].first().eq("val").mean()
    assert 0.01 < share < 0.3


def test_targets_are_tags(root: Path) -> None:
    task, tracks = IRMASInstrument(), IRMAS().tracks()
    found = [{task.classes[i] for i in np.flatnonzero(row)} for row in task.targets(tracks)]
    assert found == [set(codes) for codes in tracks["instruments"]]
    assert len(task.classes) == 11


def test_label_ranking_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 11)) < 0.2).astype(np.float32)
    truth[np.arange(200), rng.integers(11, size=200)] = 1
    noise = rng.normal(size=(200, 11))
    scores = IRMASInstrument().score(noise.tolist(), list(truth))
    assert scores["lrap"] == pytest.approx(label_ranking_average_precision_score(truth, noise))
    assert scores["roc_auc"] == pytest.approx(0.5, abs=0.06)
    assert scores["map"] == pytest.approx(truth.mean(), abs=0.06)
    assert IRMASInstrument().score(truth.tolist(), list(truth)) == {"map": 1.0, "roc_auc": 1.0, "lrap": 1.0}


def test_brackets_in_a_file_name(root: Path) -> None:
    tone(root / "irmas/IRMAS-TrainingData/cel/[cel][cla]0001__1.wav", 300.0, 1.0, 44_100)
    assert heard(IRMAS(), 0) == 300.0


def test_a_code_that_is_no_instrument(root: Path) -> None:
    written(root / "irmas/IRMAS-TestingData-Part3/Part3/05 - Sax (live)-2.txt", "sax\t\nbng\t\n")
    with pytest.raises(UserError, match="bng"):
        IRMAS().tracks()


def test_without_a_text_file(root: Path) -> None:
    refused(IRMAS, root, "IRMAS-TestingData-Part3/Part3/05 - Sax (live)-2.txt", "1290750")


def test_without_a_part(root: Path) -> None:
    (root / "irmas/IRMAS-TestingData-Part2").rename(root / "away")
    with pytest.raises(UserError, match=r"Part2.*Zenodo"):
        IRMAS().tracks()
