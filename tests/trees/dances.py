"""Ballroom and the two GiantSteps sets in miniature."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.kinds.keys import TONICS
from trees.files import music, pick, written

WALTZ = "1.8600000000 1\n2.6270000000 2\n3.3330000000 3\n4.0000000000 1\n"
#: dances and their tempi
DANCES = {"ChaChaCha": 128, "Rumba-American": 100, "Rumba-International": 104, "Waltz": 84, "Quickstep": 204}
TRAIN_KEYS, TEST_KEYS = "giantsteps-mtg-key-dataset", "giantsteps-key-dataset"


def write_ballroom(home: Path, dance: str, name: str, beats: str = WALTZ, bpm: str = "84\n") -> None:
    """The three files of an excerpt; what stands for audio cannot be decoded."""
    written(home / f"audio/{dance}/{name}.wav")
    written(home / f"annotations/beats/{name}.beats", beats)
    written(home / f"annotations/tempo/{name}.bpm", bpm)


def ballroom(root: Path) -> None:
    """Eighty albums of one track, so that each part gets some."""
    home = root / "ballroom" / "B_1.0"
    for i in range(80):
        dance, bpm = list(DANCES.items())[pick(i, len(DANCES))]
        beats, bar = np.arange(0.2, 2.2, 60 / bpm), 3 if dance == "Waltz" else 4
        lines = "".join(f"{beat:.10f} {k % bar + 1}\n" for k, beat in enumerate(beats))
        name = f"Albums-Number_{i}-01" if i % 2 else f"Media-{1000 + i}01"
        write_ballroom(home, dance, name, lines, f"{bpm}\n")
        music(home / f"audio/{dance}/{name}.wav", 220, 2.4, beats=beats, overtones=pick(i, len(DANCES)))


def write_giantsteps_key(home: Path, keys: str, metadata: str, test: tuple[str, ...]) -> Path:
    """Annotations of both repositories; the test tracks have the given keys."""
    written(home / TRAIN_KEYS / "annotations/annotations.txt", keys)
    written(home / TRAIN_KEYS / "annotations/beatport_metadata.txt", metadata)
    for i, key in enumerate(test):
        written(home / TEST_KEYS / f"annotations/key/{1234749 + i}.LOFI.key", key)  # no end of line
    return home


def giantsteps_key(root: Path) -> None:
    """Forty artists with a sure key, one track that is not sure and has no audio here."""
    sharps = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    keys, metadata, home = "ID\tMANUAL KEY\tC\n999\tC major\t1\n", "ID\tARTIST\n999\tUnsure\n", root / "giantsteps"
    for i in range(40):
        keys += f"{5000 + i}\t{sharps[pick(i, 3)]} {'major' if i % 2 else 'minor'}\t2\n"
        metadata += f"{5000 + i}\tArtist {i}\n"
        music(home / TRAIN_KEYS / f"audio/{5000 + i}.LOFI.mp3", 220 * 2 ** (pick(i, 3) / 12))
    test = tuple(f"{TONICS[pick(i, 3)]} {'major' if i % 2 else 'minor'}" for i in range(8))
    for i in range(8):
        music(home / TEST_KEYS / f"audio/{1234749 + i}.LOFI.mp3", 220 * 2 ** (pick(i, 3) / 12))
    write_giantsteps_key(home, keys, metadata, test)


def write_giantsteps_tempo(home: Path, tempi: dict[int, str]) -> Path:
    for number, bpm in tempi.items():
        written(home / f"annotations_v2/tempo/{number}.LOFI.bpm", bpm)
    return home


def giantsteps_tempo(root: Path) -> None:
    """Sixty releases, and a track without tempo."""
    home, tempi = root / "giantsteps/giantsteps-tempo-dataset", {1327052: "0.0"}
    for i in range(60):
        bpm = (100, 125, 174)[pick(i, 3)]
        tempi[1_400_000 + 1000 * i] = f"{bpm}.0"
        music(home / f"audio/{1_400_000 + 1000 * i}.LOFI.mp3", 220, 2.4, beats=np.arange(0.1, 2.3, 60 / bpm))
    write_giantsteps_tempo(home, tempi)
