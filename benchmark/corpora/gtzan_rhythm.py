"""GTZAN-Rhythm: beats, downbeats and tempo of GTZAN's clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.beat_files import read_beats, read_bpm
from benchmark.corpora.gtzan import GTZAN
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

ANNOTATIONS = "gtzan_tempo_beat-main"


class GTZANRhythm(GTZAN):
    """GTZAN's fault-filtered split with the rhythm annotations of Marchand, Fresnel & Peeters (2015).

    Layout: GTZAN's, and beside `genres/` the folder `gtzan_tempo_beat-main/`: `beats/gtzan_blues_00000.beats` (lines of
    time and, in most files, position in the bar) and `tempo/gtzan_blues_00000.bpm` (a number such as
    8.553000000000000114e+01). A file that is missing, and positions that are missing, leave that label open.

    The field mostly tests on all of GTZAN, having trained on other sets; here training, validation and test are the
    fault-filtered ones of the genre task.
    """

    info = Info("gtzan_rhythm", "GTZAN-Rhythm", "Tzanetakis & Cook 2002; Marchand, Fresnel & Peeters 2015", version=1)
    get = f"{GTZAN.get}; and beside it, as {ANNOTATIONS}/, TempoBeatDownbeat's gtzan_tempo_beat on GitHub"

    def index(self, home: Path) -> pd.DataFrame:
        """The clips of the genre task, with what is annotated of their rhythm."""
        import pandas as pd

        tracks, folder = super().index(home), home / ANNOTATIONS
        rhythm = pd.DataFrame([_rhythm(folder, f"gtzan_{clip.replace('.', '_')}") for clip in tracks["id"]])
        if rhythm["beats"].isna().all() or rhythm["tempo"].isna().all():
            raise FileNotFoundError(f"{folder} lacks beats/ or tempo/")
        return pd.concat([tracks, rhythm], axis=1)


def _rhythm(folder: Path, name: str) -> dict[str, object]:
    times, tempo = folder / "beats" / f"{name}.beats", folder / "tempo" / f"{name}.bpm"
    beats, downbeats = read_beats(times) if times.is_file() else (None, None)
    return {"beats": beats, "downbeats": downbeats, "tempo": read_bpm(tempo) if tempo.is_file() else None}
