"""MedleyDB: 108 songs of many styles, with the f0 of the melody."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark.corpora.datasets.contours import contour
from benchmark.corpora.datasets.dataset import DataSet, held_out
from benchmark.interfaces import Info

#: where annotations and mixes are: in MedleyDB itself, and in its selection for melody extraction
LAYOUTS = {
    "Annotations/Melody_Annotations/MELODY1": "Audio/{song}/{song}_MIX.wav",
    "melody1": "audio/{song}_MIX.wav",
}
#: songs named by their composers are by two singers of NYU (MedleyDB's index of artists)
COMPOSERS = frozenset(("Debussy", "Handel", "Mozart", "Schubert", "Schumann", "Wolf"))


class MedleyDBMelody(DataSet):
    """The songs of MedleyDB (Bittner et al. 2014) that have a melody: 108 of 122, 44.1 kHz stereo mixes.

    Layout: MedleyDB's, `Audio/<song>/<song>_MIX.wav` and `Annotations/Melody_Annotations/MELODY1/<song>_MELODY1.csv`,
    or that of MedleyDB-Melody, `audio/<song>_MIX.wav` and `melody1/<song>_MELODY1.csv`. A line is a time and an f0 in
    Hz, 0 where there is no melody, every 256 samples at 44.1 kHz. Of the three definitions of a melody this is the
    first: the f0 of the one source that leads the song, often the voice.

    Split: by artist, from the hash of the name: 35 % of them are the test, 10 % the validation (about 26 and 15 songs,
    since MusicDelta, a third of all songs, falls into training). The field splits by artist, too, but not alike.
    Group: the artist, the first half of the song's name; classical songs, named by their composers, are one group.

    Labels: `f0`, in Hz every 10 ms, 0 where unvoiced.
    """

    info = Info("medleydb_melody", "MedleyDB, melody", "Bittner et al., ISMIR 2014", version=1)
    licence = "CC BY-NC-SA 4.0"
    folder = "medleydb_melody"
    get = (
        "Ask for MedleyDB-Melody at Zenodo, record 2628782, and unpack it into this folder; or link your copy of "
        "MedleyDB (medleydb.weebly.com) to it"
    )
    disk = "5 GB"
    expected = {"train+val+test": 108}

    def index(self, home: Path) -> pd.DataFrame:
        """Every song with a melody, by name."""
        found = [(path, mix) for folder, mix in LAYOUTS.items() for path in (home / folder).glob("*_MELODY1.csv")]
        if not found:
            raise FileNotFoundError(f"no *_MELODY1.csv in {' or '.join(LAYOUTS)}")
        tracks = pd.DataFrame([_track(path, mix) for path, mix in sorted(found)])
        test, val = (held_out(tracks["group"], share, "medleydb_melody") for share in (0.35, 0.45))
        tracks["split"] = "train"
        tracks.loc[val, "split"] = "val"
        tracks.loc[test, "split"] = "test"  # the first 35 % of names, which are also within `val`
        return tracks


def _track(path: Path, mix: str) -> dict[str, object]:
    song = path.stem.removesuffix("_MELODY1")
    artist = song.split("_")[0]
    try:
        table = pd.read_csv(path, header=None, names=["time", "f0"], dtype=float)
        f0 = contour(table["time"].to_numpy(), table["f0"].to_numpy())
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    return {
        "id": song,
        "path": mix.format(song=song),
        "group": "NYU singers" if artist in COMPOSERS else artist,
        "f0": f0,
    }
