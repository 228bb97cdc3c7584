"""GiantSteps key: previews of electronic dance music, with key; two data sets, one to train on and one to test on."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming, read_table
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
    Validation: jukemir's (Castellon, Donahue & Liang 2021), 923 / 236 tracks: an artist is in it by the SHA-1 of the
    name, and with an artist all who work together, however many steps apart; they are one group.
    Known leak: the test tracks' artists are not in its text annotations, so some may be in training, too.
    """

    info = Info(
        "giantsteps_key", "GiantSteps key", "Knees et al. 2015 (test); MTG of Universitat Pompeu Fabra (train)", 2
    )
    licence = "annotations CC BY-SA; audio: Beatport's previews, all rights reserved"
    folder = "giantsteps"
    aliases = ("giantsteps_key",)
    get = (
        "Clone giantsteps-key-dataset and giantsteps-mtg-key-dataset of the GiantSteps organization on GitHub, side by "
        "side, and run their audio_dl.sh; JKU Linz keeps a copy of the audio"
    )
    disk = "3 GB"
    expected = {"train": 923, "val": 236, "test": 604}

    def index(self, home: Path) -> pd.DataFrame:
        """Training tracks in the order of their annotations, then test tracks by number."""
        import pandas as pd

        files = Files(home)
        train, test = _train(files), _test(files)
        train = train[~train["id"].isin(test["id"])]
        return pd.concat([train, test], ignore_index=True)


def _train(files: Files) -> pd.DataFrame:
    import pandas as pd

    keys = _read(files.one(f"{TRAIN}/annotations/annotations.txt"), "ID", "MANUAL KEY", "C")
    keys = keys[keys["C"] == SURE]
    found = [KEY.fullmatch(key) for key in keys["MANUAL KEY"]]
    tracks = pd.DataFrame(
        [_track(files, TRAIN, number, key) for number, key in zip(keys["ID"], found, strict=True) if key is not None]
    )
    source = files.one(f"{TRAIN}/annotations/beatport_metadata.txt")
    metadata = _read(source, "ID", "ARTIST")
    artists = [_artists(names) or [number] for number, names in zip(metadata["ID"], metadata["ARTIST"], strict=True)]
    groups = collaborators(artists)
    validating = {group for group, names in zip(groups, artists, strict=True) if any(map(_validating, names))}
    group_of = dict(zip(metadata["ID"], groups, strict=True))
    with naming(source):
        tracks["group"] = [group_of[number] for number in tracks["id"]]
    tracks["split"] = ["val" if group in validating else "train" for group in tracks["group"]]
    return tracks


def _validating(artist: str) -> bool:
    """The rule that jukemir published: SHA-1 of the artist, modulo 116, the last 16 to validation."""
    return int(hashlib.sha1(artist.encode()).hexdigest(), 16) % 116 >= 100


def _test(files: Files) -> pd.DataFrame:
    import pandas as pd

    paths = {path.rpartition("/")[2].split(".")[0]: path for path in files.all(f"{TEST}/annotations/key/*.LOFI.key")}
    rows = []
    for number in sorted(paths, key=int):
        text = (files.home / paths[number]).read_text().strip()
        key = KEY.fullmatch(text)
        if key is None:
            raise ValueError(f"{paths[number]} holds no key: {text!r}")
        rows.append({**_track(files, TEST, number, key), "group": f"test/{number}", "split": "test"})
    return pd.DataFrame(rows)


def _track(files: Files, folder: str, number: str, key: re.Match[str]) -> dict[str, str]:
    path = files.sound(f"{folder}/audio/{number}.LOFI.mp3")
    return {"id": number, "path": path, "tonic": key[1], "mode": key[2]}


def _read(path: Path, *columns: str) -> pd.DataFrame:
    return read_table(path, *columns, separator="\t", quoted=False)  # titles may hold quotation marks


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
