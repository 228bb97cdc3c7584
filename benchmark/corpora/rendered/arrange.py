"""A work becomes a clip: every choice that must not leak a label is drawn here, from the track id alone.

Transposition, tempo, instruments, register, accompaniment, room and level are independent of the work and of each
other, so that no label can be read off another one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from benchmark.corpora.rendered.beat_grid import CLIP_SECONDS, PREROLL_SECONDS, Grid, Played, draw_grid, looped
from benchmark.corpora.rendered.labels import Note, chords, instruments, melody_f0, voices
from benchmark.corpora.rendered.palette import (
    ACCOMPANYING,
    FAMILIES,
    HATS,
    KICKS,
    REGISTERS,
    SNARES,
    TONICS,
    held_out_register,
)
from benchmark.corpora.rendered.works.work import METRES, Work


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
    grid = draw_grid(rng, work, bpm)
    played = looped(work, grid, rng)
    lead, parts = played[played["part"] == 0], bool(work.notes["part"].max() > 0)
    shift = transposition + _octaves(lead, transposition, REGISTERS[register])
    accents = rng.uniform(0, 15)
    melody = _voice(rng, lead, shift, accents)
    # accompanied as often whatever the work, so that an accompaniment tells nothing about it
    accompanied, every = rng.random() < 0.8, int(rng.choice([1, beats]))
    lower = _subset(played, generator("voices", version, track)) if parts else _bass(lead, grid, every)
    notes = {
        "lead": melody,
        "accompaniment": _voice(rng, lower, transposition, accents) if accompanied else [],
        "drums": _drums(rng, grid, beats, 3 if name == "compound" else 2),
    }
    programs = {"lead": program, "accompaniment": int(rng.choice(ACCOMPANYING)), "drums": 0}
    heard = np.concatenate([lead, lower]) if accompanied else lead
    labels: dict[str, object] = {
        "key": None if work.tonic is None else f"{TONICS[(work.tonic + transposition) % 12]} {work.mode}",
        "mode": work.mode,
        "metre": name,
        "dance": work.dance,
        "family": family,
        "program": program,
        "register": register,
        "instruments": instruments(notes, programs),
        "tempo": grid.tempo(),
        "transposition": transposition,
        "beats": grid.inside(grid.beats),
        "downbeats": grid.inside(k for k in grid.beats if k % beats == 0),
        "voices": voices(heard) if parts else None,
        "chords": chords(heard, grid, transposition) if parts else None,
        "f0": melody_f0(notes["lead"]),
    }
    return Arrangement(
        labels=labels,
        programs=programs,
        notes=notes,
        levels={
            "lead": 0.0,
            "accompaniment": float(rng.uniform(-16, -6)),
            "drums": float(rng.uniform(-14, -3)),
        },
        room=draw_room(rng),
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


def _subset(played: Played, rng: np.random.Generator) -> Played:
    """One, two or three of the lower voices that sound in the clip."""
    parts = sorted({*played["part"].tolist()} - {0})
    count = min(int(rng.integers(1, 4)), len(parts))
    lower: Played = played[np.isin(played["part"], rng.permutation(parts)[:count])]
    return lower


def _bass(lead: Played, grid: Grid, every: int) -> Played:
    """Under a tune, a bass on the melody's own beat notes (no added harmony), on each beat or each downbeat."""
    beat = lead["beat"].round()
    bass: Played = lead[(np.abs(lead["beat"] - beat) < 0.02) & (beat % every == 0)]
    bass["pitch"] = 41 + (bass["pitch"] - 41) % 12
    bass["end"] = grid.seconds(bass["beat"] + every)
    return bass


def _drums(rng: np.random.Generator, grid: Grid, beats: int, subdivisions: int) -> list[Note]:
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


def _hit(rng: np.random.Generator, grid: Grid, beat: float, drum: int, velocity: int) -> list[Note]:
    played = rng.random() > 0.08
    start = float(grid.seconds(np.array([beat]))[0] + rng.normal(0, 0.008))
    if not played or not -PREROLL_SECONDS <= start < CLIP_SECONDS:
        return []
    return [(start, start + 0.1, drum, int(np.clip(velocity + rng.normal(0, 6), 30, 120)))]


def draw_room(rng: np.random.Generator) -> Room:
    """From a dry studio to a hall, through a telephone or not."""
    return Room(
        rt60=float(np.exp(rng.uniform(np.log(0.15), np.log(0.9)))),
        wet_db=float(rng.uniform(-24, -6)),
        low_hz=float(rng.uniform(30, 200)),
        high_hz=float(rng.uniform(2500, 7500)),
        seed=int(rng.integers(2**31)),
    )
