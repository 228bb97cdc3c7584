"""The public check of tasks: what is sound passes, and each kind of defect is named.

Conventions: the tasks are on twenty tracks of each split, whose label is their number modulo three.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.interfaces import Info, Task
from benchmark.testing import check_task
from tasks.kinds.beats import BeatTracking
from tasks.kinds.classification import Classification
from tasks.kinds.regression import Regression
from tasks.kinds.tagging import Tagging

NAMES = ("a", "b", "c")


@pytest.fixture
def tracks() -> pd.DataFrame:
    number = np.arange(60)
    return pd.DataFrame(
        {
            "id": number.astype(str),
            "group": number.astype(str),
            "split": np.repeat(["train", "val", "test"], 20),
            "letter": np.array(NAMES, object)[number % 3],
            "number": number.astype(float),
            "tags": [["a"] * (i % 2) + ["b"] * (i % 3 == 0) for i in range(60)],
            "beats": [(np.arange(0.3, 70, 0.5) + i / 100).tolist() for i in range(60)],
        }
    )


class Sound(Classification):
    """A task that keeps the contract. Each class below has one defect, which `says` names."""

    info = Info("sound", "Sound", "this test")
    level = "style"
    corpus = "test"
    labels = ("letter",)
    classes = NAMES


class Tags(Tagging):
    info = Info("tags", "Tags", "this test")
    level = "style"
    corpus = "test"
    labels = ("tags",)
    classes = ("a", "b")


class Numbers(Regression):
    info = Info("numbers", "Numbers", "this test")
    level = "style"
    corpus = "test"
    labels = ("number",)
    classes = ("number",)


class Beats(BeatTracking):
    """Beats up to 70 s: outputs that say the truth must be as long as the truth is."""

    info = Info("beats", "Beats", "this test")
    level = "time"
    corpus = "test"
    labels = ("beats",)


@pytest.mark.parametrize("cls", [Sound, Tags, Numbers, Beats])
def test_a_sound_task_passes(cls: type[Task], tracks: pd.DataFrame) -> None:
    check_task(cls, tracks)


class LearnsFromItsTest(Sound):
    says = "test set '' holds training or validation tracks"

    def test_sets(self, tracks):
        return {"": (tracks["split"] != "val").to_numpy()}


class ChoosesByItsTest(Sound):
    says = "test set '_more' holds training or validation tracks"

    def test_sets(self, tracks):
        return {**super().test_sets(tracks), "_more": (tracks["split"] != "train").to_numpy()}


class HasNoMainTestSet(Sound):
    says = "no main test set"
    test_splits = {"_other": "test"}


class HasNothingToTest(Sound):
    says = "its test set has no label"
    test_splits = {"": "elsewhere"}


class LacksValidationLabels(Sound):
    says = "split val has no label"

    def targets(self, tracks):
        found = zip(super().targets(tracks), tracks["split"], strict=True)
        return [None if split == "val" else target for target, split in found]


class ForgetsTracks(Sound):
    says = "59 targets for 60 tracks"

    def targets(self, tracks):
        return super().targets(tracks)[1:]


class CountsFromOne(Sound):
    says = "class 3 of 3, counted from 0"

    def targets(self, tracks):
        return [target + 1 for target in super().targets(tracks)]


class HasAFourthClassInTraining(Sound):
    says = "class 3 of 3, counted from 0"

    def targets(self, tracks):
        return [3, *super().targets(tracks)[1:]]


class MarksTheUnknown(Tags):
    says = r"a target holds \[-1.0\]"

    def targets(self, tracks):
        return [np.array([-1, 1], np.float32), *super().targets(tracks)[1:]]


class HasAnotherNumberOfTags(Tags):
    says = r"a target of shape \(2,\) for 3 names"
    classes = NAMES

    def targets(self, tracks):
        return [target[:2] for target in super().targets(tracks)]


class RegressesOnNothing(Numbers):
    says = r"a target holds \[nan\]"

    def targets(self, tracks):
        return [np.array([np.nan], np.float32), *super().targets(tracks)[1:]]


class BeatsTwice(Beats):
    says = "frame targets outside their range"

    def frame_targets(self, target, n_frames, frame_rate):
        return 2 * super().frame_targets(target, n_frames, frame_rate)


class CountsFramesItself(Beats):
    says = "101 frame targets for 100 frames"

    def frame_targets(self, target, n_frames, frame_rate):
        return super().frame_targets(target, n_frames + 1, frame_rate)


class ScoresSomethingElse(Sound):
    says = r"score gives \['hits'\], without its main metric accuracy"

    def score(self, predictions, targets):
        return {"hits": super().score(predictions, targets)["accuracy"]}


class DecodesTheUnlikeliest(Sound):
    says = "outputs that say the truth score 0.000 accuracy"

    def decode(self, outputs, frame_rate):
        return [int(logits.argmin()) for logits in outputs]


class PraisesNoise(Sound):
    says = "noise scores 1.000 accuracy"

    def score(self, predictions, targets):
        return {"accuracy": 1.0}


class CaresForTheOrder(Sound):
    says = "the score depends on the order of the items"

    def score(self, predictions, targets):
        weights = np.arange(len(targets)) + 1.0
        return {"accuracy": float(np.average(np.equal(predictions, targets), weights=weights))}


class PredictsWhatCannotBeStored(Sound):
    says = "its predictions cannot be stored in a table"

    def decode(self, outputs, frame_rate):
        return [complex(found) for found in super().decode(outputs, frame_rate)]

    def score(self, predictions, targets):
        return super().score([int(found.real) for found in predictions], targets)


class NeedsAnotherColumn(Sound):
    says = r"the corpus has no column \['mood'\]"
    labels = ("letter", "mood")


class IsToldByAnotherColumn(Sound):
    says = r"the corpus has no column \['mood'\]"
    told_by = ("mood",)


class QuotesNobody(Sound):
    says = "no citation"
    info = Info("sound", "Sound", "")


DEFECTS: list[Any] = [
    cls for base in (Sound, Tags, Numbers, Beats) for cls in base.__subclasses__() if cls.__module__ == __name__
]


@pytest.mark.parametrize("cls", DEFECTS, ids=lambda cls: cls.__name__)
def test_a_defect_is_named(cls: Any, tracks: pd.DataFrame) -> None:
    with pytest.raises(AssertionError, match=f"^{cls.info.name}: .*{cls.says}"):
        check_task(cls, tracks)
