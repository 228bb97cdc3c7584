"""MagnaTagATune: 29-second clips of the Magnatune label, tagged by players of a game."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming, require_columns
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: empty mp3 files of the distribution
EMPTY = (35644, 55753, 57881)
SPLIT_OF = {folder: "train" if folder < "c" else "val" if folder == "c" else "test" for folder in "0123456789abcdef"}


class MagnaTagATune(DataSet):
    """25,860 clips with 188 tags, heard by people who played TagATune.

    Layout: `annotations_final.csv` (tab-separated, quoted: clip_id, 188 columns of 0 and 1, mp3_path),
    `clip_info_final.csv` (tab-separated; also lists clips that nobody tagged), `0/` to `f/` with the mp3s (16 kHz).
    Split: by folder, 0-b / c / d-f: 18,706 / 1,825 / 5,329 clips, also those without any frequent tag.
    Leak: 62 % of the tagged test clips are by an artist of the training clips. So the group is the source track (the
    mp3's name without the seconds of the clip), which never straddles; artists do.
    Labels: `tags` (of all 188), `artist` (empty where unknown).
    """

    info = Info("mtat", "MagnaTagATune", "Law, West, Mandel, Bay, Downie (ISMIR 2009)", version=1)
    licence = "CC BY-NC-SA 3.0"
    folder = "mtat"
    get = (
        "Put annotations_final.csv, clip_info_final.csv and the folders 0 to f of mp3.zip.001-003 (joined, unzipped) "
        "there, from the Music Informatics Research Group of City, University of London (mirg.city.ac.uk)"
    )
    disk = "3 GB"
    expected = {"train": 18_706, "val": 1_825, "test": 5_329}

    def index(self, home: Path) -> pd.DataFrame:
        """All clips but the empty ones, in the order of the annotations."""
        import pandas as pd

        files = Files(home)
        annotations, information = files.one("annotations_final.csv"), files.one("clip_info_final.csv")
        table, clips = _table(annotations, "clip_id", "mp3_path"), _table(information, "clip_id", "artist")
        table = table[~table["clip_id"].isin(EMPTY)]
        tags = table.drop(columns=["clip_id", "mp3_path"])
        heard = tags.to_numpy() == 1
        artists = clips.drop_duplicates("clip_id").set_index("clip_id")["artist"]
        return pd.DataFrame(
            {
                "id": table["clip_id"].astype(str),
                "path": [files.sound(path) for path in table["mp3_path"]],
                "group": [_source(path) for path in table["mp3_path"]],
                "split": [SPLIT_OF[path[0]] for path in table["mp3_path"]],
                "artist": table["clip_id"].map(artists).fillna(""),
                "tags": [tags.columns[row].tolist() for row in heard],
            }
        )


def _table(path: Path, *columns: str) -> pd.DataFrame:
    import pandas as pd

    with naming(path):
        table = pd.read_csv(path, sep="\t")
    require_columns(path, table.columns, columns)
    return table


def _source(path: str) -> str:
    """The track that a clip was cut from: `f/artist-album-01-title-30-59.mp3` → `artist-album-01-title`."""
    return re.sub(r"-\d+-\d+\.mp3$", "", path.partition("/")[2])
