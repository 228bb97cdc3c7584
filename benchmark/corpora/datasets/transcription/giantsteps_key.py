"""GiantSteps key: previews of electronic dance music, with key; two data sets, one to train on and one to test on."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet, held_out
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

TRAIN, TEST = "giantsteps-mtg-key-dataset", "giantsteps-key-dataset"
#: one key: `A# minor`, but not `C minor / F# minor`, `G minor/major`, `A-A# minor`, `-`
KEY = re.compile(r"([A-G][#b]?) (major|minor)")
#: the annotator's confidence, from 0 to 2
SURE = "2"


class GiantStepsKey(DataSet):
    """GiantSteps-MTG-Keys to train on (1,159 of 1,486 tracks), GiantSteps-Key to test on (604): the common protocol.

    Layout: both repositories side by side. `giantsteps-mtg-key-dataset/annotations/annotations.txt` (tab-separated: ID,
    MANUAL KEY with sharps, confidence C), `.../annotations/beatport_metadata.txt` (ID, ARTIST, ...), and
    `giantsteps-key-dataset/annotations/key/<id>.LOFI.key` (a key, with flats); audio of both in `audio/<id>.LOFI.mp3`,
    two minutes. Columns `tonic` (as it is spelled there) and `mode`.

    Left out of training, as in Korzeniowski & Widmer (2018): confidence below 2, and tracks in several keys or none.
    Validation: a fifth of the artists, by hash; artists who work together are one group.
    Known leak: the test tracks' artists are not in its text annotations, so some may be in training, too.
    """

    info = Info("giantsteps_key", "GiantSteps key", "Knees et al. 2015 (test); MTG of Universitat Pompeu Fabra (train)")
    licence = "annotations CC BY-SA; audio: Beatport's previews, all rights reserved"
    folder = "giantsteps"
    get = (
        "Clone giantsteps-key-dataset and giantsteps-mtg-key-dataset of the GiantSteps organization on GitHub, side by "
        "side, and run their audio_dl.sh; JKU Linz keeps a copy of the audio"
    )
    disk = "3 GB"
    expected = {"train+val": 1_159, "test": 604}

    def index(self, home: Path) -> pd.DataFrame:
        """Training tracks in the order of their annotations, then test tracks by number."""
        import pandas as pd

        train, test = _train(home / TRAIN / "annotations"), _test(home / TEST / "annotations" / "key")
        train = train[~train["id"].isin(test["id"])]
        return pd.concat([train, test], ignore_index=True)


def _train(annotations: Path) -> pd.DataFrame:
    import pandas as pd

    keys, metadata = _read(annotations / "annotations.txt"), _read(annotations / "beatport_metadata.txt")
    keys = keys[keys["C"].str.strip() == SURE]
    found = [KEY.fullmatch(key.strip()) for key in keys["MANUAL KEY"]]
    tracks = pd.DataFrame(
        [_track(TRAIN, number, key) for number, key in zip(keys["ID"], found, strict=True) if key is not None]
    )
    artists = dict(zip(metadata["ID"], metadata["ARTIST"], strict=True))
    tracks["group"] = collaborators([_artists(artists[number]) or [number] for number in tracks["id"]])
    tracks["split"] = held_out(tracks["group"], 0.2, "giantsteps_key").map({True: "val", False: "train"})
    return tracks


def _test(folder: Path) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for path in sorted(folder.glob("*.LOFI.key"), key=lambda path: int(path.name.split(".")[0])):
        number, key = path.name.split(".")[0], KEY.fullmatch(path.read_text().strip())
        if key is None:
            raise ValueError(f"{path} holds no key: {path.read_text()!r}")
        rows.append({**_track(TEST, number, key), "group": f"test/{number}", "split": "test"})
    if not rows:
        raise FileNotFoundError(f"{folder} has no *.LOFI.key")
    return pd.DataFrame(rows)


def _track(folder: str, number: str, key: re.Match[str]) -> dict[str, str]:
    return {"id": number, "path": f"{folder}/audio/{number}.LOFI.mp3", "tonic": key[1], "mode": key[2]}


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    # Titles may hold quotation marks, and an artist may be called NA.
    return pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, dtype=str, keep_default_na=False)


def _artists(names: str) -> list[str]:
    return [name.strip().lower() for name in names.split(",") if name.strip()]


def collaborators(tracks: list[list[str]]) -> list[str]:
    """Name the group of each track's artists: those linked by tracks they share, however many steps apart.

    Args:
        tracks: the artists of each track, at least one.
    """
    parent: dict[str, str] = {}

    def root(artist: str) -> str:
        while (above := parent.setdefault(artist, artist)) != artist:
            artist = above
        return artist

    for names in tracks:
        for name in names[1:]:
            low, high = sorted((root(names[0]), root(name)))
            parent[high] = low
    return [root(names[0]) for names in tracks]
