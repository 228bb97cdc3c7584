"""FMA: 30-second clips of the Free Music Archive, one top genre each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming, require_columns
from benchmark.corpora.download.sources import Remote
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

CITATION = "Defferrard, Benzi, Vandergheynst, Bresson (ISMIR 2017)"
FIELDS = (("set", "subset"), ("set", "split"), ("artist", "id"), ("track", "genre_top"))
SPLIT_OF = {"training": "train", "validation": "val", "test": "test"}
#: the archive's wrong durations put these clips behind the end of their track: files without audio (the authors' list
#: for their challenge of 2018; three of them are in the small subset, mdeff/fma#44)
SILENT = (1486, 5574, 65753, 80391, 98558, 98559, 98560, 98571, 99134, 105247, 108925, 126981, 127336, 133297, 143992)


def _archive(name: str, sha1: str) -> Remote:
    """A file of the authors' server, with the checksum of their README."""
    return Remote(f"https://os.unil.cloud.switch.ch/fma/{name}", f"sha1:{sha1}", name)


METADATA = _archive("fma_metadata.zip", "f0df49ffe5f2a6008d7dc83c6915b31835dfe733")


class FMA(DataSet):
    """What its subsets have in common.

    Layout: `fma_metadata/tracks.csv` (three header rows: group, field, `track_id`; free text with line breaks) and
    `fma_SUBSET/000/000002.mp3`; a larger subset's folder will do.
    Split: the authors', 80 / 10 / 10 by genre, all tracks of an artist in one part; the group is the artist's id. (Two
    names of one musician are two artists.)
    Left out: the clips that have no audio. Some more are shorter than 30 s, down to half a second.
    Labels: `genre` (the top genre).
    """

    licence = "audio: Creative Commons, per track; metadata: CC BY 4.0"
    folder = "fma"
    #: the subsets of 30-second clips that hold its tracks, the smallest (its own) first
    within: ClassVar[tuple[str, ...]]
    #: whose tracks it has, in the column `subset`: each contains the smaller ones
    contains: ClassVar[tuple[str, ...]]

    def index(self, home: Path) -> pd.DataFrame:
        """The tracks of the subset, by id."""
        import pandas as pd

        files = Files(home)
        table = files.one("fma_metadata/tracks.csv", "tracks.csv")
        with naming(table):
            tracks = pd.read_csv(table, index_col=0, header=[0, 1], low_memory=False)
        require_columns(table, tracks.columns, FIELDS)
        tracks = tracks[tracks["set", "subset"].isin(self.contains) & ~tracks.index.isin(SILENT)]
        ids = [f"{track:06d}" for track in tracks.index]
        return pd.DataFrame(
            {
                "id": ids,
                "path": [
                    files.sound(*(f"fma_{subset}/{track[:3]}/{track}.mp3" for subset in self.within)) for track in ids
                ],
                "group": [str(artist) for artist in tracks["artist", "id"]],
                "split": [SPLIT_OF[split] for split in tracks["set", "split"]],
                "genre": list(tracks["track", "genre_top"]),
            }
        )


class FMASmall(FMA):
    """8,000 clips, 1,000 of each of 8 genres: 6,400 / 800 / 800, less three clips without audio."""

    info = Info("fma_small", "FMA small", CITATION, version=1)
    get = "Unzip fma_metadata.zip and fma_small.zip there; the GitHub repository mdeff/fma links to both"
    sources = (METADATA, _archive("fma_small.zip", "ade154f733639d52e35e32f5593efe5be76c6d70"))
    disk = "8 GB"
    expected = {"train+val+test": 8_000 - 3}
    within = ("small", "medium", "large")
    contains = ("small",)


class FMAMedium(FMA):
    """25,000 clips of 16 genres, from 21 to 7,103 each: 19,922 / 2,505 / 2,573, less fifteen without audio."""

    info = Info("fma_medium", "FMA medium", CITATION, version=1)
    get = "Unzip fma_metadata.zip and fma_medium.zip there; the GitHub repository mdeff/fma links to both"
    sources = (METADATA, _archive("fma_medium.zip", "c67b69ea232021025fca9231fc1c7c1a063ab50b"))
    disk = "24 GB"
    expected = {"train+val+test": 25_000 - len(SILENT)}
    within = ("medium", "large")
    contains = ("small", "medium")
