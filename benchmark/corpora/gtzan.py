"""GTZAN: 30-second clips of ten genres, in the split without its known faults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.dataset import DataSet
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: as the folders are called; elsewhere the fifth is "hip-hop"
GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


class GTZAN(DataSet):
    """930 of the 1,000 clips, the fault-filtered split.

    Layout: `genres/GENRE/GENRE.000NN.wav` (Marsyas), or `genres_original/` (Kaggle's copy); 22,050 Hz, mono. There are
    no annotation files: a clip's genre is its name.
    Split: fault-filtered, 443 / 197 / 290 (Kereliuk, Sturm, Larsen 2015), without the repeated, distorted and
    mislabeled clips that Sturm found; the lists are read from torchaudio, which has them from Jordi Pons.
    Leak: the data set names no artists, so a clip is a group of its own, and nobody can check that no artist straddles.
    `jazz.00054` is in the lists and damaged in some copies; there it is reported as unreadable.
    Labels: `genre`, as in `GENRES`.
    """

    info = Info("gtzan", "GTZAN", "Tzanetakis, Cook (2002); Sturm (2013); Kereliuk, Sturm, Larsen (2015)", version=1)
    licence = "unknown: recordings of unnamed origin, distributed for research"
    folder = "gtzan"
    get = "Unpack genres.tar.gz of the Marsyas project (or the copy on Kaggle, with wav files) there"
    disk = "1.2 GB"

    def index(self, home: Path) -> pd.DataFrame:
        """The clips of the lists: train, val, test."""
        import pandas as pd

        folder = next((name for name in ("genres", "genres_original") if (home / name).is_dir()), None)
        if folder is None:
            raise FileNotFoundError(f"{home / 'genres'}")
        clips = [(clip, split) for split, names in _fault_filtered().items() for clip in names]
        return pd.DataFrame(
            [
                {
                    "id": clip,
                    "path": f"{folder}/{clip.partition('.')[0]}/{clip}.wav",
                    "group": clip,
                    "split": split,
                    "genre": clip.partition(".")[0],
                }
                for clip, split in clips
            ]
        )


def _fault_filtered() -> dict[str, list[str]]:
    """Names of the clips (`blues.00012`) by split."""
    from torchaudio.datasets import gtzan

    return {"train": gtzan.filtered_train, "val": gtzan.filtered_valid, "test": gtzan.filtered_test}
