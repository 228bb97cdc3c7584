"""An arrangement becomes sound: midirenderer plays each stem, a room is added, levels are set.

Not symusic's synthesizer: with this SoundFont it is out of tune for 80 of 112 programs, and hangs on high notes.
"""

from __future__ import annotations

import importlib.util
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from benchmark.corpora.rendered_scores.arrange import CLIP_SECONDS, PREROLL_SECONDS, Arrangement, Note, Room

SAMPLE_RATE = 16_000
#: controllers of the synthesizer's own reverb and chorus, switched off: the room is ours
_REVERB, _CHORUS = 91, 93
PEAK = 0.9


@lru_cache(maxsize=1)
def soundfont() -> bytes:
    """TimGM6mb.sf2, as the pip package pretty_midi ships it (found without importing it)."""
    spec = importlib.util.find_spec("pretty_midi")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "TimGM6mb.sf2").read_bytes()


def midi_bytes(notes: list[Note], program: int, drums: bool) -> bytes:
    """A MIDI file of one instrument; times in seconds, start >= -PREROLL_SECONDS."""
    import pretty_midi

    instrument = pretty_midi.Instrument(program=program, is_drum=drums)
    for start, end, pitch, velocity in notes:
        instrument.notes.append(pretty_midi.Note(velocity, pitch, start + PREROLL_SECONDS, end + PREROLL_SECONDS))
    instrument.control_changes += [pretty_midi.ControlChange(c, 0, 0.0) for c in (_REVERB, _CHORUS)]
    midi = pretty_midi.PrettyMIDI(resolution=960)
    midi.instruments.append(instrument)
    buffer = io.BytesIO()
    midi.write(buffer)
    return buffer.getvalue()


def play(notes: list[Note], program: int, drums: bool = False, cut: float = PREROLL_SECONDS) -> NDArray[np.float32]:
    """One dry stem, mono float32 at SAMPLE_RATE, CLIP_SECONDS long, without its first `cut` seconds."""
    import midirenderer

    length = int(CLIP_SECONDS * SAMPLE_RATE)
    if not notes:
        return np.zeros(length, np.float32)
    wav = midirenderer.render_wave_from(soundfont(), midi_bytes(notes, program, drums))
    stereo, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    mono = soxr.resample(stereo.mean(axis=1), rate, SAMPLE_RATE)[int(cut * SAMPLE_RATE) :][:length]
    return np.pad(mono, (0, length - len(mono)))


@lru_cache(maxsize=1024)
def _drum(pitch: int, velocity: int) -> NDArray[np.float32]:
    """One hit, a second long. A drum is a one-shot sample, so a part is the sum of its hits."""
    return play([(-PREROLL_SECONDS, -PREROLL_SECONDS + 0.9, pitch, velocity)], 0, drums=True, cut=0.0)[:SAMPLE_RATE]


def play_drums(notes: list[Note]) -> NDArray[np.float32]:
    """The drum stem: rendering is paid per second of output, so each distinct hit is rendered once and placed."""
    length = int(CLIP_SECONDS * SAMPLE_RATE)
    stem = np.zeros(length + int(PREROLL_SECONDS * SAMPLE_RATE) + SAMPLE_RATE, np.float32)
    for start, _, pitch, velocity in notes:
        at = round((start + PREROLL_SECONDS) * SAMPLE_RATE)
        hit = _drum(pitch, 5 * round(velocity / 5))
        stem[at : at + len(hit)] += hit[: len(stem) - at]
    return stem[int(PREROLL_SECONDS * SAMPLE_RATE) :][:length]


def impulse_response(room: Room) -> NDArray[np.float32]:
    """Direct sound, a tail of decaying noise, and the room's pass band (first-order slopes)."""
    n = int(room.rt60 * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    tail = np.random.default_rng(room.seed).standard_normal(n) * np.exp(-6.9078 * t / room.rt60)
    tail *= 10 ** (room.wet_db / 20) / np.sqrt(np.square(tail).sum())
    response = np.concatenate([[1.0], tail])
    spectrum = np.fft.rfft(response, 2 * len(response))
    f = np.fft.rfftfreq(2 * len(response), 1 / SAMPLE_RATE)
    gain = 1 / np.sqrt((1 + (room.low_hz / np.maximum(f, 1.0)) ** 2) * (1 + (f / room.high_hz) ** 4))
    return np.fft.irfft(spectrum * gain)[: len(response)].astype(np.float32)


def render(arrangement: Arrangement) -> dict[str, NDArray[np.int16]]:
    """Stems and their sum, `mix`, as int16: the sum is exact."""
    response = impulse_response(arrangement.room)
    stems: dict[str, NDArray[np.float32]] = {}
    for name, notes in arrangement.notes.items():
        dry = play_drums(notes) if name == "drums" else play(notes, arrangement.programs[name])
        loudness = float(np.sqrt(np.mean(np.square(dry))))
        gain = 10 ** (arrangement.levels[name] / 20) / loudness if loudness > 1e-6 else 0.0
        stems[name] = fftconvolve(dry * gain, response)[: len(dry)].astype(np.float32)
    total = np.sum(list(stems.values()), axis=0)
    rms, peak = float(np.sqrt(np.mean(np.square(total)))), float(np.abs(total).max())
    gain = min(10 ** (arrangement.level_dbfs / 20) / max(rms, 1e-9), PEAK / max(peak, 1e-9))
    quantized = {name: np.round(stem * gain * 32767).astype(np.int16) for name, stem in stems.items()}
    return {"mix": np.sum(list(quantized.values()), axis=0, dtype=np.int16), **quantized}
