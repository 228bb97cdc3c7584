"""IRMAS: the predominant instruments of music recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.corpora.datasets.dataset import DataSet, held_out
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: the data set's codes
INSTRUMENTS = {
    "cel": "cello", "cla": "clarinet", "flu": "flute", "gac": "acoustic guitar", "gel": "electric guitar",
    "org": "organ", "pia": "piano", "sax": "saxophone", "tru": "trumpet", "vio": "violin", "voi": "voice",
}  # fmt: skip
_TRAINING = "IRMAS-TrainingData"
_TESTING = ("IRMAS-TestingData-Part1", "IRMAS-TestingData-Part2", "IRMAS-TestingData-Part3")
_VALIDATION = 0.15
#: `[cel][cla]0001__1`, `110__[org][dru][jaz_blu]1117__2`: instrument, drums, genre, recording, excerpt
_RECORDING = re.compile(r"\](\d+)__\d+$")


class IRMAS(DataSet):
    """6,705 training excerpts of 3 s with one instrument each, 2,874 test excerpts of 5 to 20 s with one to five.

    Layout: `IRMAS-TrainingData/cel/[cel][cla]0001__1.wav`, where folder and first bracket give the instrument, and
    `IRMAS-TestingData-Part{1,2,3}/FOLDER/NAME-8.{wav,txt}`, one code per line (a tab behind it); the parts' inner
    folders are named differently.
    Split: official training and test; that they share no recording is taken on trust, since nothing in the files tells.
    There is no validation part: it is about 15 % of the training recordings.
    Group: in training the recording, whose number precedes the excerpt's; in the test the file name without the
    excerpt's number. Labels: `instruments`, a list of codes, in training with a single element.
    """

    info = Info("irmas", "IRMAS", "Bosch, Janer, Fuhrmann & Herrera 2012 (ISMIR)", version=1)
    licence = "CC BY-NC-SA 3.0"
    folder = "irmas"
    get = (
        "Get IRMAS-TrainingData.zip and the three IRMAS-TestingData-Part*.zip from Zenodo, record 1290750, "
        "and unpack the four into this folder."
    )
    disk = "about 12 GB unpacked"
    expected = {"train+val": 6_705, "test": 2_874}

    def index(self, home: Path) -> pd.DataFrame:
        """Training, then the three test parts, each by name."""
        import pandas as pd

        training = [_training(home, path) for path in _sounds(home / _TRAINING)]
        testing = [_testing(home, path) for part in _TESTING for path in _sounds(home / part)]
        table = pd.DataFrame(training + testing)
        validation = (table["split"] == "train") & held_out(table["group"], _VALIDATION, self.info.name)
        table.loc[validation, "split"] = "val"
        return table


def _sounds(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"no {folder}")
    return sorted(path for path in folder.rglob("*.wav") if not path.name.startswith("."))


def _training(home: Path, path: Path) -> dict[str, Any]:
    code, recording = path.parent.name, _RECORDING.search(path.stem)
    if code not in INSTRUMENTS or f"[{code}]" not in path.stem:
        raise ValueError(f"{path.relative_to(home)}: folder and name do not say which instrument it is")
    return _row(home, path, f"recording {recording[1] if recording else path.stem}", "train", [code])


def _testing(home: Path, path: Path) -> dict[str, Any]:
    listed = path.with_suffix(".txt")
    codes = list(dict.fromkeys(listed.read_text().split()))
    if not INSTRUMENTS.keys() >= set(codes):
        raise ValueError(f"{listed.relative_to(home)}: expected instrument codes, found {codes}")
    return _row(home, path, re.sub(r"-\d+$", "", path.stem), "test", codes)


def _row(home: Path, path: Path, group: str, split: str, codes: list[str]) -> dict[str, Any]:
    relative = path.relative_to(home)
    return {
        "id": relative.with_suffix("").as_posix(),
        "path": relative.as_posix(),
        "group": group,
        "split": split,
        "instruments": codes,
    }
