"""What plugins get wrong is said where it is declared, or in the step before the long jobs: never learned from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from helpers.forked import quick

from benchmark import registry
from benchmark.audio.waveforms import one_by_one
from benchmark.corpora.rendered.notes import RenderedNotes
from benchmark.corpora.usable import check_catalog
from benchmark.interfaces import UserError
from benchmark.modules import Crops
from benchmark.probing.embed import check_frames
from benchmark.probing.items import check_items, check_scale
from benchmark.scheduler.preflight import try_strategy
from strategies.simclr import SimCLR
from tasks.pitch import Pitch

STRATEGY = """
from pydantic import Field
from benchmark.interfaces import Config, Info
from benchmark.modules import Crops
from strategies.simclr import SimCLR, SimCLRConfig
class Mine(SimCLR):
    info = Info("mine", "Mine", "nobody")
"""
TASK = """
from benchmark.interfaces import Info, Task
class Mine(Task):
    info = Info("mine", "Mine", "nobody")
    corpus, output, metric, level, classes = "rendered_notes", "multiclass", "accuracy", "pitch", ("a", "b")
"""
CORPUS = """
from benchmark.interfaces import Corpus, Info
class Mine(Corpus):
    info, sample_rate, sizes = Info("mine", "Mine", "nobody"), 16_000, {"all": 10}
"""
FOR = {STRATEGY: "--strategies", TASK: "--tasks", CORPUS: "--corpus"}


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        (STRATEGY, "    needs = ['mel']\n", "`needs` is ['mel']; it must be of type frozenset"),
        (STRATEGY, "    family = None\n", "`family` is None; it must be of type str"),
        (STRATEGY, "    info = 'mine'\n", "`info` is 'mine'; it must be of type Info"),
        (STRATEGY, "    class Config:\n        pass\n", "`Config` is"),
        (STRATEGY, "    @classmethod\n    def crops(cls, config): return Crops(placement='adjecent')\n", "'adjecent'"),
        (STRATEGY, "    @classmethod\n    def crops(cls, config): return Crops(count=0)\n", "count = 0"),
        (
            STRATEGY,
            "    @classmethod\n    def crops(cls, config): return {'count': 2}\n",
            "gives a dict; it must be a Crops",
        ),
        (STRATEGY, "    def crops(self, config): return Crops()\n", "its crops(config) fails: TypeError"),
        (
            STRATEGY,
            "    class Config(SimCLRConfig):\n        t: float = Field(default=-0.1, gt=0)\n",
            "strategies.mine.t: Input should be greater than 0",
        ),
        (TASK, "    level = 'brightness'\n", "`level` is 'brightness'; it must be one of timbre, pitch"),
        (TASK, "    output = 'classification'\n", "`output` is 'classification'; it must be one of multiclass"),
        (TASK, "", "does not define decode, targets"),
        (CORPUS, "    sizes = 10\n", "`sizes` is 10; it must be of type dict"),
        (CORPUS, "", "does not define catalog, fingerprint, render"),
    ],
)
def test_a_slip_in_a_class_is_named_while_planning(text: str, more: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "slip.py").write_text(text + more)
    where = ("--plugin", str(tmp_path / "slip.py"), "--data-dir", str(tmp_path), "--out", str(tmp_path / "out"))
    done = quick("plan", "--grid", "smoke", FOR[text], "mine", *where)
    assert done.returncode == 2, done.stdout
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("genre", "has no label 'genre'; as a corpus, its columns are 'genre:class'"),
        ("genre:class", "mine: its targets or test sets fail in mine.py, line 7: ZeroDivisionError"),
    ],
)
def test_a_task_of_ones_own_on_ones_own_table_is_told_what_is_wrong(labels: str, says: str, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    rows = [f"{i}.wav,{'ab'[i % 2]},{['train', 'val', 'test'][i % 3]}" for i in range(12)]
    for i in range(12):
        sf.write(folder / f"{i}.wav", np.random.default_rng(i).uniform(-0.1, 0.1, 64_000), 16_000)
    (folder / "tracks.csv").write_text("\n".join(["path,genre,split", *rows]))
    text = TASK.replace("rendered_notes", "music") + f"    labels = ({labels!r},)\n"
    (tmp_path / "mine.py").write_text(
        text + "    def targets(self, tracks): 1 / 0\n    def decode(self, outputs, rate): pass\n"
    )
    plugins = ("--plugin", str(folder / "tracks.csv"), "--plugin", str(tmp_path / "mine.py"))
    where = ("--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"))
    done = quick("plan", "--grid", "smoke", *plugins, "--tasks", "mine", *where)
    assert done.returncode == 2, done.stdout
    assert says in " ".join(done.stderr.split())


def test_what_a_class_is_follows_from_what_it_is_derived_from(tmp_path: Path) -> None:
    """A strategy may have a method `body`, an encoder a `statement`."""
    (tmp_path / "bodied.py").write_text(STRATEGY.replace("mine", "bodied") + "    def body(self): pass\n")
    where = ("--data-dir", str(tmp_path), "--out", str(tmp_path / "out"))
    done = quick("plan", "--grid", "smoke", "--plugin", str(tmp_path / "bodied.py"), "--strategies", "bodied", *where)
    assert done.returncode == 0, done.stderr


def test_samples_that_are_no_int16_are_refused(tmp_path: Path) -> None:
    """A cast would make silence of them."""
    tone = np.sin(np.arange(1000, dtype=np.float32) / 10)
    for sound in (tone, np.stack([tone, tone], 1).astype(np.int16)):
        with pytest.raises(UserError, match="audio is to be mono int16"), one_by_one(tmp_path / "x.npy") as append:
            append(sound)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tracks: tracks.drop(columns="group"), "no column group"),
        (lambda tracks: tracks.assign(id="a"), "ids twice, such as 'a'"),
        (lambda tracks: tracks[:5], "lists 5 tracks where 10 were asked for"),
    ],
)
def test_a_catalog_that_breaks_what_follows_is_refused(change: Any, says: str) -> None:
    tracks = pd.DataFrame({"id": [*"abcdefghij"], "group": [*"abcdefghij"], "split": "train"})
    check_catalog(RenderedNotes(), tracks, 10)
    with pytest.raises(UserError, match=says):
        check_catalog(RenderedNotes(), change(tracks), 10)


def notes() -> pd.DataFrame:
    split = np.resize(["train", "val", "test"], 30)
    return pd.DataFrame({"id": [f"{i}" for i in range(30)], "group": range(30), "split": split, "pitch": 60})


class Minus(Pitch):
    """One that says -1 for nothing."""

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return [-1, *super().targets(tracks)[1:]]


class Fewer(Pitch):
    """One that leaves tracks out."""

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return super().targets(tracks)[1:]


class Names(Pitch):
    """One that gives the classes' names."""

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        return ["c"] * len(tracks)


class Leaks(Pitch):
    """One that tests on all tracks."""

    def test_sets(self, tracks: pd.DataFrame) -> dict[str, Any]:
        return {"": np.ones(len(tracks), bool)}


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (Minus, r"class -1 of 61, counted from 0 \(None: no label\)"),
        (Fewer, r"targets\(\) gives 29 for 30 tracks"),
        (Names, "its targets or test sets fail in .*: ValueError: invalid literal"),
        (Leaks, "test set '' holds training or validation tracks"),
    ],
)
def test_labels_that_would_be_scored_otherwise_than_meant_are_refused(task: type[Pitch], says: str) -> None:
    check_items(Pitch(), notes())
    with pytest.raises(UserError, match=says):
        check_items(task(), notes())


class Worse(Pitch):
    """One whose main metric is an error, and that does not say so."""

    def main_score(self, predictions: list[Any], targets: list[Any]) -> float:
        return -super().main_score(predictions, targets)


class Unsaid(Pitch):
    """One whose main metric divides by nothing."""

    def main_score(self, predictions: list[Any], targets: list[Any]) -> float:
        return math.nan


class Elsewhere(Pitch):
    """One whose main test set has no label, though another one has."""

    def test_sets(self, tracks: pd.DataFrame) -> dict[str, Any]:
        return {"": np.zeros(len(tracks), bool), " (all)": (tracks["split"] == "test").to_numpy()}


class Lower(Worse):
    """One that says so."""

    higher_is_better = False


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (Worse, r"is -1 where the truth is said, -0 where nothing is, though higher_is_better is True"),
        (Elsewhere, "pitch: no track of its main test set has a label"),
        (Unsaid, "of outputs that say the truth is nan, so that no score says anything"),
        (type("Upside", (Pitch,), {"higher_is_better": False}), "though higher_is_better is False"),
    ],
)
def test_a_metric_that_does_not_know_the_truth_from_noise_is_refused(task: type[Pitch], says: str) -> None:
    for good in (Pitch, Lower):
        check_scale(good(), notes())
    with pytest.raises(UserError, match=says):
        check_scale(task(), notes())


def changed(**methods: Any) -> Any:
    torch.manual_seed(0)
    cls = type("Changed", (SimCLR,), methods)
    return cls(registry.encoders.get("cnn_small")(), cls.Config())


def test_what_a_step_would_not_learn_from_is_found_before_any() -> None:
    def of(loss: Any) -> Any:
        return changed(loss=lambda self, embeddings: loss(SimCLR.loss(self, embeddings)))

    try_strategy(of(lambda found: found), "32-true", "cpu")
    for loss, says in (
        (lambda found: {"loss": 0.0 * found["loss"] + 1}, "no gradient reaches the encoder"),
        (lambda found: {"loss": found["loss"] + (found["loss"] - found["loss"]).sqrt()}, "is not finite in the first"),
        (lambda found: found["loss"], "gives no dict with 'loss' in it"),
        (lambda found: {"total": found["loss"]}, "gives no dict with 'loss' in it"),
        (lambda found: {"loss": found["loss"].item()}, "is no scalar tensor"),
        (lambda found: {"loss": found["loss"].repeat(8)}, "is no scalar tensor"),
    ):
        with pytest.raises(ValueError, match=says):
            try_strategy(of(loss), "32-true", "cpu")
    head = changed(embed=lambda self, views: {"a": torch.nn.Linear(3, 2)(torch.ones(2, 4))})
    with pytest.raises(ValueError, match=r"a step of simclr fails in test_contracts.py, line \d+: mat1 and mat2"):
        try_strategy(head, "32-true", "cpu")
    views = changed(views=lambda self, batch, generator: tuple(SimCLR.views(self, batch, generator).values()))
    with pytest.raises(ValueError, match="gives no dict of tensors, but a tuple"):
        try_strategy(views, "32-true", "cpu")


def test_frames_at_another_rate_than_declared_are_refused() -> None:
    for count, seconds in ((101, 4.0), (38, 1.0), (1, 0.05)):  # the second with half a second of silence before it
        check_frames(count, seconds, 25.0)
    for count in (1, 50, 200):
        with pytest.raises(UserError, match=f"gives {count} frames of 4.00 s of audio, where its frame_rate of 25"):
            check_frames(count, 4.0, 25.0)


def test_crops_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"seconds = -1.0"):
        Crops(seconds=-1.0)
    with pytest.raises(ValueError, match="tags = 'shape'"):
        Crops(tags="shape")  # type: ignore[arg-type]


class Drops(registry.encoders.get("cnn_small")):  # type: ignore[misc]
    """An encoder whose dropout does not know of evaluation."""

    def body(self, features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(super().body(features), 0.1)


def test_an_encoder_that_draws_in_evaluation_is_found_before_any_training() -> None:
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="cnn_small embeds the same sound otherwise each time"):
        try_strategy(SimCLR(Drops(), SimCLR.Config()), "32-true", "cpu")
