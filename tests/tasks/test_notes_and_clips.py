"""The tasks on NSynth, OpenMIC, TinySOL, Medley-solos-DB, IRMAS, EmoMusic and VocalSet: classes and known scores."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmark.corpora.datasets.instruments.irmas import IRMAS
from benchmark.corpora.datasets.instruments.medley_solos_db import MedleySolosDB
from benchmark.corpora.datasets.instruments.nsynth import NSynth
from benchmark.corpora.datasets.instruments.openmic import OpenMIC
from benchmark.corpora.datasets.instruments.tinysol import TinySOL
from benchmark.corpora.datasets.instruments.vocalset import VocalSet, VocalSetUnseenSingers
from benchmark.corpora.datasets.tags.emomusic import EmoMusic
from benchmark.interfaces import Task
from tasks.emomusic_emotion import EmoMusicEmotion
from tasks.irmas_instrument import IRMASInstrument
from tasks.kinds.classification import Classification
from tasks.medley_solos_instrument import MedleySolosInstrument
from tasks.nsynth_instrument import NSynthInstrument
from tasks.nsynth_pitch import NSynthPitch
from tasks.openmic_instrument import OpenMICInstrument
from tasks.tinysol_instrument import TinySOLInstrument
from tasks.vocalset_singer import VocalSetSinger
from tasks.vocalset_technique import VocalSetTechnique

CLASSES = {
    NSynthPitch: 128,
    NSynthInstrument: 11,
    TinySOLInstrument: 14,
    MedleySolosInstrument: 8,
    VocalSetSinger: 20,
    VocalSetTechnique: 10,
}
CORPORA = (NSynth, OpenMIC, TinySOL, MedleySolosDB, IRMAS, EmoMusic, VocalSet, VocalSetUnseenSingers)


@pytest.mark.parametrize("task", [*CLASSES, OpenMICInstrument, IRMASInstrument, EmoMusicEmotion])
def test_a_task_names_a_corpus_of_ours(task: type[Task]) -> None:
    assert task.corpus in {corpus.info.name for corpus in CORPORA}
    assert len(set(task.classes)) == len(task.classes)


@pytest.mark.parametrize(("task", "n"), CLASSES.items(), ids=lambda x: getattr(x, "__name__", x))
def test_perfect_and_random_logits(task: type[Classification], n: int) -> None:
    truth = list(range(n)) * 20
    perfect = task().decode(list(np.eye(n, dtype=np.float32)[truth]), 25.0)
    assert task().score(perfect, truth) == {"accuracy": 1.0, "macro_f1": 1.0}
    noise = np.random.default_rng(0).normal(size=(len(truth), n)).astype(np.float32)
    chance, spread = 1 / n, (1 / n * (1 - 1 / n) / len(truth)) ** 0.5
    assert task().score(task().decode(list(noise), 25.0), truth)["accuracy"] == pytest.approx(chance, abs=4 * spread)


def test_a_family_that_the_test_lacks_is_not_in_the_macro_f1() -> None:
    lead = NSynthInstrument.classes.index("synth_lead")
    others = [i for i in range(11) if i != lead]
    assert NSynthInstrument().score(others, others)["macro_f1"] == 1.0


def test_openmic_is_scored_where_it_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=(300, 20)).astype(np.float32)
    truth[rng.random((300, 20)) < 0.8] = np.nan
    guess = np.nan_to_num(truth, nan=0.5) + rng.normal(size=(300, 20))
    scores = OpenMICInstrument().score(guess.tolist(), list(truth))
    known = [np.isfinite(truth[:, i]) for i in range(20)]
    each = [average_precision_score(truth[k, i], guess[k, i]) for i, k in enumerate(known)]
    assert scores["map"] == pytest.approx(np.mean(each))
    elsewhere = np.where(np.isnan(truth), rng.normal(size=truth.shape) * 100, guess)
    assert OpenMICInstrument().score(elsewhere.tolist(), list(truth)) == scores
    flat = OpenMICInstrument().score(np.zeros((300, 20)).tolist(), list(truth))
    # of a constant: the share of positives among the answers, and one half
    assert flat == pytest.approx({"map": np.mean([truth[k, i].mean() for i, k in enumerate(known)]), "roc_auc": 0.5})
