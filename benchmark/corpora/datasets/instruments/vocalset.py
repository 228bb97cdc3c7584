"""VocalSet: twenty singers, seventeen techniques, without accompaniment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet, held_out
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: folders of the singers
SINGERS = (*(f"female{i}" for i in range(1, 10)), *(f"male{i}" for i in range(1, 12)))
_TEST = _VALIDATION = 0.2
#: files that the paper's table does not have (MARBLE leaves them out, too)
_DOUBTFUL = {"caro_vibrato.wav", "dona_vibrato.wav", "row_vibrato.wav", "slow_vibrato_arps.wav"}
#: a second copy of a file: `f2_scales_vibrato_a(1).wav`
_COPY = "(1).wav"
#: what a folder of female2 is called in some versions
_MISSPELT = {"vibrado": "vibrato"}


class VocalSet(DataSet):
    """About 3,600 recordings, 10.1 hours, of 20 professional singers, split by exercise: every singer is in every part.

    Layout: `data_by_singer/SINGER/CONTEXT/TECHNIQUE/f1_scales_vibrato_a.wav`, CONTEXT being scales, arpeggios,
    long_tones or excerpts. About 30 files lack the singer in their name; all is taken from the folders. Left out: four
    doubtful files of technique vibrato, and second copies.
    Split: there is none for singers; the paper and MARBLE draw files at random, whereby the five vowels of an exercise,
    sung in a row, fall on both sides. Here an exercise of a singer (context and technique) is never cut: about 20 % of
    the exercises are the test, 20 % of the others the validation.
    Group: the exercise. Labels: `singer`, `technique`.
    """

    info = Info("vocalset", "VocalSet", "Wilkins, Seetharaman, Wahl & Pardo 2018 (ISMIR)", version=1)
    licence = "CC BY 4.0"
    folder = "vocalset"
    get = (
        "Get VocalSet 1.2 (VocalSet1-2.zip) from Zenodo, record 1442513, and unpack it so that data_by_singer lies in "
        "this folder."
    )
    disk = "6 GB packed, 10 GB unpacked: it holds every recording under singer, technique and vowel"

    def index(self, home: Path) -> pd.DataFrame:
        """The recordings by singer, context, technique and name."""
        table = _recordings(home)
        table["group"] = table["singer"] + "/" + table["context"] + "/" + table["technique"]
        table["split"] = "train"
        table.loc[held_out(table["group"], _VALIDATION, f"{self.info.name}/val"), "split"] = "val"
        table.loc[held_out(table["group"], _TEST, f"{self.info.name}/test"), "split"] = "test"
        return table


class VocalSetUnseenSingers(VocalSet):
    """VocalSet, split by singer: nobody is heard in two parts.

    A corpus of its own, because a track has one split and the labels of the other task would straddle it.
    Split: the makers' lists for technique classification, 15 singers to train and 5 to test
    (`{train,test}_singers_technique.txt`); about 20 % of the former are the validation (female3, female4, female5,
    male11). Group: the singer.
    """

    info = Info(
        "vocalset_unseen_singers", "VocalSet, unseen singers", "Wilkins, Seetharaman, Wahl & Pardo 2018 (ISMIR)", 1
    )

    def index(self, home: Path) -> pd.DataFrame:
        """The recordings by singer, context, technique and name."""
        table = _recordings(home)
        split = dict.fromkeys(_listed(home, "train"), "train") | dict.fromkeys(_listed(home, "test"), "test")
        missing = set(table["singer"]) - split.keys()
        if missing:
            raise ValueError(f"in neither list of singers: {sorted(missing)}")
        table["group"] = table["singer"]
        table["split"] = table["singer"].map(split)
        validation = (table["split"] == "train") & held_out(table["group"], _VALIDATION, self.info.name)
        table.loc[validation, "split"] = "val"
        return table


def _recordings(home: Path) -> pd.DataFrame:
    import pandas as pd

    base = home / "data_by_singer"
    if not base.is_dir():
        raise FileNotFoundError(f"no {base}")
    names = [path.relative_to(base) for path in sorted(base.glob("*/*/*/*.wav")) if _known(path.name)]
    table = pd.DataFrame([name.parts for name in names], columns=["singer", "context", "technique", "file"])
    table["technique"] = table["technique"].replace(_MISSPELT)
    table["id"] = [name.with_suffix("").as_posix() for name in names]
    table["path"] = [f"data_by_singer/{name.as_posix()}" for name in names]
    return table.drop(columns="file")


def _known(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_COPY) and name not in _DOUBTFUL


def _listed(home: Path, part: str) -> list[str]:
    return (home / f"{part}_singers_technique.txt").read_text().split()
