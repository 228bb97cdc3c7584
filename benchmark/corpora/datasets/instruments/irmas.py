"""IRMAS: the predominant instruments of music recordings."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming
from benchmark.corpora.download.sources import Record
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: the data set's codes
INSTRUMENTS = {
    "cel": "cello", "cla": "clarinet", "flu": "flute", "gac": "acoustic guitar", "gel": "electric guitar",
    "org": "organ", "pia": "piano", "sax": "saxophone", "tru": "trumpet", "vio": "violin", "voi": "voice",
}  # fmt: skip
_TESTING = ("IRMAS-TestingData-Part1", "IRMAS-TestingData-Part2", "IRMAS-TestingData-Part3")
#: `[cel][cla]0001__1`, `110__[org][dru][jaz_blu]1117__2`: instrument, drums, genre, recording, excerpt
_RECORDING = re.compile(r"\](\d+)__\d+$")


class IRMAS(DataSet):
    """6,705 training excerpts of 3 s with one instrument each, 2,874 test excerpts of 5 to 20 s with one to five.

    Layout: `IRMAS-TrainingData/cel/[cel][cla]0001__1.wav`, where folder and first bracket give the instrument, and
    `IRMAS-TestingData-Part{1,2,3}/FOLDER/NAME-8.{wav,txt}`, one code per line (a tab behind it); the parts' inner
    folders are named differently.
    Split: official training and test; that they share no recording is taken on trust, since nothing in the files tells.
    There is no validation part: it is 15 % of the training excerpts, by recording.
    Group: in training the recording, whose number precedes the excerpt's; in the test the file name without the
    excerpt's number. Labels: `instruments`, a list of codes, in training with a single element.
    """

    info = Info("irmas", "IRMAS", "Bosch, Janer, Fuhrmann & Herrera 2012 (ISMIR)", version=2)
    licence = "CC BY-NC-SA 3.0"
    folder = "irmas"
    get = (
        "Get IRMAS-TrainingData.zip and the three IRMAS-TestingData-Part*.zip from Zenodo, record 1290750, "
        "and unpack the four into this folder."
    )
    sources = (
        Record(
            "10.5281/zenodo.1290750",
            (
                "IRMAS-TrainingData.zip",
                "IRMAS-TestingData-Part1.zip",
                "IRMAS-TestingData-Part2.zip",
                "IRMAS-TestingData-Part3.zip",
            ),
        ),
    )
    disk = "about 12 GB unpacked"
    expected = {"train+val": 6_705, "test": 2_874}
    shares: ClassVar[dict[str, float]] = {"val": 0.15}

    def index(self, home: Path) -> pd.DataFrame:
        """Training, then the three test parts, each by name."""
        import pandas as pd

        files = Files(home)
        training = pd.DataFrame([_training(path) for path in files.all("IRMAS-TrainingData/*/*.wav")])
        training["split"] = self.drawn(training["group"])
        parts = [files.all(f"{part}/*/*.wav", f"{part}/*.wav") for part in _TESTING]
        testing = pd.DataFrame([_testing(home, path) for paths in parts for path in paths])
        return pd.concat([training, testing.assign(split="test")], ignore_index=True)


def _training(path: str) -> dict[str, Any]:
    *_, code, name = path.split("/")
    recording = _RECORDING.search(name.rpartition(".")[0])
    if code not in INSTRUMENTS or f"[{code}]" not in name:
        raise ValueError(f"{path}: folder and name do not say which instrument it is")
    return _row(path, f"recording {recording[1] if recording else name.rpartition('.')[0]}", [code])


def _testing(home: Path, path: str) -> dict[str, Any]:
    listed = (home / path).with_suffix(".txt")
    with naming(listed):
        codes = list(dict.fromkeys(listed.read_text().split()))
        if not INSTRUMENTS.keys() >= set(codes):
            raise ValueError(f"expected instrument codes, found {codes}")
    return _row(path, re.sub(r"-\d+$", "", listed.stem), codes)


def _row(path: str, group: str, codes: list[str]) -> dict[str, Any]:
    name = PurePosixPath(path[path.rindex("IRMAS-T") :]).with_suffix("")
    return {"id": name.as_posix(), "path": path, "group": group, "instruments": codes}
