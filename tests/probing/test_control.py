"""The control of shuffled labels: what has no label in it scores at chance, also where peaks follow the sound."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.interfaces import Info
from benchmark.probing.evaluate import Trial, chance, evaluate
from benchmark.probing.features import Features
from tasks.kinds.beats import BeatTracking

RATE, SECONDS, TRACKS = 25.0, 10, 60


class Beats(BeatTracking):
    info = Info("beats", "Beats", "this test")
    level = "time"
    corpus = "none"
    labels = ("beats",)


def _music(leak: bool) -> tuple[pd.DataFrame, Features]:
    """Clips of a beat each, and three features: its pulses among others of their kind, noise, and perhaps a leak.

    The leak knows where the beats of whatever clip the label was taken from are.
    """
    rng = np.random.default_rng(0)
    periods = rng.uniform(0.35, 0.75, TRACKS)
    # the first beat is anywhere in a period, or early frames would hold fewer beats in every clip
    beats = [np.arange(rng.uniform(0, period), SECONDS, period) for period in periods]
    split = np.resize(["train", "train", "train", "val", "test"], TRACKS)
    tracks = pd.DataFrame({"id": [str(i) for i in range(TRACKS)], "split": split, "group": range(TRACKS)})
    tracks["beats"] = beats
    frames, task = round(RATE * SECONDS), Beats()
    pulses = np.stack([task.frame_targets(times, frames, RATE) for times in beats])
    data = np.stack([pulses, *rng.normal(size=(2, TRACKS, frames))], axis=2)
    if leak:
        told = Trial.of(task, tracks, {1.0: 1}, shuffle_labels=True).labels
        data[:, :, 2] = np.stack([task.frame_targets(times, frames, RATE) for times in told])
    return tracks, Features.of(data.astype(np.float32))


@pytest.mark.parametrize("leak", [False, True])
def test_events_are_at_chance_without_a_leak(leak: bool) -> None:
    """Targets of other clips say that even noise is better: its peaks are on pulses, or all between them."""
    tracks, features = _music(leak)
    gaps, naive = [], []
    for shuffle in range(10):
        # shuffle 0 is the one that the leak knows
        trial = Trial.of(Beats(), tracks, {1.0: 1}, shuffle_labels=True, shuffle=0 if leak else shuffle)
        scores, predictions = evaluate(trial, features, RATE, ["linear"], shuffle, "cpu")
        gaps.append(float((scores["value"] - scores["chance"]).iloc[0]))
        found, truth = predictions["prediction"].tolist(), [trial.truth[i] for i in trial.test]
        naive.append(scores["value"].iloc[0] - chance(trial.task, found, truth)["f_measure"])
    above, stderr = np.mean(gaps), np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    assert above > 3 * stderr if leak else abs(above) < 2.5 * stderr, gaps
    assert np.mean(naive) > 0.05
