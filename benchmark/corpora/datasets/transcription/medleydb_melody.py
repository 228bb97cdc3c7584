"""MedleyDB: 108 songs of many styles, with the f0 of the melody."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pandas as pd

from benchmark.corpora.datasets.contours import contour
from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming
from benchmark.interfaces import Info

#: songs named by their composers are by two singers of NYU (MedleyDB's index of artists)
COMPOSERS = frozenset(("Debussy", "Handel", "Mozart", "Schubert", "Schumann", "Wolf"))


class MedleyDBMelody(DataSet):
    """The songs of MedleyDB (Bittner et al. 2014) that have a melody: 108 of 122, 44.1 kHz stereo mixes.

    Layout: MedleyDB's, `Audio/<song>/<song>_MIX.wav` and `Annotations/Melody_Annotations/MELODY1/<song>_MELODY1.csv`,
    or that of MedleyDB-Melody, `audio/<song>_MIX.wav` and `melody1/<song>_MELODY1.csv`. A line is a time and an f0 in
    Hz, 0 where there is no melody, every 256 samples at 44.1 kHz. Of the three definitions of a melody this is the
    first: the f0 of the one source that leads the song, often the voice.

    Split: by artist, from the hash of the name: 35 % of the songs are the test, 10 % the validation (59 / 11 / 38;
    MusicDelta, a third of all songs, falls into training). The field splits by artist, too, but not alike.
    Group: the artist, the first half of the song's name; classical songs, named by their composers, are one group.

    Labels: `f0`, in Hz every 10 ms, 0 where unvoiced.
    """

    info = Info("medleydb_melody", "MedleyDB, melody", "Bittner et al., ISMIR 2014", version=2)
    licence = "CC BY-NC-SA 4.0"
    folder = "medleydb_melody"
    get = (
        "Ask for MedleyDB-Melody at Zenodo, record 2628782, and unpack it into this folder; or link your copy of "
        "MedleyDB (medleydb.weebly.com) to it"
    )
    disk = "5 GB"
    expected = {"train": 59, "val": 11, "test": 38}
    shares: ClassVar[dict[str, float]] = {"test": 0.35, "val": 0.1}

    def index(self, home: Path) -> pd.DataFrame:
        """Every song with a melody, by name."""
        files = Files(home)
        tracks = pd.DataFrame([_track(files, home / path) for path in files.all("*_MELODY1.csv")])
        return tracks.assign(split=self.drawn(tracks["group"]))


def _track(files: Files, path: Path) -> dict[str, object]:
    song = path.stem.removesuffix("_MELODY1")
    artist = song.split("_")[0]
    with naming(path):
        table = pd.read_csv(path, header=None, names=["time", "f0"], dtype=float)
        f0 = contour(table["time"].to_numpy(), table["f0"].to_numpy())
    return {
        "id": song,
        "path": files.sound(f"audio/{song}_MIX.wav", f"{song}_MIX.wav"),
        "group": "NYU singers" if artist in COMPOSERS else artist,
        "f0": f0,
    }
