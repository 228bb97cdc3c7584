"""MTG-Jamendo: full tracks under Creative Commons, tagged by those who uploaded them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

CITATION = "Bogdanov, Won, Tovstogan, Porter, Serra (Machine Learning for Music Discovery, ICML 2019)"
SPLITS = {"train": "train", "validation": "val", "test": "test"}
#: columns before the tags
FIELDS = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]


class MTGJamendo(DataSet):
    """About 55,000 full tracks with tags of genre, instrument, mood and theme.

    Layout: `data/splits/split-N/autotagging_SUBSET-{train,validation,test}.tsv`, as in the repository
    MTG/mtg-jamendo-dataset (tab-separated; a line has as many fields as its track has tags), and the unpacked archives
    `00` to `99` with `NN/ID.mp3` or, of type audio-low, `NN/ID.low.mp3`; the first is taken where both are there.
    Split: the authors' number `fold`, by artist (none is in two parts). They split once and then filtered by subset, so
    a track is in the same part of every subset that has it, and one column `split` holds for all; this is checked.
    Labels: a column of tags per subset (`genre---rock`), None where the subset does not have the track.
    """

    info = Info("mtg_jamendo", "MTG-Jamendo", CITATION, version=1)
    licence = "audio: Creative Commons, per track; metadata: CC BY-NC-SA 4.0"
    folder = "mtg_jamendo"
    get = (
        "Clone the GitHub repository MTG/mtg-jamendo-dataset there, and have its scripts/download/download.py unpack "
        "raw_30s as type audio-low into the folder audio-low, or as type audio into audio"
    )
    disk = "156 GB as audio-low, 508 GB as audio; decoded, another 440 GB"
    #: which of the authors' five splits, 0 to 4
    fold: ClassVar[int] = 0
    #: names of the label columns, and their subset's in file names
    subsets: ClassVar[dict[str, str]] = {
        "top50": "top50tags",
        "genre": "genre",
        "instrument": "instrument",
        "mood": "moodtheme",
    }

    def index(self, home: Path) -> pd.DataFrame:
        """The tracks of all subsets, by id."""
        import pandas as pd

        files = Files(home)
        rows: dict[str, dict[str, Any]] = {}
        for column, subset in self.subsets.items():
            for part, split in SPLITS.items():
                table = files.one(f"splits/split-{self.fold}/autotagging_{subset}-{part}.tsv")
                for track, artist, path, tags in _read(table):
                    row = rows.setdefault(track, {"id": track, "path": path, "group": artist, "split": split})
                    if row["split"] != split:
                        raise ValueError(f"{track} is in {row['split']} and, in {subset}, in {split}")
                    row[column] = tags
        index = pd.DataFrame([rows[track] for track in sorted(rows)], dtype=object)
        index["path"] = [
            files.sound(f"audio/{path}", path, path.removesuffix(".mp3") + ".low.mp3") for path in index["path"]
        ]
        return index.where(index.notna(), None)


class MTGJamendoMood(MTGJamendo):
    """Its 18,000 tracks with tags of mood and theme, which are also distributed on their own.

    Everything else as in `MTGJamendo`, whose folder it shares.
    """

    info = Info("mtg_jamendo_mood", "MTG-Jamendo, mood and theme", CITATION, version=1)
    get = MTGJamendo.get.replace("raw_30s", "autotagging_moodtheme (or raw_30s)")
    disk = "46 GB as audio-low, 152 GB as audio; decoded, another 140 GB"
    expected = {"train": 9_949, "val": 3_802, "test": 4_231}
    aliases = ("mtg_jamendo_autotagging_moodtheme",)
    subsets = {"mood": "moodtheme"}


def _read(path: Path) -> list[tuple[str, str, str, list[str]]]:
    """Track, artist, path and tags of each line: pandas wants lines of equal length."""
    with naming(path):
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        if header.split("\t") != FIELDS:
            raise ValueError(f"begins with {header!r}")
        rows = (line.split("\t") for line in lines)
        return [(track, artist, sound, tags) for track, artist, _, sound, _, *tags in rows]
