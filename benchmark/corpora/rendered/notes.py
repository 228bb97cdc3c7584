"""Single notes over softer ones, rendered on the spot: after NSynth, and their pitch is true by construction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.interfaces import Corpus, Info

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from benchmark.corpora.rendered.labels import Note
    from benchmark.corpora.rendered.synthesis import Part

#: C2 to C7
PITCHES = range(36, 97)
NOTE_SECONDS = 3.0

#: General MIDI family -> programs of train, val and test: all of the SoundFont that are in tune and loud enough at each
#: of PITCHES (YIN, half a semitone; the test listens again). Near-identical ones (0/1, 4/26, 48/49, 89/92) train
#: together. Most are for test, where another program tells more than another note of one.
PROGRAMS: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "piano": ((0, 1, 4), (5,), (2, 3, 6, 7)),
    "mallets": ((11, 12), (114,), (10, 13)),
    "organ": ((20,), (), (22,)),
    "guitar": ((24, 26), (), (25, 27, 28, 29, 30)),
    "bass": ((33,), (), (32, 34, 35, 36, 37, 38, 39)),
    "strings": ((40,), (43,), (41, 42, 44, 45, 46)),
    "ensemble": ((48, 49, 52), (), (50, 51, 53)),
    "brass": ((56,), (), (58, 59, 60)),
    "reed": ((71,), (), (66, 69, 70)),
    "pipe": ((73,), (), (72, 75, 76, 79)),
    "synth lead": ((80,), (), (82, 85, 87)),
    "pad": ((89, 92), (91,), (90, 93, 94)),
    "effects": ((99,), (), (100, 103)),
    "ethnic": ((108,), (110,), (105, 106, 107, 109, 111)),
}
#: how much softer the other note is
BELOW_DB = (-16.0, -6.0)
#: those of test lie between those of training, and are none of them
VELOCITIES = {"train": (60, 80, 100, 120), "val": (60, 80, 100, 120), "test": (70, 90, 110)}
#: by size, rounds of all pitches in each split: every split of every size has each pitch equally often
ROUNDS = {
    "tiny": {"train": 7, "val": 1, "test": 2},
    "small": {"train": 28, "val": 4, "test": 16},
    "standard": {"train": 60, "val": 14, "test": 83},
}


class RenderedNotes(Corpus):
    """One note a clip over a softer one, by the SoundFont of pretty_midi, in a room; clips of 3 s at 16 kHz.

    Every program plays every pitch. Onset, length, room, level, and the note below are drawn for each note, from its id
    alone. Programs, which are the groups, are disjoint between splits, also those of the notes below; so are the
    velocities of training and test.
    """

    info = Info(
        name="rendered_notes",
        title="Rendered notes",
        citation="after Engel et al. 2017 (NSynth); TimGM6mb SoundFont",
        version=3,
    )
    licence = "Rendered locally, never redistributed. SoundFont: GPL-2."
    sample_rate = 16_000
    track_seconds = NOTE_SECONDS
    sizes = {name: len(PITCHES) * sum(rounds.values()) for name, rounds in ROUNDS.items()}
    stems = ("note", "accompaniment")

    def fingerprint(self) -> dict[str, str]:
        """Versions of SoundFont, synthesizer, and of what filters and resamples."""
        packages = ("pretty_midi", "midirenderer", "soxr", "scipy", "numpy")
        return {name: version(name) for name in packages} | {"corpus": str(self.info.version)}

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """The first `size` notes."""
        import pandas as pd

        from benchmark.corpora.rendered.catalog import in_proportion

        orders = {split: iter(_order(split, self.info.version)) for split in VELOCITIES}
        counts = [{split: len(PITCHES) * n for split, n in rounds.items()} for rounds in ROUNDS.values()]
        return pd.DataFrame(next(orders[split]) for split in itertools.islice(in_proportion(counts), size))

    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]]]:
        """Play each note: `mix`, and its stems."""
        for track in tracks.to_dict("records"):
            yield _render(track, self.info.version)


def _programs(split: str) -> list[tuple[str, int]]:
    place = list(VELOCITIES).index(split)
    return [(family, program) for family, parts in PROGRAMS.items() for program in parts[place]]


def _order(split: str, version: int) -> list[dict[str, Any]]:
    """All notes of a split, in rounds that hold each pitch once."""
    from benchmark.corpora.rendered.arrange import generator

    programs = _programs(split)
    order: list[list[dict[str, Any]]] = []
    for pitch in PITCHES:
        rng = generator("rendered_notes", version, split, pitch)
        notes = [
            {
                "id": f"{program:03d}-{pitch:03d}-{velocity:03d}",
                "group": f"program {program}",
                "split": split,
                "pitch": pitch,
                "velocity": velocity,
                "program": program,
                "family": family,
            }
            for (family, program), velocity in itertools.product(programs, VELOCITIES[split])
        ]
        order.append([notes[i] for i in rng.permutation(len(notes))])
    return [note for turn in zip(*order, strict=True) for note in turn]


def _render(track: dict[Any, Any], version: int) -> dict[str, NDArray[np.int16]]:
    import numpy as np
    from scipy.signal import fftconvolve

    from benchmark.corpora.rendered.arrange import draw_room, generator
    from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, impulse_response, leveling, play

    rng = generator("rendered_notes", version, track["id"])
    room, level_dbfs = draw_room(rng), float(rng.uniform(-32, -18))
    note = (_note(rng, int(track["pitch"]), int(track["velocity"])), int(track["program"]), False)
    dry = play([note, _below(rng, track["split"])])[:, : int(NOTE_SECONDS * SAMPLE_RATE)]
    dry /= np.maximum(np.sqrt(np.square(dry).mean(axis=1, keepdims=True)), 1e-6)
    dry[1] *= 10 ** (rng.uniform(*BELOW_DB) / 20)
    wet = fftconvolve(dry, impulse_response(room)[None], axes=1)[:, : dry.shape[1]]
    stems = np.round(wet * (leveling(wet.sum(axis=0), level_dbfs) * 32767)).astype(np.int16)
    return {"mix": stems.sum(axis=0, dtype=np.int16), **dict(zip(RenderedNotes.stems, stems, strict=True))}


def _note(rng: np.random.Generator, pitch: int, velocity: int) -> list[Note]:
    onset, length = float(rng.uniform(0, 0.25)), float(rng.uniform(1, 2))
    return [(onset, onset + length, pitch, velocity)]


def _below(rng: np.random.Generator, split: str) -> Part:
    """Any pitch by any program of the split: alone, a note's spectrum gives it away to a linear probe."""
    programs = [program for _, program in _programs(split)]
    return _note(rng, int(rng.choice(PITCHES)), int(rng.choice(VELOCITIES[split]))), int(rng.choice(programs)), False
