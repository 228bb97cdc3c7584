"""Medley-solos-DB: eight instruments, each alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import located, read_table
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: in the order of the data set's own `instrument_id`, 0 to 7
INSTRUMENTS = (
    "clarinet", "distorted electric guitar", "female singer", "flute",
    "piano", "tenor saxophone", "trumpet", "violin",
)  # fmt: skip
_SPLITS = {"training": "train", "validation": "val", "test": "test"}


class MedleySolosDB(DataSet):
    """21,571 clips of 3 s, 44.1 kHz mono.

    Layout: `Medley-solos-DB_metadata.csv`, and `Medley-solos-DB_SUBSET-INSTRUMENTID_UUID4.wav` in one folder (this one,
    `audio`, or the archive's own).
    Split: official, by subset, across collections: training and validation come from MedleyDB, the test from solosDb,
    so that room, microphone and style change with it.
    Group: the song. Labels: `instrument`.
    """

    info = Info("medley_solos_db", "Medley-solos-DB", "Lostanlen & Cella 2016, ISMIR; version 1.2", version=1)
    licence = "CC BY 4.0"
    folder = "medley_solos_db"
    get = (
        "Get Medley-solos-DB.tar.gz and Medley-solos-DB_metadata.csv from Zenodo, record 3464194; unpack the archive "
        "into this folder."
    )
    disk = "8 GB packed"
    expected = {"train+val+test": 21_571}

    def index(self, home: Path) -> pd.DataFrame:
        """The clips in the order of the list."""
        clips = read_table(located(home, "Medley-solos-DB_metadata.csv"))
        unknown = set(clips["subset"]) - _SPLITS.keys()
        if unknown:
            raise ValueError(f"Medley-solos-DB_metadata.csv: unknown subsets {sorted(unknown)}")
        base = located(home, "Medley-solos-DB_*-*_*.wav").parent.relative_to(home)
        names = "Medley-solos-DB_" + clips["subset"] + "-" + clips["instrument_id"] + "_" + clips["uuid4"] + ".wav"
        table = clips[["uuid4"]].rename(columns={"uuid4": "id"})
        table["path"] = [(base / name).as_posix() for name in names]
        table["group"] = "song " + clips["song_id"]
        table["split"] = clips["subset"].map(_SPLITS)
        names_of = dict(enumerate(INSTRUMENTS))
        table["instrument"] = [names_of[int(number)] for number in clips["instrument_id"]]
        return table
