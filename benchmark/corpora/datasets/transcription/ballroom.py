"""Ballroom: 30-second excerpts of ballroom dances, with beats, bars, tempo and dance."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from benchmark.corpora.datasets.beat_files import read_beats, read_bpm
from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files
from benchmark.corpora.download.sources import Remote
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: the second of each of the 4 exact and 9 recording replicas that Bob Sturm found (README of the beat annotations)
REPLICAS = frozenset(
    (
        *("Albums-Chrisanne2-12", "Albums-Fire-09", "Albums-Latin_Jam2-13", "Media-104705"),
        *("Albums-AnaBelen_Veneo-15", "Albums-Ballroom_Magic-18", "Albums-Latin_Jam-13", "Albums-Latin_Jam-14"),
        *("Albums-Latin_Jam-15", "Albums-Latin_Jam2-14", "Albums-Latin_Jam2-15", "Media-103414", "Media-103415"),
    )
)
#: as the folders are called, but for what kind of Rumba it is
DANCES = ("ChaChaCha", "Jive", "Quickstep", "Rumba", "Samba", "Tango", "VienneseWaltz", "Waltz")
#: where its audio and tempi are; the checksums of all three are those that mirdata keeps
CONTEST = "https://mtg.upf.edu/ismir2004/contest/tempoContest"
#: filed as a cha-cha, and its exact replica Albums-Fire-09 as a samba: nobody knows which
CONTESTED = "Albums-Fire-08"


class Ballroom(DataSet):
    """Ballroom (Gouyon et al. 2006), 685 of 698 excerpts, with the beats of Krebs et al. (2013).

    Layout: `BallroomData/<Class>/<name>.wav`, `BallroomAnnotations/<name>.beats` (lines of time and position in the
    bar) and `ballroomGroundTruth/<name>.bpm` (an integer), or mirdata's `B_1.0/{audio,annotations/{beats,tempo}}`. The
    dance is known from the audio's folder alone; the three Rumba folders are one dance.

    Left out: 13 excerpts that occur twice. There is no official split; the field cross-validates over 8 random folds.
    Here whole albums are 20 % of the excerpts (test) and 10 % (validation), by the hash of their names: 467 / 74 / 144.
    There are 53 of them, of 1 to 20 excerpts, read from the names (`Albums-<album>-<track>`, `Media-<four
    digits><track>`; that the digits mean a medium is our guess).
    Known leak: series of albums by the same orchestras lie in different splits; artists are not annotated.
    """

    info = Info("ballroom", "Ballroom", "Gouyon et al. 2006; Krebs, Böck & Widmer 2013 (beats)", version=2)
    licence = "CC BY-NC-SA 4.0"
    folder = "ballroom"
    get = (
        "Unpack data1.tar.gz (BallroomData) and data2.tar.gz (ballroomGroundTruth) of the ISMIR 2004 tempo contest at "
        "mtg.upf.edu there; beats are CPJKU's BallroomAnnotations on GitHub, beside them"
    )
    sources = (
        Remote(f"{CONTEST}/data1.tar.gz", "md5:2872a3e52070bc342a4510a95e2fa0b8", "BallroomData.tar.gz"),
        Remote(f"{CONTEST}/data2.tar.gz", "md5:4a0ec5518bbb4dbf3ab02de0383b0994", "ballroomGroundTruth.tar.gz"),
        Remote(
            "https://github.com/CPJKU/BallroomAnnotations/archive/master.zip",
            "md5:d0c31e1a30c0caf8fd22dec25f2174cf",
            "BallroomAnnotations-master.zip",
        ),
    )
    disk = "1.5 GB"
    expected = {"train": 467, "val": 74, "test": 144}
    shares: ClassVar[dict[str, float]] = {"test": 0.2, "val": 0.1}

    def index(self, home: Path) -> pd.DataFrame:
        """Every annotated excerpt, by name."""
        import pandas as pd

        files = Files(home)
        annotated = [home / path for path in files.all("*.beats")]
        tracks = pd.DataFrame([_track(files, path) for path in annotated if path.stem not in REPLICAS])
        return tracks.assign(split=self.drawn(tracks["group"]))


def _track(files: Files, annotation: Path) -> dict[str, object]:
    name = annotation.stem
    sound = files.sound(f"{name}.wav")
    dance = PurePosixPath(sound).parent.name.split("-")[0]
    beats, downbeats = read_beats(annotation)
    return {
        "id": name,
        "path": sound,
        "group": name[:-2].rstrip("-"),
        "dance": dance if dance in DANCES and name != CONTESTED else None,
        "tempo": read_bpm(files.one(f"{name}.bpm")),
        "beats": beats,
        "downbeats": downbeats,
    }
