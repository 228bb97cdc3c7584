"""OpenMIC-2018: which instruments are heard, as far as somebody listened for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming, read_table
from benchmark.corpora.download.sources import Record
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: in the order of the data set's own class-map.json
INSTRUMENTS = (
    "accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute", "guitar", "mallet_percussion",
    "mandolin", "organ", "piano", "saxophone", "synthesizer", "trombone", "trumpet", "ukulele", "violin", "voice",
)  # fmt: skip
#: of the listeners' weighted votes; at and above it the instrument is taken to be there (the makers' own baseline)
_PRESENT = 0.5


class OpenMIC(DataSet):
    """20,000 excerpts of 10 s from the Free Music Archive, each from another recording.

    Layout: `openmic-2018-aggregated-labels.csv` (one row per excerpt and instrument that was asked about),
    `openmic-2018-metadata.csv`, `partitions/split01_{train,test}.csv` (keys, no header), `audio/000/000046_3840.ogg`.
    Split: official `split01`, 14,915 / 5,085, drawn stratified by the strongest label and *not* by artist: artists of
    the test are heard in training, which is left as it is. It has no validation part; that is 15 % of its
    training part, by artist.
    Group: the artist; the track where none is given. Labels: `present` and `absent`, lists of instruments; of those in
    neither list nobody knows (about 2 of 20 are known per excerpt).
    """

    info = Info("openmic", "OpenMIC-2018", "Humphrey, Durand & McFee 2018, OpenMIC-2018 (ISMIR)", version=2)
    licence = "CC BY 4.0; audio CC per track"
    folder = "openmic-2018"
    aliases = ("openmic2018",)
    get = "Get openmic-2018-v1.0.0.tgz from Zenodo, record 1432913, and unpack it beside this folder: it is its own."
    sources = (Record("10.5281/zenodo.1432913", ("openmic-2018-v1.0.0.tgz",)),)
    disk = "2.6 GB"
    expected = {"train+val": 14_915, "test": 5_085}
    shares: ClassVar[dict[str, float]] = {"val": 0.15}

    def index(self, home: Path) -> pd.DataFrame:
        """The excerpts of the two partitions, in their order."""
        import pandas as pd

        files = Files(home)
        parts = {split: files.one(f"partitions/split01_{split}.csv").read_text().split() for split in ("train", "test")}
        table = pd.DataFrame([(key, split) for split, keys in parts.items() for key in keys], columns=["id", "split"])
        labels = files.one("openmic-2018-aggregated-labels.csv")
        votes = read_table(labels, "sample_key", "instrument", "relevance")
        with naming(labels):
            votes["heard"] = votes["relevance"].astype(float) >= _PRESENT
        metadata = read_table(files.one("openmic-2018-metadata.csv"), "sample_key", "artist_id")
        artists = dict(zip(metadata["sample_key"], metadata["artist_id"], strict=True))
        table["path"] = [files.sound(f"audio/{key[:3]}/{key}.ogg") for key in table["id"]]
        # no excerpt shares its recording: a key's prefix is the track's number in the Free Music Archive
        table["group"] = [
            f"artist {artists[key]}" if artists.get(key) else f"track {key.split('_')[0]}" for key in table["id"]
        ]
        for name, heard in (("present", True), ("absent", False)):
            lists = votes[votes["heard"] == heard].groupby("sample_key")["instrument"].agg(list)
            table[name] = [lists.get(key, []) for key in table["id"]]
        training = table["split"] == "train"
        table.loc[training, "split"] = self.drawn(table.loc[training, "group"])
        return table
