"""An arrangement becomes sound: midirenderer plays each stem, a room is added, levels are set.

Not symusic's synthesizer: with this SoundFont it is out of tune for 80 of 112 programs, and hangs on high notes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from benchmark.corpora.rendered.arrange import Arrangement, Room
from benchmark.corpora.rendered.beat_grid import CLIP_SECONDS, PREROLL_SECONDS
from benchmark.corpora.rendered.labels import Note
from benchmark.corpora.rendered.soundfonts import first_font, soundfont

SAMPLE_RATE = 16_000
#: controllers: pan (coarse, fine), and the sends of the synthesizer's own reverb and chorus
_PAN, _PAN_FINE, _REVERB, _CHORUS = 10, 42, 91, 93
PEAK = 0.9

#: notes, program, whether they are drums
Part = tuple[list[Note], int, bool]


def midi_bytes(parts: Sequence[Part]) -> bytes:
    """A MIDI file of one part hard left, and perhaps one hard right; times in seconds, start >= -PREROLL_SECONDS."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(resolution=960)
    for (notes, program, drums), pan in zip(parts, (0, 127), strict=False):
        instrument = pretty_midi.Instrument(program=program, is_drum=drums)
        for start, end, pitch, velocity in notes:
            instrument.notes.append(pretty_midi.Note(velocity, pitch, start + PREROLL_SECONDS, end + PREROLL_SECONDS))
        controls = {_PAN: pan, _PAN_FINE: pan, _REVERB: 0, _CHORUS: 0}
        instrument.control_changes += [pretty_midi.ControlChange(c, value, 0.0) for c, value in controls.items()]
        midi.instruments.append(instrument)
    buffer = io.BytesIO()
    midi.write(buffer)
    return buffer.getvalue()


def play(parts: Sequence[Part], cut: float = PREROLL_SECONDS, font: Path | None = None) -> NDArray[np.float32]:
    """One or two dry stems, (parts, CLIP_SECONDS) float32 at SAMPLE_RATE, without their first `cut` seconds.

    Two stems cost hardly more than one: rendering is paid per second, and each has a channel of its own.

    Args:
        font: another SoundFont than the pip package's.
    """
    import midirenderer

    stems = np.zeros((len(parts), int(CLIP_SECONDS * SAMPLE_RATE)), np.float32)
    if any(notes for notes, *_ in parts):
        wav = midirenderer.render_wave_from(soundfont(font or first_font()), midi_bytes(parts))
        stereo, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
        dry = soxr.resample(stereo[:, : len(parts)], rate, SAMPLE_RATE)[int(cut * SAMPLE_RATE) :][: stems.shape[1]]
        stems[:, : len(dry)] = dry.T
    return stems


@lru_cache(maxsize=1024)
def _drum(pitch: int, velocity: int, font: Path | None) -> NDArray[np.float32]:
    """One hit, a second long. A drum is a one-shot sample, so a part is the sum of its hits."""
    hit = (-PREROLL_SECONDS, -PREROLL_SECONDS + 0.9, pitch, velocity)
    return play([([hit], 0, True)], cut=0.0, font=font)[0, :SAMPLE_RATE]


def play_drums(notes: list[Note], font: Path | None = None) -> NDArray[np.float32]:
    """The drum stem: rendering is paid per second of output, so each distinct hit is rendered once and placed."""
    length = int(CLIP_SECONDS * SAMPLE_RATE)
    stem = np.zeros(length + int(PREROLL_SECONDS * SAMPLE_RATE) + SAMPLE_RATE, np.float32)
    for start, _, pitch, velocity in notes:
        at = round((start + PREROLL_SECONDS) * SAMPLE_RATE)
        hit = _drum(pitch, 5 * round(velocity / 5), font)
        stem[at : at + len(hit)] += hit[: len(stem) - at]
    return stem[int(PREROLL_SECONDS * SAMPLE_RATE) :][:length]


def impulse_response(room: Room) -> NDArray[np.float32]:
    """Direct sound and a tail of decaying noise, in the room's pass band: 6 dB per octave below, 12 dB above."""
    n = int(room.rt60 * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    tail = np.random.default_rng(room.seed).standard_normal(n) * np.exp(-6.9078 * t / room.rt60)
    tail *= 10 ** (room.wet_db / 20) / np.sqrt(np.square(tail).sum())
    high_pass = butter(1, room.low_hz, "highpass", fs=SAMPLE_RATE, output="sos")
    low_pass = butter(2, room.high_hz, "lowpass", fs=SAMPLE_RATE, output="sos")
    response: NDArray[np.float64] = sosfilt(np.concatenate([high_pass, low_pass]), np.concatenate([[1.0], tail]))
    return response.astype(np.float32)


def leveling(sound: NDArray[np.float32], level_dbfs: float) -> float:
    """The gain that brings `sound` to a root mean square of `level_dbfs`, or less where its peaks would clip."""
    rms, peak = float(np.sqrt(np.square(sound).mean())), float(np.abs(sound).max())
    return float(min(10 ** (level_dbfs / 20) / max(rms, 1e-9), PEAK / max(peak, 1e-9)))


def render(arrangement: Arrangement, font: Path | None = None) -> dict[str, NDArray[np.int16]]:
    """Stems and their sum, `mix`, as int16: the sum is exact; by another SoundFont, where one is given."""
    pitched = [name for name in arrangement.notes if name != "drums"]
    played = play([(arrangement.notes[name], arrangement.programs[name], False) for name in pitched], font=font)
    dry = np.stack([*played, play_drums(arrangement.notes["drums"], font)])
    loudness = np.sqrt(np.square(dry).mean(axis=1, keepdims=True))
    levels = 10 ** (np.array([[arrangement.levels[name]] for name in [*pitched, "drums"]]) / 20)
    response = impulse_response(arrangement.room)[None]
    wet = fftconvolve(dry * np.where(loudness > 1e-6, levels / np.maximum(loudness, 1e-6), 0.0), response, axes=1)
    stems = wet[:, : dry.shape[1]]
    total = stems.sum(axis=0)
    quantized = np.round(stems * (leveling(total, arrangement.level_dbfs) * 32767)).astype(np.int16)
    mix = quantized.sum(axis=0, dtype=np.int16)
    return {"mix": mix, **dict(zip([*pitched, "drums"], quantized, strict=True))}
