"""Oracles of timbre: the lead's family, and the families present."""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from benchmark.corpora.rendered.synthesis import SAMPLE_RATE
from oracles.listening import Exam


def lead_alone(exam: Exam) -> float:
    """MFCC statistics of the lead's own dry stem, probed."""
    return exam.probed([_stems(exam, row)[0] for row in exam.labelled()])


def stems_alone(exam: Exam) -> float:
    """MFCC statistics of either dry stem, and of the mix, where drums are, probed."""
    return exam.probed([[*_stems(exam, row).ravel(), *_mfcc(exam.music.clip(row))] for row in exam.labelled()])


def _stems(exam: Exam, row: int) -> NDArray[np.float64]:
    return exam.music.remembered("mfcc", row, lambda: np.array([_mfcc(stem) for stem in exam.music.dry(row)]))


def _mfcc(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean, deviation, and deviation of the change over time."""
    mfcc = librosa.feature.mfcc(y=sound, sr=SAMPLE_RATE, n_mfcc=20, n_fft=1024, hop_length=640, n_mels=64)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1), np.diff(mfcc, axis=1).std(axis=1)])
