"""Oracles of pitch: single notes, key, mode, chords, voices, melody."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.signal import medfilt

from benchmark.corpora.rendered.notes import PITCHES, RenderedNotes
from benchmark.corpora.rendered.palette import TONICS
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE
from oracles.listening import HOP, Exam
from tasks.kinds.chords import CHORDS, chord_class

CHROMA_HOP = 640


def chroma(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """(12, frames) at 25 frames/s, of the root of the magnitude, so that soft notes count beside loud ones."""
    magnitude = np.abs(librosa.stft(sound, n_fft=4096, hop_length=CHROMA_HOP))
    return librosa.feature.chroma_stft(S=np.sqrt(magnitude), sr=SAMPLE_RATE, n_fft=4096, tuning=0, norm=None)


def f0(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """YIN (de Cheveigne and Kawahara 2002), in Hz every 10 ms."""
    return librosa.yin(sound, fmin=55, fmax=2500, sr=SAMPLE_RATE, frame_length=1024, hop_length=HOP)


def note_alone(exam: Exam) -> float:
    """The median of YIN over the loudest half of the frames of the note's own stem, in its room."""
    rows, found = exam.rows("test"), []
    for sound in RenderedNotes().render(exam.music.waves.tracks.iloc[rows], exam.music.catalog):
        note = sound["note"].astype(np.float32) / 32768
        loud = librosa.feature.rms(y=note, frame_length=1024, hop_length=HOP)[0]
        found.append(round(float(librosa.hz_to_midi(np.median(f0(note)[loud >= np.median(loud)])))) - PITCHES[0])
    return exam.score(rows, np.clip(found, 0, len(PITCHES) - 1).tolist())


def key_template(exam: Exam) -> float:
    """Mean chroma against a major and a minor profile, each the mean of all training clips moved to C."""
    seen: list[list[Any]] = [[], []]
    for row in exam.rows("train"):
        minor, tonic = divmod(exam.truth[row], 12)
        seen[minor].append(np.roll(_mean_chroma(exam, row), -tonic))
    rows = exam.rows("test")
    shapes = _normalized(np.array([_mean_chroma(exam, row) for row in rows]))
    return exam.score(rows, (shapes @ _in_all_keys(seen).T).argmax(axis=1).tolist())


def mode_at_known_tonic(exam: Exam) -> float:
    """Mean chroma with the tonic moved to C, probed."""
    tonics = [TONICS.index(exam.column("key")[row].split()[0]) for row in exam.labelled()]
    means = [_mean_chroma(exam, row) for row in exam.labelled()]
    turned = [np.roll(mean, -tonic) for mean, tonic in zip(means, tonics, strict=True)]
    return exam.probed(_normalized(np.array(turned)))


def chords_at_known_beats(exam: Exam) -> float:
    """Mean chroma of each beat against a major and a minor profile, the means of training's beats moved to C."""
    seen: list[list[Any]] = [[], []]
    for row in exam.rows("train"):
        for shape, chord in zip(_beat_chroma(exam, row), exam.truth[row], strict=True):
            index = chord_class(chord["label"])
            if 0 <= index < 24:
                seen[index // 12].append(np.roll(shape, -(index % 12)))
    templates, rows = _in_all_keys(seen), exam.rows("test")
    best = [(_beat_chroma(exam, row) @ templates.T).argmax(axis=1) for row in rows]
    found = [
        [{**chord, "label": CHORDS[index]} for chord, index in zip(exam.truth[row], indices, strict=True)]
        for row, indices in zip(rows, best, strict=True)
    ]
    return exam.score(rows, found)


def voices_of_the_accompaniment(exam: Exam) -> float:
    """Boosted trees on how many semitones of the dry accompaniment are nearly as loud as its loudest."""
    return exam.grown([_polyphony(exam.music.dry(row)[1]) for row in exam.labelled()])


def melody_alone(exam: Exam) -> float:
    """YIN on the lead's dry stem; what has died away is held."""
    rows, found = exam.rows("test"), []
    for row in rows:
        lead = exam.music.dry(row)[0]
        loud = librosa.feature.rms(y=lead, frame_length=1024, hop_length=HOP)[0]
        last = np.maximum.accumulate(np.where(loud > 0.05 * loud.max(), np.arange(len(loud)), 0))
        # the first half of a frame is compared with later ones: what it hears is 16 ms before its center
        found.append(np.roll(medfilt(f0(lead)[last], 5), -2).tolist())
    return exam.score(rows, found)


def _beat_chroma(exam: Exam, row: int) -> NDArray[np.float64]:
    """Chroma of the dry stems, equally loud, on each labelled beat, (beats, 12)."""
    frames = chroma(exam.music.dry(row).sum(axis=0))
    spans = [(int(chord["start"] * 25), int(chord["end"] * 25)) for chord in exam.truth[row]]
    return _normalized(np.array([frames[:, start : max(end, start + 1)].mean(axis=1) for start, end in spans]))


def _polyphony(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Statistics over time of the number of semitones within each of four distances of the loudest."""
    magnitude = np.sqrt(np.abs(librosa.cqt(sound, sr=SAMPLE_RATE, hop_length=1280, fmin=65.4, n_bins=72)))
    loudest = np.maximum(magnitude.max(axis=0), 1e-3)
    counts = [(magnitude > share * loudest).sum(axis=0) for share in (0.2, 0.35, 0.5, 0.7)]
    return np.concatenate([[n.mean(), n.std(), *np.percentile(n, (10, 25, 50, 75, 90))] for n in counts])


def _normalized(shapes: NDArray[Any]) -> NDArray[np.float64]:
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    return shapes / np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-9)


def _in_all_keys(seen: list[list[Any]]) -> NDArray[np.float64]:
    """The mean of each kind of chroma on all 12 roots, kind by kind."""
    profiles = _normalized(np.array([np.mean(shapes, axis=0) for shapes in seen]))
    return np.array([np.roll(profile, root) for profile in profiles for root in range(12)])


def _mean_chroma(exam: Exam, row: int) -> NDArray[np.float32]:
    def make() -> NDArray[np.float32]:
        clip = exam.music.clip(row)
        return librosa.feature.chroma_stft(y=clip, sr=SAMPLE_RATE, n_fft=4096, hop_length=2048, tuning=0).mean(axis=1)

    return exam.music.remembered("chroma", row, make)
