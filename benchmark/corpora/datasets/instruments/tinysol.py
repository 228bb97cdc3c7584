"""TinySOL: single notes of 14 orchestral instruments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming, read_table
from benchmark.corpora.download.sources import Record
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: the data set's abbreviations and names
INSTRUMENTS = {
    "BTb": "Bass Tuba", "Hn": "French Horn", "Tbn": "Trombone", "TpC": "Trumpet in C", "Acc": "Accordion",
    "Cb": "Contrabass", "Vn": "Violin", "Va": "Viola", "Vc": "Violoncello", "Bn": "Bassoon",
    "ClBb": "Clarinet in B-flat", "Fl": "Flute", "Ob": "Oboe", "ASax": "Alto Saxophone",
}  # fmt: skip
_SPLITS = {0: "test", 1: "val", 2: "train", 3: "train", 4: "train"}


class TinySOL(DataSet):
    """2,913 notes in ordinary technique, recorded at Ircam between 1996 and 1999, 44.1 kHz mono.

    Layout: `TinySOL_metadata.csv` beside the unpacked archive, whose paths are
    `Family/Instrument/ordinario/Fl-ord-C4-mf-N-T14d.wav`.
    Split: of the official five folds, which are balanced in instrument, pitch and dynamics, fold 0 is the test, fold 1
    the validation, the others training. Notes that were missing have been made from the recording of a neighbor, a
    semitone away (`R100u`, `R100d` in the name): they follow that recording, whatever fold the list gives them.
    Group: the recording. The player and the instrument are the same in all folds. Labels: `instrument`.
    """

    info = Info("tinysol", "TinySOL", "Cella et al. 2020, OrchideaSOL (ICMC); TinySOL 6.0", version=1)
    licence = "CC BY 4.0"
    folder = "tinysol"
    get = (
        "Get TinySOL.tar.gz and TinySOL_metadata.csv from Zenodo, record 3685367; unpack the archive into this folder."
    )
    sources = (Record("10.5281/zenodo.3685367", ("TinySOL_metadata.csv", "TinySOL.tar.gz")),)
    disk = "1.0 GB packed, somewhat more unpacked"
    expected = {"train+val+test": 2_913}

    def index(self, home: Path) -> pd.DataFrame:
        """The notes in the order of the list."""
        files = Files(home)
        listed = files.one("TinySOL_metadata.csv")
        columns = ("Path", "Instrument (abbr.)", "Pitch ID", "Dynamics", "Instance ID", "Fold")
        notes = read_table(listed, *columns)
        unknown = set(notes["Instrument (abbr.)"]) - INSTRUMENTS.keys()
        if unknown:
            raise ValueError(f"{listed.name}: instruments that are not of this data set: {sorted(unknown)}")
        table = notes[["Path"]].rename(columns={"Path": "id"})
        table["path"] = [files.sound(path) for path in notes["Path"]]
        table["id"] = table["id"].str.split("/").str[-1].str.removesuffix(".wav")
        steps = table["id"].str.extract(r"R100([ud])$")[0].map({"u": 1, "d": -1}).fillna(0).astype(int)
        with naming(listed):
            pitches, listed_folds = notes["Pitch ID"].astype(int), notes["Fold"].astype(int)
        recorded = (pitches - steps).astype(str)
        table["group"] = notes["Instrument (abbr.)"] + " " + recorded
        table["group"] += " " + notes["Dynamics"] + " " + notes["Instance ID"]
        recordings_first = steps.abs().sort_values(kind="stable").index
        folds = listed_folds.loc[recordings_first].groupby(table["group"]).first()
        table["split"] = table["group"].map(folds).map(_SPLITS)
        table["instrument"] = notes["Instrument (abbr.)"].map(INSTRUMENTS)
        return table
