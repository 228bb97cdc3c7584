"""GuitarSet and the Beatles in miniature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trees.files import music, written

ALBUMS = (
    *("01_-_Please_Please_Me", "02_-_With_the_Beatles", "03_-_A_Hard_Day's_Night", "04_-_Beatles_for_Sale"),
    *("05_-_Help!", "06_-_Rubber_Soul", "07_-_Revolver", "08_-_Sgt._Pepper's_Lonely_Hearts_Club_Band"),
    *("09_-_Magical_Mystery_Tour", "10CD1_-_The_Beatles", "10CD2_-_The_Beatles", "11_-_Abbey_Road", "12_-_Let_It_Be"),
)
#: performed chords have inversions, extensions and missing fifths
PERFORMED = ["G:maj7/1", "D:9(*5)/1", "E:min7/5", "B:min7/b7"]


def jams(path: Path, seconds: float = 2.0) -> None:
    """An excerpt of GuitarSet as its files are: contours dense, chords sparse, instructed before performed."""

    def annotation(namespace: str, data: Any, source: str = "") -> dict[str, Any]:
        metadata = {"curator": {"name": "", "email": ""}, "annotator": {}, "version": "", "data_source": source}
        return {"annotation_metadata": metadata, "namespace": namespace, "data": data, "sandbox": {}, "time": 0}

    def chords(labels: list[str]) -> list[dict[str, Any]]:
        return [
            {"time": seconds * i, "duration": seconds, "value": x, "confidence": None} for i, x in enumerate(labels)
        ]

    contours = {"time": [0.01], "duration": [0.0], "value": [{"voiced": True, "index": 0, "frequency": 98.0}]}
    whole = {"time": 0.0, "duration": 4 * seconds}
    annotations = [
        annotation("pitch_contour", {**contours, "confidence": [None]}, "0"),
        annotation("note_midi", [{"time": 0.01, "duration": 1.5, "value": 43.02, "confidence": None}], "0"),
        annotation("tempo", [{**whole, "value": 119.0, "confidence": 1.0}]),
        annotation("chord", chords(["G:maj", "D:maj", "E:min", "B:hdim7"])),
        annotation("chord", chords(PERFORMED)),
        annotation("key_mode", [{**whole, "value": "G:major", "confidence": 1}]),
    ]
    content = {"annotations": annotations, "file_metadata": {"title": path.stem}, "sandbox": {}}
    written(path, json.dumps(content, indent=2))


def write_guitarset(root: Path, pieces: tuple[str, ...] = ("BN3-119-G", "Rock1-130-A"), seconds: float = 2.0) -> None:
    """Six players comp and solo over each piece, whose four chords last `seconds` each."""
    for player in range(6):
        for piece in pieces:
            for mode in ("comp", "solo"):
                jams(root / f"guitarset/annotation/{player:02d}_{piece}_{mode}.jams", seconds)


def guitarset(root: Path) -> None:
    write_guitarset(root, ("BN3-119-G", "Rock1-130-A", "Funk2-108-Eb", "SS1-68-E"), seconds=0.5)
    for path in sorted((root / "guitarset/annotation").iterdir()):
        music(root / f"guitarset/audio_mono-mic/{path.stem}_mic.wav", (196.0, 146.8, 164.8, 246.9), 2.0)


def write_beatles(root: Path, folder: str = "chordlab/The Beatles", songs: int = 1) -> list[str]:
    """Some songs of each album; returns what their audio is called."""
    names = []
    for album in ALBUMS:
        for n in range(1, songs + 1):
            name = f"{album[2:5]}_-_{n:02}_-_Song" if "CD" in album else f"{n:02}_-_Song's_End"
            text = "0.000000 0.497838 N\n0.497838 1.5 E:min/b3\n1.5 2.5 G\n"
            written(root / "beatles" / folder / album / f"{name}.lab", text)
            names.append(f"audio/{album}/{name}.wav")
    return names


def beatles(root: Path) -> None:
    for name in write_beatles(root, songs=2):
        music(root / "beatles" / name, (0.0, 164.8, 164.8, 196.0, 196.0), 2.5, channels=2)
