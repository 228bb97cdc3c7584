"""A work becomes a clip: every choice that must not leak a label is drawn here, from the track id alone.

Transposition, tempo, instruments, register, accompaniment, room and level are independent of the work and of each
other, so that no label can be read off another one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.corpora.rendered_scores.palette import (
    FAMILIES,
    HATS,
    KICKS,
    REGISTERS,
    SNARES,
    TONICS,
    TRAINING_PROGRAMS,
    held_out_register,
)
from benchmark.corpora.rendered_scores.works import METRES, Work

CLIP_SECONDS = 8.0
#: rendered before the clip and cut away, so that notes and rooms are already sounding when it starts
PREROLL_SECONDS = 0.5

#: (start s, end s, MIDI pitch, velocity)
Note = tuple[float, float, int, int]

#: notes of a clip: `beat` to `until` on the work's grid, `start` to `end` in seconds
PLAYED = np.dtype([("part", int), ("pitch", int), ("beat", float), ("until", float), ("start", float), ("end", float)])
Played = NDArray[np.void]


@dataclass(frozen=True)
class Room:
    """Reverberation time in s, wet level in dB, pass band in Hz, and the seed of its impulse response."""

    rt60: float
    wet_db: float
    low_hz: float
    high_hz: float
    seed: int


@dataclass(frozen=True)
class Arrangement:
    """How one clip is played. Stem levels are dB below the lead."""

    labels: dict[str, object]
    programs: dict[str, int]
    notes: dict[str, list[Note]]
    levels: dict[str, float]
    room: Room
    level_dbfs: float


@dataclass(frozen=True)
class _Grid:
    """Seconds of each beat: the clip starts at beat `start`, time 0."""

    first: int
    times: np.ndarray

    def seconds(self, beats: np.ndarray) -> np.ndarray:
        return np.asarray(np.interp(beats, self.first + np.arange(len(self.times)), self.times))


def generator(*parts: object) -> np.random.Generator:
    """A generator that follows from names alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def arrange(work: Work, track: str, split: str, version: int) -> Arrangement:
    """Draw the clip `track` of `work`.

    Args:
        split: `train`, `val`; `test` plays known programs in a register that training did not hear them in;
            `transfer` plays programs that training did not hear at all.
    """
    rng = generator("rendered_scores", version, track)
    transposition, bpm = int(rng.integers(-6, 6)), float(np.exp(rng.uniform(np.log(60), np.log(180))))
    family, program, register = _lead(rng, split)
    name, _, beats = METRES[work.signature]
    grid = _grid(rng, work, bpm)
    played = _looped(work, grid, rng)
    lead = played[played["part"] == 0]
    shift = transposition + _octaves(lead, transposition, REGISTERS[register])
    accents = rng.uniform(0, 15)
    notes = {
        "lead": _voice(rng, lead, shift, accents),
        "accompaniment": _accompaniment(rng, played, grid, transposition, beats, accents),
        "drums": _drums(rng, grid, beats, 3 if name.startswith("compound") else 2),
    }
    labels = {
        "key": f"{TONICS[(work.tonic + transposition) % 12]} {work.mode}",
        "mode": work.mode,
        "metre": name,
        "family": family,
        "program": program,
        "register": register,
        "tempo": bpm,
        "transposition": transposition,
        "beats": _inside(grid, range(grid.first, grid.first + len(grid.times))),
        "downbeats": _inside(grid, [k for k in range(grid.first, grid.first + len(grid.times)) if k % beats == 0]),
    }
    return Arrangement(
        labels=labels,
        programs={
            "lead": program,
            "accompaniment": int(rng.choice([*TRAINING_PROGRAMS, 32, 33, 48])),
            "drums": 0,
        },
        notes=notes,
        levels={
            "lead": 0.0,
            "accompaniment": float(rng.uniform(-16, -6)),
            "drums": float(rng.uniform(-14, -3)),
        },
        room=_room(rng),
        level_dbfs=float(rng.uniform(-32, -18)),
    )


def _lead(rng: np.random.Generator, split: str) -> tuple[str, int, int]:
    family = str(rng.choice(list(FAMILIES)))
    seen, unseen = FAMILIES[family]
    program = int(rng.choice(unseen if split == "transfer" else seen))
    held_out = held_out_register(program)
    if split == "test":
        return family, program, held_out
    return family, program, int(rng.choice([r for r in range(len(REGISTERS)) if r != held_out]))


def _grid(rng: np.random.Generator, work: Work, bpm: float) -> _Grid:
    """Beat times with slow drift of some percent; the clip may start anywhere, also between beats."""
    start = rng.uniform(0, _length(work))
    first = int(np.floor(start)) - int(np.ceil(PREROLL_SECONDS * bpm / 60 * 1.2)) - 1
    count = int(np.ceil((CLIP_SECONDS + 2 * PREROLL_SECONDS) * bpm / 60 * 1.3)) + 4
    steps = rng.normal(0, 0.008, count)
    drift = np.zeros(count)
    for k in range(1, count):  # AR(1): a player who drifts and comes back
        drift[k] = 0.9 * drift[k - 1] + steps[k]
    times = np.concatenate([[0.0], np.cumsum(60 / bpm * (1 + drift.clip(-0.06, 0.06)))])
    grid = _Grid(first, times)
    return _Grid(first, times - grid.seconds(np.array([start]))[0])


def _length(work: Work) -> int:
    """Beats of the work, to a full bar."""
    _, beat, beats = METRES[work.signature]
    end = float((work.notes["onset"] + work.notes["duration"]).max()) - work.downbeat
    return max(1, int(np.ceil(end / beat / beats - 0.01))) * beats


def _looped(work: Work, grid: _Grid, rng: np.random.Generator) -> Played:
    """Notes of the clip in seconds, the work repeated as long as the clip lasts; onsets jitter by some ms."""
    beat = METRES[work.signature][1]
    length = _length(work)
    onset = (work.notes["onset"].to_numpy() - work.downbeat) / beat
    duration = work.notes["duration"].to_numpy() / beat
    last = grid.first + len(grid.times)
    repeats = np.arange(grid.first // length - 1, last // length + 1)
    played = np.empty(len(repeats) * len(onset), PLAYED)
    for name in ("part", "pitch"):
        played[name] = np.tile(work.notes[name].to_numpy(), len(repeats))
    played["beat"] = (repeats[:, None] * length + onset).reshape(-1)
    played["until"] = played["beat"] + np.tile(duration, len(repeats))
    played["start"], played["end"] = grid.seconds(played["beat"]), grid.seconds(played["until"])
    played = played[(played["end"] > -PREROLL_SECONDS) & (played["start"] < CLIP_SECONDS)]
    played = played[(played["beat"] >= grid.first) & (played["until"] <= last - 1)]
    played = played[np.argsort(played["beat"], kind="stable")]
    played["start"] = np.maximum(played["start"] + rng.normal(0, 0.008, len(played)), -PREROLL_SECONDS)
    return played


def _octaves(lead: Played, transposition: int, low: int) -> int:
    median = float(np.median(lead["pitch"])) + transposition if len(lead) else low
    return 12 * int(np.floor((low + 12 - 1e-6 - median) / 12))


def _voice(rng: np.random.Generator, part: Played, shift: int, accents: float) -> list[Note]:
    beat, start, legato = part["beat"], part["start"], 0.92
    velocity = 85 + accents * (np.abs(beat - beat.round()) < 0.02) + rng.normal(0, 5, len(part))
    end = np.minimum(start + np.maximum(legato * (part["end"] - start), 0.03), CLIP_SECONDS)
    pitch = np.clip(part["pitch"] + shift, 21, 108)
    velocity = np.clip(velocity, 30, 120).astype(int)
    inside = start < CLIP_SECONDS - 0.02  # jitter may push an onset past the end
    columns = (column[inside].tolist() for column in (start, end, pitch, velocity))
    return list(zip(*columns, strict=True))


def _accompaniment(
    rng: np.random.Generator, played: Played, grid: _Grid, transposition: int, beats: int, accents: float
) -> list[Note]:
    """The lower voices of a chorale; under a tune, a bass on the melody's own beat notes (no added harmony)."""
    present, every = rng.random() < 0.8, int(rng.choice([1, beats]))
    if not present:
        return []
    lower = played[played["part"] > 0]
    if len(lower):
        return _voice(rng, lower, transposition, accents)
    beat = played["beat"].round()
    bass = played[(np.abs(played["beat"] - beat) < 0.02) & (beat % every == 0)]
    bass["pitch"] = 41 + (bass["pitch"] - 41) % 12
    bass["end"] = grid.seconds(bass["beat"] + every)
    return _voice(rng, bass, transposition, accents)


def _drums(rng: np.random.Generator, grid: _Grid, beats: int, subdivisions: int) -> list[Note]:
    """A bar-long pattern: low drum on the downbeat, high one on the others, perhaps a shaker on the subdivisions."""
    present, shaker = rng.random() < 0.45, rng.random() < 0.7
    kick, snare, hat = (int(rng.choice(drums)) for drums in (KICKS, SNARES, HATS))
    if not present:
        return []
    notes: list[Note] = []
    for k in range(grid.first, grid.first + len(grid.times) - 1):
        strong = k % beats == 0 or (beats == 4 and k % 4 == 2)
        notes += _hit(rng, grid, float(k), kick if strong else snare, 100 if k % beats == 0 else 85)
        if shaker:
            for i in range(subdivisions):
                notes += _hit(rng, grid, k + i / subdivisions, hat, 75 if i == 0 else 60)
    return notes


def _hit(rng: np.random.Generator, grid: _Grid, beat: float, drum: int, velocity: int) -> list[Note]:
    played = rng.random() > 0.08
    start = float(grid.seconds(np.array([beat]))[0] + rng.normal(0, 0.008))
    if not played or not -PREROLL_SECONDS <= start < CLIP_SECONDS:
        return []
    return [(start, start + 0.1, drum, int(np.clip(velocity + rng.normal(0, 6), 30, 120)))]


def _room(rng: np.random.Generator) -> Room:
    return Room(
        rt60=float(np.exp(rng.uniform(np.log(0.15), np.log(0.9)))),
        wet_db=float(rng.uniform(-24, -6)),
        low_hz=float(rng.uniform(30, 200)),
        high_hz=float(rng.uniform(2500, 7500)),
        seed=int(rng.integers(2**31)),
    )


def _inside(grid: _Grid, beats: range | list[int]) -> list[float]:
    times = grid.seconds(np.asarray(list(beats), dtype=float))
    return [round(float(t), 4) for t in times if 0 <= t < CLIP_SECONDS]
