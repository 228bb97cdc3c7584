"""The tasks on rendered scores score as their conventions say: perfect predictions, constants, and chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.corpora.rendered.palette import FAMILIES, FAMILY_OF, TRAINING_PROGRAMS
from benchmark.interfaces import Task
from tasks.chord import Chord
from tasks.collection import Collection
from tasks.dance import Dance
from tasks.downbeat import Downbeat
from tasks.instruments_present import InstrumentsPresent
from tasks.melody import Melody
from tasks.mode import Mode
from tasks.tempo import Tempo
from tasks.voices import Voices

RATE = 25.0


@pytest.mark.parametrize("task", [Mode(), Dance(), Collection(), Voices()], ids=lambda task: task.info.name)
def test_classes_are_the_columns_values_and_others_are_no_label(task: Task) -> None:
    column = [*task.classes, None, float("nan"), "kazoo"]
    targets = task.targets(pd.DataFrame({task.labels[0]: column}))
    assert targets == [*range(len(task.classes)), None, None, None]
    known = targets[:-3]
    assert set(task.score(known, known).values()) == {1.0}


def test_constants_score_what_the_conventions_say() -> None:
    assert Mode().score([0] * 100, [0] * 70 + [1] * 30)["macro_f1"] == pytest.approx(0.41, abs=0.005)
    rng = np.random.default_rng(0)
    tempi = np.exp(rng.uniform(np.log(60), np.log(180), 4000))
    targets = Tempo().targets(pd.DataFrame({"tempo": tempi}))
    assert Tempo().score([100.0] * 4000, targets)["accuracy1"] == pytest.approx(0.07, abs=0.015)


def test_every_tempo_has_its_bin() -> None:
    task = Tempo()
    tempi = np.array([56.5, 60, 77.7, 104, 180, 190.5])
    targets = task.targets(pd.DataFrame({"tempo": tempi}))
    logits = [np.eye(len(task.classes), dtype=np.float32)[t] for t in targets]
    found = task.decode(logits, 0.0)
    np.testing.assert_allclose(found, tempi, rtol=0.01)
    assert task.score(found, targets)["accuracy1"] == 1
    assert task.score([2 * bpm for bpm in found], targets) == {"accuracy1": 0.0, "accuracy2": 1.0}


def test_downbeats_are_found_between_beats() -> None:
    """The fastest bars, and a peak on the beat between that is half as high, or nearly."""
    task = Downbeat()
    truth = [list(np.arange(0.2, 8, 2 * 60 / 180)), list(np.arange(0.2, 8, 4))]
    outputs = [12 * task.frame_targets(beats, 200, RATE) - 6 for beats in truth]
    assert task.score(task.decode(outputs, RATE), truth)["f_measure"] == pytest.approx(1)
    beats = [sorted({*bars, *(np.array(bars) + 60 / 180)}) for bars in truth[:1]]
    assert task.score(beats, truth[:1])["f_measure"] == pytest.approx(2 / 3, abs=0.03)  # all recalled, half are right


def test_tags_are_what_the_catalog_says() -> None:
    task = InstrumentsPresent()
    assert set(FAMILY_OF.values()) | {"drums"} == set(task.classes)
    assert {p for p in FAMILY_OF if FAMILY_OF[p] in FAMILIES} >= set(TRAINING_PROGRAMS)
    tags = [np.array(["drums", "piano"], object), [], ["bass"], ["strings", "reed", "drums"]]
    targets = task.targets(pd.DataFrame({"instruments": tags}))
    assert [{task.classes[i] for i in np.flatnonzero(row)} for row in targets] == [set(t) for t in tags]
    scores = task.score([(8 * row - 4).tolist() for row in targets], targets)
    assert scores == {"map": 1.0, "roc_auc": 1.0}


def test_a_beat_wise_chord_label_survives_its_frames() -> None:
    task = Chord()
    names = ["C:maj", "A:min", "X", "Gb:maj", "N", "Db:min", "C:maj", "C:maj"]
    spans = [{"start": float(i), "end": i + 1.0, "label": name} for i, name in enumerate(names)]
    nothing = [{"start": 0.0, "end": 8.0, "label": "X"}]
    columns = pd.DataFrame({"chords": [np.array(spans, object), None, nothing]})
    target, *others = task.targets(columns)
    assert others == [None, None]
    frames = task.frame_targets(target, 200, RATE)
    assert set(frames[51:74]) == {-1}
    logits = 9 * np.eye(len(task.classes), dtype=np.float32)[np.maximum(frames, 0)]
    assert task.score(task.decode([logits], RATE), [target])["majmin"] > 0.95
    always = np.zeros((200, len(task.classes)), np.float32)
    always[:, 0] = 1
    assert task.score(task.decode([always], RATE), [target])["majmin"] == pytest.approx(3 / 7)


def test_melody_classes_are_semitones() -> None:
    task = Melody()
    assert task.pitches()[[0, -1]].tolist() == [33, 98]
    assert set(np.diff(task.pitches())) == {1.0}
    notes = np.repeat([33, 0, 60, 61, 98, 69, 0, 72], 100)
    f0 = np.where(notes > 0, 440 * 2 ** ((notes - 69) / 12), 0).astype(np.float32)
    target, missing = task.targets(pd.DataFrame({"f0": [f0, None]}))
    assert missing is None
    frames = task.frame_targets(target, 800, 100.0)
    np.testing.assert_array_equal(frames, np.where(notes > 0, notes - 32, 0))
    found = task.decode([9 * np.eye(len(task.classes), dtype=np.float32)[frames]], 100.0)
    scores = task.score(found, [target])
    assert (scores["rpa"], scores["oa"], scores["vfa"]) == (1.0, 1.0, 0.0)
    octave = [np.where(f0 > 0, f0 / 2, 0).tolist()]
    assert task.score(octave, [target])["rpa"] == 0
    assert task.score(octave, [target])["rca"] == 1
