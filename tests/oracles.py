"""What each task's label is worth to someone who knows the right feature: the ceilings of the useful band.

Each oracle is told something that no probe is (the tempo, the lead alone, that keys transpose), so that its score shows
that the label is in the audio, and how much of it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.corpora.rendered_scores import RenderedScores
from benchmark.corpora.rendered_scores.arrange import CLIP_SECONDS, arrange
from benchmark.corpora.rendered_scores.catalog import load_notes
from benchmark.corpora.rendered_scores.sound import SAMPLE_RATE, play
from benchmark.experiment.evaluate import Trial, evaluate
from benchmark.experiment.features import Features

HOP = 160
FRAME_RATE = SAMPLE_RATE / HOP


def key_template(waves: Waveforms) -> float:
    """Mean chroma against a major and a minor profile, each the mean of all training clips moved to C."""
    chroma = np.array(
        [
            librosa.feature.chroma_stft(y=clip, sr=SAMPLE_RATE, n_fft=4096, hop_length=2048, tuning=0).mean(axis=1)
            for clip in _clips(waves)
        ]
    )
    chroma -= chroma.mean(axis=1, keepdims=True)
    chroma /= np.linalg.norm(chroma, axis=1, keepdims=True)
    task = registry.tasks.get("key")()
    targets = np.array(task.targets(waves.tracks))
    splits = waves.tracks["split"].to_numpy()
    templates = []
    for minor in (False, True):
        rows = np.flatnonzero((splits == "train") & ((targets >= 12) == minor))
        profile = np.mean([np.roll(chroma[i], -(targets[i] % 12)) for i in rows], axis=0)
        templates += [np.roll(profile, tonic) / np.linalg.norm(profile) for tonic in range(12)]
    best = (chroma @ np.array(templates).T).argmax(axis=1)
    test = np.flatnonzero(splits == "test")
    return float(task.score(best[test].tolist(), targets[test].tolist())[task.metric])


def beats_at_known_tempo(waves: Waveforms) -> float:
    """Dynamic programming over onset strength (Ellis 2007, librosa), told the tempo."""
    rows = np.flatnonzero(waves.tracks["split"] == "test")
    found = []
    for i in rows:
        strength = librosa.onset.onset_strength(y=_clip(waves, i), sr=SAMPLE_RATE, hop_length=HOP)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, beats = librosa.beat.beat_track(
                onset_envelope=strength,
                sr=SAMPLE_RATE,
                hop_length=HOP,
                bpm=float(waves.tracks["tempo"].iloc[i]),
                trim=False,
                units="time",
            )
        found.append(beats.tolist())
    return _beat_score(waves, rows, found)


def beats_at_random(waves: Waveforms) -> float:
    """The floor: a beat each half second, whatever is heard."""
    rows = np.flatnonzero(waves.tracks["split"] == "test")
    return _beat_score(waves, rows, [np.arange(0.25, CLIP_SECONDS, 0.5).tolist() for _ in rows])


def metre_autocorrelation(waves: Waveforms) -> float:
    """Logistic regression on the onset strength's autocorrelation at known fractions and multiples of the beat."""
    lags = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4, 6])
    periods = 60 / waves.tracks["tempo"].to_numpy() * FRAME_RATE
    features = []
    for clip, period in zip(_clips(waves), periods, strict=True):
        bands = librosa.onset.onset_strength_multi(
            y=clip, sr=SAMPLE_RATE, hop_length=HOP, n_mels=60, fmin=40, fmax=7800, channels=[0, 12, 30, 60]
        )
        row = []
        for band in bands:
            correlation = librosa.autocorrelate(band - band.mean())
            correlation = correlation / max(correlation[0], 1e-9)
            # the tempo drifts, and onsets jitter: the best of 60 ms
            row += [correlation[max(0, round(lag) - 3) : round(lag) + 4].max(initial=0) for lag in lags * period]
        features.append(row)
    return _probed("metre", waves, np.array(features))


def lead_alone(waves: Waveforms, catalog: Path) -> float:
    """Logistic regression on MFCC statistics of the lead's own dry stem."""
    works = load_notes(catalog, set(waves.tracks["work"]))
    features = []
    for track in waves.tracks.itertuples():
        heard = arrange(works[track.work], track.id, track.split, RenderedScores.info.version)
        lead = play([(heard.notes["lead"], heard.programs["lead"], False)])[0]
        lead *= 0.05 / max(float(np.sqrt(np.square(lead).mean())), 1e-6)
        mfcc = librosa.feature.mfcc(y=lead, sr=SAMPLE_RATE, n_mfcc=20, n_fft=1024, hop_length=640, n_mels=64)
        features.append([*mfcc.mean(axis=1), *mfcc.std(axis=1), *np.diff(mfcc, axis=1).std(axis=1)])
    return _probed("instrument", waves, np.array(features))


def _clip(waves: Waveforms, row: int) -> np.ndarray:
    length = int(CLIP_SECONDS * SAMPLE_RATE)
    return waves.crops(np.array([row]), np.array([0]), length)[0].astype(np.float32) / 32768


def _clips(waves: Waveforms) -> Any:
    return (_clip(waves, row) for row in range(len(waves.tracks)))


def _beat_score(waves: Waveforms, rows: np.ndarray, found: list[list[float]]) -> float:
    task = registry.tasks.get("beat")()
    return float(task.score(found, task.targets(waves.tracks.iloc[rows]))[task.metric])


def _probed(name: str, waves: Waveforms, features: np.ndarray) -> float:
    task = registry.tasks.get(name)()
    trial = Trial.of(task, waves.tracks, {1.0: 1}, shuffle_labels=False)
    scores, _ = evaluate(trial, Features.of(features.astype(np.float32)), FRAME_RATE, ["linear", "mlp"], 0, "cpu")
    return float(scores.loc[scores["metric"] == task.metric, "value"].max())
