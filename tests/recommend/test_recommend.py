"""`recommend` as people and scripts use it: on a folder of classes that MFCC separates, and on what it cannot take."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.forked import quick
from typer.testing import CliRunner

from benchmark import registry
from benchmark.cli.main import app
from benchmark.encoders import exported as exports
from benchmark.encoders.exported import shipped
from benchmark.recommend.question import contestants, fractions, pretrained, question

RATE = 16_000


def tone_or_noise(path: Path, kind: str, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(RATE // 2) / RATE
    sound = np.sin(2 * np.pi * rng.uniform(200, 800) * t) if kind == "tone" else rng.normal(size=len(t))
    soundfile.write(path, 0.1 * sound, RATE)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 clips of two kinds, a folder each; one of them twice."""
    folder, rng = tmp_path_factory.mktemp("sound") / "mine", np.random.default_rng(0)
    for i in range(40):
        kind = ("tone", "noise")[i % 2]
        tone_or_noise(folder / kind / f"{i}.wav", kind, rng)
    (folder / "tone" / "again.wav").write_bytes((folder / "tone" / "0.wav").read_bytes())
    return folder


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "simclr"
    assert CliRunner().invoke(app, ["export", str(tiny_run), "simclr", "--to", str(folder), "--half"]).exit_code == 0
    return folder


def _ship(folder: Path) -> None:
    exports.SHIPPED = str(folder)  # an absolute path, below whatever folder it is looked for


@pytest.fixture(params=[2, pytest.param(None, marks=pytest.mark.long)])
def some_shipped(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two of the encoders that come with the package, or all: the same for each, at a second or two."""
    for name, path in list(shipped().items())[: request.param]:
        shutil.copytree(path, tmp_path / "shipped" / name)
    return tmp_path / "shipped"


def test_a_folder_of_classes_is_answered_in_one_json_document(
    classes: Path, exported: Path, some_shipped: Path, data_dir: Path, tmp_path: Path
) -> None:
    args = ("recommend", str(classes), "--encoders", str(exported), "--json", "--data-dir", str(data_dir))
    args = (*args, "--out", str(tmp_path / "out"), "--store", str(tmp_path / "store"), "--contestants", "none")
    done = quick(*args, first=partial(_ship, some_shipped), env={"MIR_PRETEXT_NO_MLFLOW": "0"})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["tracks"], told["groups"]) == (41, 40)  # what is there twice is on one side
    answer = told["answers"]["class"]
    names = {path.name for path in some_shipped.iterdir()}
    own = "simclr-2" if "simclr" in names else "simclr"
    assert answer["rows"].keys() == {*names, own, "informed", "mfcc", "random", "constant"}
    assert answer["rows"]["mfcc"]["mean"] == 1.0
    assert answer["rows"]["constant"]["mean"] < 0.8
    assert answer["rows"][own]["heard"] == "rendered_scores/tiny"
    assert "mfcc" in answer["leading"]
    assert answer["goal"] is None
    assert answer["forecast"] is None
    page = Path(told["page"]).read_text()
    assert own in page
    assert not list((tmp_path / "out").glob("ml*"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("manifest.json")}
    again = quick(*args, first=partial(_ship, some_shipped))
    assert json.loads(again.stdout)["answers"] == told["answers"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("manifest.json")} == before


def test_contestants_are_those_whose_packages_are_there() -> None:
    found = contestants()
    assert set(found) == {
        name
        for name in ("crepe_tiny", "pesto_pitch")
        if registry.encoders.get(registry.strategies.get(name).encoder_name).installed()
    }
    grid = question("mine", ["mine-genre"], 40, [], [5.0, 5.0], contestants=found)
    assert set(grid.strategies) == {*shipped(), *found, "informed", "mfcc", "random", "constant"}


def _bad(folder: Path) -> dict[str, tuple[list[str], str]]:
    (folder / "flat").mkdir()
    (folder / "one" / "a").mkdir(parents=True)
    tone_or_noise(folder / "one" / "a" / "x.wav", "tone", np.random.default_rng(0))
    (folder / "titles").mkdir()
    for i in range(40):
        tone_or_noise(folder / "titles" / f"{i}.wav", "tone", np.random.default_rng(i))
    rows = "".join(f"{i}.wav,song {i}\n" for i in range(40))
    (folder / "titles" / "tracks.csv").write_text("path,title\n" + rows)
    (folder / "gone.csv").write_text("path,genre\n" + "".join(f"no{i}.wav,{'ab'[i % 2]}\n" for i in range(40)))
    (folder / "cells.csv").write_text("path,value:number\ntitles/1.wav,high\ntitles/2.wav,1\n")
    (folder / "fine.csv").write_text("path,genre\n" + "".join(f"titles/{i}.wav,{'ab'[i % 2]}\n" for i in range(40)))
    return {
        "nothing": ([str(folder / "nothing.csv")], "no such table or folder"),
        "a corpus": (["rendered_scores"], "no such table or folder"),
        "empty": ([str(folder / "flat")], "there is none in any"),
        "one class": ([str(folder / "one")], "there is sound in 1 of them"),
        "titles": ([str(folder / "titles")], "0 of 40 classes are both in train and in test"),
        "no audio": ([str(folder / "gone.csv")], "40 of 40 tracks have no audio that can be read"),
        "no number": ([str(folder / "cells.csv")], "line 2: value:number 'high' is not a number"),
        "no label": ([str(folder / "fine.csv"), "--labels", "gerne"], "did you mean 'genre'"),
        "no export": ([str(folder / "fine.csv"), "--encoders", str(folder / "flat")], "lacks config.json"),
        "no weights": ([str(folder / "fine.csv"), "--contestants", "simclr"], "simclr: brings no weights"),
        "no folder": ([str(folder / "fine.csv"), "--encoders", "simclrr"], "there is no such folder"),
        "no executor": ([str(folder / "fine.csv"), "--executor", "cloud"], "unknown name 'cloud'"),
        "no goal": ([str(folder / "fine.csv"), "--goal", "80"], "--goal"),
    }


def test_what_cannot_be_answered_ends_with_2_and_says_what_is_wrong(tmp_path: Path) -> None:
    for name, (args, says) in _bad(tmp_path).items():
        done = quick("recommend", *args, "--json", "--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"))
        said = " ".join(done.stderr.split())
        assert done.returncode == 2, (name, done.stderr)
        assert says in said, (name, said)
        assert "Traceback" not in done.stderr, name
        assert not done.stdout, name
    assert not list((tmp_path / "data").rglob("shard")), "nothing has been decoded"


def test_nobodys_text_steers_the_terminal(tmp_path: Path) -> None:
    """Neither a label in what is told before the answer, nor an error."""
    rows = []
    for i in range(40):
        tone_or_noise(tmp_path / "mine" / f"{i}.wav", "tone", np.random.default_rng(i))
        rows.append(f"{i}.wav,b\n" if i % 2 else f"{i}.wav,a\x1bc\n")
    (tmp_path / "mine" / "tracks.csv").write_text("path,genre\n" + "".join(rows))
    done = quick("recommend", str(tmp_path / "mine"), "--encoders", "no\x1bc", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "a\ufffdc" in done.stdout
    assert "no\ufffdc: there is no such folder" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_curves_have_points_from_a_few_labels_to_all() -> None:
    for labels in (12, 30, 84, 350, 8000):
        shares = list(fractions(labels))
        assert shares[-1] == 1
        assert shares == sorted(set(shares))
        assert round(shares[0] * labels) == 10
    assert fractions(6) == {1.0: 1}


def test_rows_are_named_like_their_folders_and_never_like_another(tmp_path: Path, exported: Path) -> None:
    import shutil

    for name in ("a/mfcc", "b/mine", "c/mine", "d/größe 2"):
        shutil.copytree(exported, tmp_path / name)
    found = pretrained([str(tmp_path / name) for name in ("a/mfcc", "b/mine", "c/mine", "d/größe 2")])
    assert list(found) == [*shipped(), "mfcc-2", "mine", "mine-2", "gr_e_2"]
