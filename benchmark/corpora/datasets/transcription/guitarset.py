"""GuitarSet: an acoustic guitar, comping and soloing over lead sheets, with chords."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, moment, naming
from benchmark.corpora.download.sources import Record
from benchmark.interfaces import Info

_SPLITS = {"00": "train", "01": "train", "02": "train", "03": "train", "04": "val", "05": "test"}


class GuitarSet(DataSet):
    """GuitarSet (Xi et al. 2018): 6 players, 30 lead sheets, each comped and soloed over: 360 excerpts, 3 hours.

    Layout: `annotation/<id>.jams` and `audio_mono-mic/<id>_mic.wav` (one microphone, 44.1 kHz mono), where an id is
    player_piece_mode: `03_BN3-119-G_comp` is player 03, Bossa Nova, progression 3, 119 bpm, in G.

    Split: there is none; the field leaves one player out. Here player 05 is the test, 04 the validation.
    Known leak: all players play the same 30 lead sheets, in the same key and tempo, so that every chord sequence of the
    test is in the training set.

    Labels: `chords`, as instructed by the lead sheet, and `performed_chords`, inferred from the notes played, with the
    sheet's roots and segments. A JAMS file holds them in this order, both under the namespace `chord`. Solos carry
    those of their comping, which are not what is heard there: they have none here.
    """

    info = Info("guitarset", "GuitarSet", "Xi, Bittner, Pauwels, Ye & Bello, ISMIR 2018", version=1)
    licence = "MIT"
    folder = "guitarset"
    get = "Get annotation.zip and audio_mono-mic.zip from Zenodo, record 3371780, and unpack them into this folder"
    sources = (Record("10.5281/zenodo.3371780", ("annotation.zip", "audio_mono-mic.zip")),)
    disk = "1.5 GB"
    expected = {"train": 240, "val": 60, "test": 60}

    def index(self, home: Path) -> pd.DataFrame:
        """Every annotated excerpt, by player."""
        files = Files(home)
        return pd.DataFrame([_track(files, home / path) for path in files.all("*.jams")])


def _track(files: Files, path: Path) -> dict[str, object]:
    with naming(path):
        player, piece, mode = path.stem.split("_")
        split = _SPLITS[player]
        instructed, performed = _chords(path) if mode == "comp" else (None, None)
    return {
        "id": path.stem,
        "path": files.sound(f"audio_mono-mic/{path.stem}_mic.wav", f"{path.stem}_mic.wav"),
        "group": player,
        "split": split,
        "mode": mode,
        "piece": piece,
        "chords": instructed,
        "performed_chords": performed,
    }


def _chords(path: Path) -> list[list[dict[str, Any]]]:
    annotations = json.loads(path.read_text(encoding="utf-8"))["annotations"]
    found = [each["data"] for each in annotations if each["namespace"] == "chord"]
    if len(found) != 2:
        raise ValueError(f"{len(found)} annotations of chords instead of 2")
    return [[_chord(observed) for observed in each] for each in found]


def _chord(observed: dict[str, Any]) -> dict[str, Any]:
    start, end = observed["time"], observed["time"] + observed["duration"]
    return {"start": moment(start), "end": moment(end), "label": observed["value"]}
