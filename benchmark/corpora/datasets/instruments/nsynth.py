"""NSynth: single notes of 1,006 instruments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming
from benchmark.corpora.download.sources import Remote
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: in the order of the data set's own `instrument_family`, 0 to 10
FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)  # fmt: skip
#: of the three archives, as HEAR's preprocessing keeps them: the makers publish none
MD5 = {
    "train": "fde6665a93865503ba598b9fac388660",
    "valid": "87e94a00a19b6dbc99cf6d4c0c0cae87",
    "test": "5e6f8719bf7e16ad0a00d518b78af77d",
}
_SPLITS = {"train": "train", "valid": "val", "test": "test"}


class NSynth(DataSet):
    """305,979 notes of 4 s, 16 kHz mono, from commercial sample libraries.

    Layout: `nsynth-{train,valid,test}/{examples.json,audio/NOTE.wav}` (the "json/wav" archives).
    Split: official, 289,205 / 12,678 / 4,096 notes. The instruments of training are in neither other part; validation
    and test share theirs, so that a choice made on validation knows the instruments of the test.
    Group: the instrument. Labels: `pitch` (MIDI number), `family`.
    """

    info = Info("nsynth", "NSynth", "Engel et al. 2017, Neural audio synthesis of musical notes", version=1)
    licence = "CC BY 4.0"
    folder = "nsynth"
    get = (
        "Get nsynth-train, nsynth-valid and nsynth-test as .jsonwav.tar.gz from Google Magenta's page on NSynth, "
        "and unpack the three into this folder."
    )
    sources = tuple(
        Remote(
            f"http://download.magenta.tensorflow.org/datasets/nsynth/nsynth-{part}.jsonwav.tar.gz",
            f"md5:{digest}",
            f"nsynth-{part}.tar.gz",
        )
        for part, digest in MD5.items()
    )
    disk = "about 25 GB packed, 40 GB unpacked"
    expected = {"train": 289_205, "val": 12_678, "test": 4_096}

    def index(self, home: Path) -> pd.DataFrame:
        """The notes in the order of the three files."""
        import pandas as pd

        files = Files(home)
        return pd.concat([_part(files, name, split) for name, split in _SPLITS.items()], ignore_index=True)


def _part(files: Files, name: str, split: str) -> pd.DataFrame:
    import pandas as pd

    examples = files.one(f"nsynth-{name}/examples.json")
    with naming(examples):
        notes = json.loads(examples.read_text(encoding="utf-8"))
        return pd.DataFrame(
            {
                "id": list(notes),
                "path": [files.sound(f"nsynth-{name}/audio/{note}.wav") for note in notes],
                "group": [note["instrument_str"] for note in notes.values()],
                "split": split,
                "pitch": [int(note["pitch"]) for note in notes.values()],
                "family": [note["instrument_family_str"] for note in notes.values()],
            }
        )
