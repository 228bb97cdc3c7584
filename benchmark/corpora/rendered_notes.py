"""Single notes, rendered on the spot: an embedded corpus after NSynth, whose pitch is true by construction."""

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

#: C2 to C7
PITCHES = range(36, 97)
NOTE_SECONDS = 3.0

#: General MIDI family -> programs of train, val and test. Those that sound within 0.35 semitones of the written note at
#: each of PITCHES (YIN on the 48 kHz rendering), loud enough at all of them; one of each near-identical group (0/1,
#: 4/26, 48/49, 72/74, 88/89/92).
PROGRAMS: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "piano": ((0, 3, 5, 6), (2,), (7,)),
    "mallets": ((10, 11, 12), (), (13,)),
    "organ": ((20,), (), ()),
    "guitar": ((24, 26, 27, 29, 30), (28,), (25,)),
    "bass": ((32, 34, 36, 37, 38), (35,), (33, 39)),
    "strings": ((40, 42, 44), (43,), (41, 46)),
    "ensemble": ((48, 51, 52), (50,), (53,)),
    "brass": ((56, 60), (59,), (58,)),
    "reed": ((66, 71), (70,), (69,)),
    "pipe": ((73, 75, 76), (72,), (79,)),
    "synth lead": ((80, 82), (85,), (87,)),
    "pad": ((90, 91, 93), (89,), (94,)),
    "effects": ((99, 102), (103,), (100,)),
    "ethnic": ((107, 108, 109), (110,), (111,)),
}
#: those of test lie between those of training, and are none of them
VELOCITIES = {"train": (60, 80, 100, 120), "val": (60, 80, 100, 120), "test": (70, 90, 110)}
#: each ten tracks of the order
_TURNS = ("train", "train", "test", "train", "train", "val", "train", "train", "test", "train")


class RenderedNotes(Corpus):
    """One note a clip, by the SoundFont of pretty_midi, in a room; clips of 3 s at 16 kHz.

    Every program plays every pitch. Onset, length, room and level are drawn for each note, from its id alone. Programs,
    which are the groups, are disjoint between splits; so are the velocities of training and test.
    """

    info = Info(
        name="rendered_notes",
        title="Rendered notes",
        citation="after Engel et al. 2017 (NSynth); TimGM6mb SoundFont",
        version=1,
    )
    licence = "Rendered locally, never redistributed. SoundFont: GPL-2."
    sample_rate = 16_000
    #: ten rounds of all pitches, and multiples: every split of every size has each pitch equally often
    sizes = {"tiny": 610, "small": 2440, "standard": 9760}

    def fingerprint(self) -> dict[str, str]:
        """Versions of SoundFont, synthesizer, and of what filters and resamples."""
        packages = ("pretty_midi", "midirenderer", "soxr", "scipy", "numpy")
        return {name: version(name) for name in packages} | {"corpus": str(self.info.version)}

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """The first `size` notes."""
        import pandas as pd

        orders = {split: iter(_order(split, self.info.version)) for split in VELOCITIES}
        return pd.DataFrame(next(orders[split]) for split in itertools.islice(itertools.cycle(_TURNS), size))

    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]]]:
        """Play each note."""
        for track in tracks.to_dict("records"):
            yield {"mix": _render(track, self.info.version)}


def _order(split: str, version: int) -> list[dict[str, Any]]:
    """All notes of a split, in rounds that hold each pitch once."""
    from benchmark.corpora.rendered_scores.arrange import generator

    place = list(VELOCITIES).index(split)
    programs = [(family, program) for family, parts in PROGRAMS.items() for program in parts[place]]
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


def _render(track: dict[Any, Any], version: int) -> NDArray[np.int16]:
    import numpy as np
    from scipy.signal import fftconvolve

    from benchmark.corpora.rendered_scores.arrange import draw_room, generator
    from benchmark.corpora.rendered_scores.sound import SAMPLE_RATE, impulse_response, leveling, play

    rng = generator("rendered_notes", version, track["id"])
    onset, length = float(rng.uniform(0, 0.25)), float(rng.uniform(1, 2))
    room, level_dbfs = draw_room(rng), float(rng.uniform(-32, -18))
    note = (onset, onset + length, int(track["pitch"]), int(track["velocity"]))
    dry = play([([note], int(track["program"]), False)])[0, : int(NOTE_SECONDS * SAMPLE_RATE)]
    wet = fftconvolve(dry / max(float(np.abs(dry).max()), 1e-6), impulse_response(room))[: len(dry)]
    sound: NDArray[np.int16] = np.round(wet * (leveling(wet, level_dbfs) * 32767)).astype(np.int16)
    return sound
