"""VocalSet: twenty singers, seventeen techniques, without accompaniment."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files
from benchmark.corpora.download.sources import Record
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: folders of the singers
SINGERS = (*(f"female{i}" for i in range(1, 10)), *(f"male{i}" for i in range(1, 12)))
#: files that the paper's table does not have (MARBLE leaves them out, too)
_DOUBTFUL = {"caro_vibrato", "dona_vibrato", "row_vibrato", "slow_vibrato_arps"}
#: a second copy of a file: `f2_scales_vibrato_a(1).wav`
_COPY = "(1)"
#: what a folder of female2 is called in some versions
_MISSPELT = {"vibrado": "vibrato"}


class VocalSet(DataSet):
    """About 3,600 recordings, 10.1 hours, of 20 professional singers, split by exercise: every singer is in every part.

    Layout: `data_by_singer/SINGER/CONTEXT/TECHNIQUE/f1_scales_vibrato_a.wav` (version 1.1 has `FULL` for the first
    folder), CONTEXT being scales, arpeggios, long_tones or excerpts. About 30 files lack the singer in their name; all
    is taken from the folders. Left out: four doubtful files of technique vibrato, and second copies.
    Split: there is none for singers; the paper and MARBLE draw files at random, whereby the five vowels of an exercise,
    sung in a row, fall on both sides. Here an exercise of a singer (context and technique) is never cut: exercises
    with 20 % of the recordings are the test, with 16 % the validation.
    Group: the exercise. Labels: `singer`, `technique`.
    """

    info = Info("vocalset", "VocalSet", "Wilkins, Seetharaman, Wahl & Pardo 2018 (ISMIR)", version=2)
    licence = "CC BY 4.0"
    folder = "vocalset"
    get = "Get VocalSet 1.2 (VocalSet1-2.zip) from Zenodo, record 1442513, and unpack it into this folder."
    sources = (Record("10.5281/zenodo.1442513", ("VocalSet1-2.zip",)),)
    disk = "6 GB packed, 10 GB unpacked: it holds every recording under singer, technique and vowel"
    shares: ClassVar[dict[str, float]] = {"test": 0.2, "val": 0.16}

    def index(self, home: Path) -> pd.DataFrame:
        """The recordings by singer, context, technique and name."""
        table = _recordings(Files(home))
        table["group"] = table["singer"] + "/" + table["context"] + "/" + table["technique"]
        table["split"] = self.drawn(table["group"])
        return table


class VocalSetUnseenSingers(VocalSet):
    """VocalSet, split by singer: nobody is heard in two parts.

    A corpus of its own, because a track has one split and the labels of the other task would straddle it.
    Split: the makers' lists for technique classification, 15 singers to train and 5 to test
    (`{train,test}_singers_technique.txt`); singers with 20 % of the former's recordings are the validation (female3,
    female4, male11). Group: the singer.
    """

    info = Info(
        "vocalset_unseen_singers", "VocalSet, unseen singers", "Wilkins, Seetharaman, Wahl & Pardo 2018 (ISMIR)", 2
    )
    shares: ClassVar[dict[str, float]] = {"val": 0.2}

    def index(self, home: Path) -> pd.DataFrame:
        """The recordings by singer, context, technique and name."""
        files = Files(home)
        table = _recordings(files)
        lists = {part: files.one(f"{part}_singers_technique.txt").read_text().split() for part in ("train", "test")}
        split = {singer: part for part, singers in lists.items() for singer in singers}
        missing = set(table["singer"]) - split.keys()
        if missing:
            raise ValueError(f"in neither list of singers: {sorted(missing)}")
        table["group"] = table["singer"]
        table["split"] = table["singer"].map(split)
        training = table["split"] == "train"
        table.loc[training, "split"] = self.drawn(table.loc[training, "group"])
        return table


def _recordings(files: Files) -> pd.DataFrame:
    import pandas as pd

    paths = files.all("data_by_singer/*/*/*/*.wav", "FULL/*/*/*/*.wav")
    names = [PurePosixPath(path).with_suffix("").parts[-4:] for path in paths]
    table = pd.DataFrame(names, columns=["singer", "context", "technique", "file"])
    table["technique"] = table["technique"].replace(_MISSPELT)
    table["id"] = ["/".join(name) for name in names]
    table["path"] = paths
    known = ~table["file"].str.endswith(_COPY) & ~table["file"].isin(_DOUBTFUL)
    return table[known].drop(columns="file").reset_index(drop=True)
