"""Ballroom: 30-second excerpts of ballroom dances, with beats, bars, tempo and dance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.datasets.beat_files import read_beats, read_bpm
from benchmark.corpora.datasets.dataset import DataSet, held_out
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
#: filed as a cha-cha, and its exact replica Albums-Fire-09 as a samba: nobody knows which
CONTESTED = "Albums-Fire-08"


class Ballroom(DataSet):
    """Ballroom (Gouyon et al. 2006), 685 of 698 excerpts, with the beats of Krebs et al. (2013).

    Layout: `audio/<Class>/<name>.wav`, `annotations/beats/<name>.beats` (lines of time and position in the bar) and
    `annotations/tempo/<name>.bpm` (an integer). The dance is known from the audio's folder alone; the three Rumba
    folders are one dance.

    Left out: 13 excerpts that occur twice. There is no official split; the field cross-validates over 8 random folds.
    Here the albums decide: 20 % of them test, 10 % validation, by the hash of their names. Albums are read from the
    names (`Albums-<album>-<track>`, `Media-<four digits><track>`; that the digits mean a medium is our guess).
    Known leak: series of albums by the same orchestras lie in different splits; artists are not annotated.
    """

    info = Info("ballroom", "Ballroom", "Gouyon et al. 2006; Krebs, Böck & Widmer 2013 (beats)")
    licence = "CC BY-NC-SA 4.0"
    folder = "ballroom/B_1.0"
    get = (
        "Audio (BallroomData, to audio/) and tempi (ballroomGroundTruth, to annotations/tempo/) are data1.tar.gz and "
        "data2.tar.gz of the ISMIR 2004 tempo contest at mtg.upf.edu; beats (to annotations/beats/) are CPJKU's "
        "BallroomAnnotations on GitHub"
    )
    disk = "1.5 GB"
    expected = {"train+val+test": 698 - len(REPLICAS)}

    def index(self, home: Path) -> pd.DataFrame:
        """Every annotated excerpt, by name."""
        import pandas as pd

        beats = {path.stem: path for path in sorted((home / "annotations" / "beats").glob("*.beats"))}
        sounds = {path.stem: path for path in (home / "audio").glob("*/*.wav")}
        lost = sorted(set(beats) - set(sounds))
        if lost or not beats:
            raise FileNotFoundError(f"{len(lost)} of {len(beats)} annotated files are not in audio/ {lost[:3]}")
        names = [name for name in beats if name not in REPLICAS]
        tracks = pd.DataFrame([_track(home, sounds[name], beats[name]) for name in names])
        test, val = (held_out(tracks["group"], share, "ballroom") for share in (0.2, 0.3))
        tracks["split"] = "train"
        tracks.loc[val, "split"] = "val"
        tracks.loc[test, "split"] = "test"  # the first fifth, which is also within `val`
        return tracks


def _track(home: Path, sound: Path, annotation: Path) -> dict[str, object]:
    name, dance = sound.stem, sound.parent.name
    beats, downbeats = read_beats(annotation)
    return {
        "id": name,
        "path": sound.relative_to(home).as_posix(),
        "group": name[:-2].rstrip("-"),
        "dance": None if name == CONTESTED else dance.split("-")[0],
        "tempo": read_bpm(home / "annotations" / "tempo" / f"{name}.bpm"),
        "beats": beats,
        "downbeats": downbeats,
    }
