"""GTZAN: 30-second clips of ten genres, in the split without its known faults, with beats and tempo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.beat_files import read_beats, read_bpm
from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: as the folders are called; elsewhere the fifth is "hip-hop"
GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


class GTZAN(DataSet):
    """930 of the 1,000 clips, the fault-filtered split.

    Layout: `genres/GENRE/GENRE.000NN.au` (Marsyas), or `Data/genres_original/GENRE/GENRE.000NN.wav` (Kaggle's copy);
    22,050 Hz, mono. A clip's genre is its name. Beside them, for the tasks of rhythm alone, `gtzan_tempo_beat/`
    (Marchand, Fresnel & Peeters 2015): `beats/gtzan_blues_00000.beats` (lines of time and, in most files, position in
    the bar) and `tempo/gtzan_blues_00000.bpm` (a number such as 8.553000000000000114e+01).
    Split: fault-filtered, 443 / 197 / 290 (Kereliuk, Sturm, Larsen 2015), without the repeated, distorted and
    mislabeled clips that Sturm found; the lists are read from torchaudio, which has them from Jordi Pons.
    Leak: the data set names no artists, so a clip is a group of its own, and nobody can check that no artist straddles.
    `jazz.00054` is in the lists and damaged in some copies; there it is reported as unreadable.
    Labels: `genre`, as in `GENRES`; `beats`, `downbeats`, `tempo`. A file of the latter that is missing, and positions
    that are missing, leave that label open.
    """

    info = Info(
        "gtzan",
        "GTZAN",
        "Tzanetakis & Cook 2002; Sturm 2013; Kereliuk, Sturm & Larsen 2015; Marchand, Fresnel & Peeters 2015 (rhythm)",
        version=2,
    )
    licence = "unknown: recordings of unnamed origin, distributed for research"
    folder = "gtzan"
    aliases = ("gtzan_genre",)
    get = (
        "Unpack genres.tar.gz of the Marsyas project (or the copy on Kaggle, with wav files) there; and beside it, for "
        "beats and tempo, TempoBeatDownbeat's gtzan_tempo_beat on GitHub"
    )
    disk = "1.2 GB"
    expected = {"train": 443, "val": 197, "test": 290}

    def index(self, home: Path) -> pd.DataFrame:
        """The clips of the lists: train, val, test."""
        import pandas as pd

        files = Files(home)
        clips = [(clip, split) for split, names in _fault_filtered().items() for clip in names]
        return pd.DataFrame(
            [
                {
                    "id": clip,
                    "path": files.sound(*(f"{above}{clip.partition('.')[0]}/{clip}.wav" for above in ("genres/", ""))),
                    "group": clip,
                    "split": split,
                    "genre": clip.partition(".")[0],
                    **_rhythm(files, f"gtzan_{clip.replace('.', '_')}"),
                }
                for clip, split in clips
            ]
        )


def _rhythm(files: Files, name: str) -> dict[str, object]:
    times, tempo = files.find(f"beats/{name}.beats"), files.find(f"tempo/{name}.bpm")
    beats, downbeats = read_beats(files.home / times) if times else (None, None)
    return {"beats": beats, "downbeats": downbeats, "tempo": read_bpm(files.home / tempo) if tempo else None}


def _fault_filtered() -> dict[str, list[str]]:
    """Names of the clips (`blues.00012`) by split."""
    from torchaudio.datasets import gtzan

    return {"train": gtzan.filtered_train, "val": gtzan.filtered_valid, "test": gtzan.filtered_test}
