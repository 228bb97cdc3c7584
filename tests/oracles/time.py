"""Oracles of time: beat, downbeat, tempo, metre."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark.corpora.rendered.beat_grid import CLIP_SECONDS
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE
from oracles.listening import FRAME_RATE, HOP, Exam

#: multiples of the beat whose autocorrelation tells how beats divide and group
LAGS = np.array([1 / 8, 1 / 6, 1 / 4, 1 / 3, 3 / 8, 1 / 2, 5 / 8, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4, 6])


def onsets(exam: Exam, row: int) -> NDArray[np.float32]:
    """Onset strength of three bands, (3, frames) at 100 frames/s."""

    def make() -> NDArray[np.float32]:
        bands = [0, 12, 30, 60]
        return librosa.onset.onset_strength_multi(
            y=exam.music.clip(row), sr=SAMPLE_RATE, hop_length=HOP, n_mels=60, fmin=40, fmax=7800, channels=bands
        )

    return exam.music.remembered("onsets", row, make)


def at_lags(bands: NDArray[np.float32], lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation of each band, (bands, *lags.shape), lags in frames.

    The best within 70 ms, since the tempo drifts and onsets jitter.
    """
    correlation = np.array([librosa.autocorrelate(band - band.mean()) for band in bands])
    correlation = maximum_filter1d(correlation / np.maximum(correlation[:, :1], 1e-9), 7, axis=1)
    at = np.round(lags).astype(int)
    inside = at < correlation.shape[1]
    return np.where(inside, correlation[:, np.where(inside, at, 0)], 0)


def pulse(exam: Exam) -> float:
    """The floor of beats and downbeats: a pulse at the median period of training, whatever is heard."""
    periods = np.concatenate([np.diff(exam.truth[i]) for i in exam.rows("train")])
    times = np.arange(np.median(periods) / 2, CLIP_SECONDS, np.median(periods)).tolist()
    return exam.score(exam.rows("test"), [times] * len(exam.rows("test")))


def beats_at_known_tempo(exam: Exam) -> float:
    """Dynamic programming over onset strength (Ellis 2007, librosa), told the tempo."""
    rows, tempi, found = exam.rows("test"), exam.column("tempo"), []
    for row in rows:
        strength = librosa.onset.onset_strength(y=exam.music.clip(row), sr=SAMPLE_RATE, hop_length=HOP)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, beats = librosa.beat.beat_track(
                onset_envelope=strength,
                sr=SAMPLE_RATE,
                hop_length=HOP,
                bpm=float(tempi[row]),
                trim=False,
                units="time",
            )
        found.append(beats.tolist())
    return exam.score(rows, found)


def downbeats_at_known_beats(exam: Exam) -> float:
    """The phase whose beats most look like downbeats (logistic regression on onset strength), told the bar length."""
    train, test, beats = exam.rows("train"), exam.rows("test"), exam.column("beats")
    model = _logistic().fit(
        np.concatenate([_accents(exam, row) for row in train]),
        np.concatenate([np.isin(beats[row], exam.truth[row]) for row in train]),
    )
    found = []
    for row in test:
        score = model.decision_function(_accents(exam, row))
        bar = int(np.median(np.diff(np.flatnonzero(np.isin(beats[row], exam.truth[row])))))
        phase = max(range(bar), key=lambda first: float(score[first::bar].mean()))
        found.append(list(beats[row][phase::bar]))
    return exam.score(test, found)


def _accents(exam: Exam, row: int) -> NDArray[np.float64]:
    """Onset strength of each band at each beat and its neighbors, as deviations from the clip's beats."""
    bands = onsets(exam, row)
    at = np.minimum(np.round(np.asarray(exam.column("beats")[row]) * FRAME_RATE).astype(int), bands.shape[1] - 1)
    strength = maximum_filter1d(bands, 9, axis=1)[:, at].T
    strength = (strength - strength.mean(axis=0)) / (strength.std(axis=0) + 1e-6)
    around = np.pad(strength, ((1, 1), (0, 0)))
    return np.concatenate([around[:-2], strength, around[2:]], axis=1)


def tempo_by_autocorrelation(exam: Exam) -> float:
    """Is this the tempo? Logistic regression on the autocorrelation at multiples of each tempo's beat: tempi scale."""
    bins = exam.task.bins
    train, test = exam.rows("train"), exam.rows("test")
    lags = np.multiply.outer(60 / bins * FRAME_RATE, LAGS)

    def candidates(row: int) -> NDArray[np.float64]:
        return np.moveaxis(at_lags(onsets(exam, row), lags), 0, 1).reshape(len(bins), -1)

    right = np.concatenate([np.abs(np.arange(len(bins)) - exam.truth[row]) <= 1 for row in train])
    model = _logistic(class_weight="balanced").fit(np.concatenate([candidates(row) for row in train]), right)
    return exam.score(test, [float(bins[model.decision_function(candidates(row)).argmax()]) for row in test])


def metre_at_known_tempo(exam: Exam) -> float:
    """The onset strength's autocorrelation at known fractions and multiples of the beat, probed."""
    return exam.probed(rhythm(exam))


def rhythm(exam: Exam) -> NDArray[np.float64]:
    """Autocorrelation of each labelled clip's onset strength at multiples of its beat, (N, bands x lags)."""
    periods = 60 / exam.column("tempo") * FRAME_RATE
    return np.array([at_lags(onsets(exam, row), LAGS * periods[row]).ravel() for row in exam.labelled()])


def _logistic(**options: str) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.1, **options))
