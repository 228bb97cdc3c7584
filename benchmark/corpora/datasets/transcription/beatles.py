"""The Beatles: 180 songs of the 12 studio albums, with chords by Christopher Harte."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, moment, naming
from benchmark.interfaces import Info

#: numbers of albums, so that each part has an early and a late one: 45, 25 and 110 songs
TEST_ALBUMS = frozenset((2, 6, 11))
VAL_ALBUMS = frozenset((4, 9))


class Beatles(DataSet):
    """Isophonics' reference annotations (Harte 2010; Mauch et al. 2009), 180 songs, without audio.

    Layout: `chordlab/The Beatles/<album>/<song>.lab` somewhere below the folder, perhaps with `The_Beatles`, lines of
    start, end and label between blanks or tabs; and the user's own copy of the audio, named like its annotation:
    `audio/<album>/<song>.wav`, or flac, mp3 ... `10CD1_-_The_Beatles` and `10CD2_-_The_Beatles` are one album.

    Split: there is none; the field cross-validates over albums. Here one fold is fixed: `TEST_ALBUMS`, `VAL_ALBUMS`.
    Group: the album. All songs are by one band, so that nothing here is about unknown artists.
    Known: the times are those of the annotators' CDs; another mastering or a lossy copy may be shifted against them.
    """

    info = Info("beatles", "The Beatles (Isophonics)", "Harte 2010; Mauch et al. 2009 (OMRAS2)", version=1)
    licence = "annotations: none stated; audio: commercial CDs"
    folder = "beatles"
    get = (
        "Unpack 'The Beatles Annotations.tar.gz' from isophonics.net into this folder, and put your own rips of the "
        "CDs to audio/<album>/<song>.wav, named like the .lab files"
    )
    disk = "5 GB"
    expected = {"train": 110, "val": 25, "test": 45}

    def index(self, home: Path) -> pd.DataFrame:
        """Every annotated song, by album."""
        files = Files(home)
        paths = files.all("chordlab/The Beatles/*/*.lab", "chordlab/The_Beatles/*/*.lab")
        return pd.DataFrame([_track(files, home / path) for path in paths])


def _track(files: Files, path: Path) -> dict[str, object]:
    album, song = path.parent.name, path.stem
    number = re.match(r"\d+", album)
    if number is None:
        raise ValueError(f"{path}: the album's folder begins with no number")
    return {
        "id": f"{album}/{song}",
        "path": files.sound(f"audio/{album}/{song}.wav", f"{album}/{song}.wav"),
        "group": re.sub(r"CD\d", "", album),
        "split": _split(int(number[0])),
        "chords": read_chords(path),
    }


def _split(album: int) -> str:
    if album in TEST_ALBUMS:
        return "test"
    return "val" if album in VAL_ALBUMS else "train"


def read_chords(path: Path) -> list[dict[str, Any]]:
    """Read lines of start, end and label; blank lines are ignored.

    Raises:
        ValueError: a line holds something else.
    """
    chords = []
    with naming(path):
        for line in filter(str.strip, path.read_text(encoding="utf-8").splitlines()):
            try:
                start, end, label = line.split()
                chords.append({"start": moment(float(start)), "end": moment(float(end)), "label": label})
            except ValueError as error:
                raise ValueError(f"{line!r} is not a start, an end and a label: {error}") from error
    return chords
