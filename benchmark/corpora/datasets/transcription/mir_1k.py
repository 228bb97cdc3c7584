"""MIR-1K: 1,000 clips of karaoke by 19 amateurs, with the pitch of the voice."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from benchmark.corpora.datasets.contours import contour
from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files, naming
from benchmark.interfaces import Info

#: seconds between two labels: windows of 40 ms, the first of which begins with the clip
LABEL_HOP = 0.02


class MIR1K(DataSet):
    """MIR-1K (Hsu & Jang 2010): 1,000 clips of 4 to 13 s from 110 Chinese pop songs, 133 minutes, 16 kHz.

    Layout: `Wavfile/<singer>_<song>_<clip>.wav`, accompaniment left, voice right; `PitchLabel/<same>.pv`, one number
    per line and window: MIDI pitch, 0 where unvoiced. Windows of 40 ms follow every 20 ms; the first is centered at
    20 ms. Audio is the mean of both channels, at their levels as recorded.

    Split: there is none. By the hash of their names, singers with 25 % of the clips are the test, with 15 % the
    validation. Group: the singer. Known leak: two singers may have chosen the same song, with
    the same accompaniment; songs are numbered per singer, their titles are not given.

    Labels: `f0`, in Hz every 10 ms, 0 where unvoiced.
    """

    info = Info("mir_1k", "MIR-1K", "Hsu & Jang, IEEE TASLP 18(2), 2010", version=2)
    licence = "none stated, for research"
    folder = "mir_1k"
    get = "Get MIR-1K.zip from mirlab.org (data sets), and unpack it into this folder"
    disk = "1 GB"
    expected = {"train+val+test": 1_000}
    shares: ClassVar[dict[str, float]] = {"test": 0.25, "val": 0.15}

    def index(self, home: Path) -> pd.DataFrame:
        """Every labelled clip, by name."""
        files = Files(home)
        tracks = pd.DataFrame([_track(files, home / path) for path in files.all("PitchLabel/*.pv")])
        return tracks.assign(split=self.drawn(tracks["group"]))


def _track(files: Files, path: Path) -> dict[str, object]:
    with naming(path):
        midi = np.array(path.read_text().split(), float)
        f0 = contour(LABEL_HOP * np.arange(1, len(midi) + 1), np.where(midi > 0, 440 * 2 ** ((midi - 69) / 12), 0.0))
    return {
        "id": path.stem,
        "path": files.sound(f"Wavfile/{path.stem}.wav"),
        "group": path.stem.split("_")[0].lower(),
        "f0": f0,
    }
