"""Medley-solos-DB: eight instruments, each alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming, read_table
from benchmark.corpora.download.sources import Record
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

    Layout: `Medley-solos-DB_metadata.csv` of version 1.2 (older ones do not name the songs), and
    `Medley-solos-DB_SUBSET-INSTRUMENTID_UUID4.wav`.
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
    sources = (Record("10.5281/zenodo.3464194", ("Medley-solos-DB_metadata.csv", "Medley-solos-DB.tar.gz")),)
    disk = "8 GB packed"
    expected = {"train": 5_841, "val": 3_494, "test": 12_236}

    def index(self, home: Path) -> pd.DataFrame:
        """The clips in the order of the list."""
        files = Files(home)
        listed = files.one("Medley-solos-DB_metadata.csv")
        clips = read_table(listed, "subset", "instrument_id", "song_id", "uuid4")
        unknown = set(clips["subset"]) - _SPLITS.keys()
        if unknown:
            raise ValueError(f"{listed.name}: unknown subsets {sorted(unknown)}")
        names = "Medley-solos-DB_" + clips["subset"] + "-" + clips["instrument_id"] + "_" + clips["uuid4"] + ".wav"
        table = clips[["uuid4"]].rename(columns={"uuid4": "id"})
        table["path"] = [files.sound(name) for name in names]
        table["group"] = "song " + clips["song_id"]
        table["split"] = clips["subset"].map(_SPLITS)
        names_of = dict(enumerate(INSTRUMENTS))
        with naming(listed):
            table["instrument"] = [names_of[int(number)] for number in clips["instrument_id"]]
        return table
