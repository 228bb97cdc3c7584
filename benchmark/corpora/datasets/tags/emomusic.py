"""EmoMusic ("1000 songs"): arousal and valence of song excerpts."""

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


class EmoMusic(DataSet):
    """744 excerpts of 45 s from the Free Music Archive, rated by ten listeners or more.

    Layout: `clips_45seconds/ID.mp3` (of ids 1 to 1000, more than are annotated), `annotations/songs_info.csv` and
    `annotations/static_annotations.csv`; cells are padded with tabs.
    Split: the test is MediaEval 2013's evaluation set (125), as in jukemir and MARBLE; so is the validation set, which
    is carved from the 619 of development by artist: 504 / 115.
    Group: the artist, with case, punctuation and other scripts' letters left out.
    Leak: the makers did not keep artists apart: 53 are on both sides, and 66 of the 125 test songs are by one who is in
    development. Labels: `arousal`, `valence`, means of ratings from 1 to 9.
    """

    info = Info("emomusic", "EmoMusic", "Soleymani et al. 2013, 1000 songs for emotional analysis (CrowdMM)", version=1)
    licence = "annotations CC BY-NC; audio CC per track"
    folder = "emomusic"
    get = (
        "Ask the Computer Vision and Multimedia Laboratory of the University of Geneva (cvml.unige.ch, databases, "
        "emoMusic) for annotations.tar.gz and clips_45sec.tar.gz, and unpack both into this folder."
    )
    disk = "about 1 GB"
    expected = {"train": 504, "val": 115, "test": 125}

    def index(self, home: Path) -> pd.DataFrame:
        """The rated songs in the order of `songs_info.csv`."""
        files = Files(home)
        listed, rated = files.one("songs_info.csv"), files.one("static_annotations.csv")
        songs = read_table(listed, "song_id", "Artist", "Mediaeval 2013 set")
        ratings = read_table(rated, "song_id", "mean_arousal", "mean_valence")
        table = songs.merge(ratings, on="song_id", validate="one_to_one")
        part = table["Mediaeval 2013 set"].str.strip('"\t ')
        if not part.isin(["development", "evaluation"]).all():
            raise ValueError(f"{listed.name}: unknown sets {sorted(set(part))}")
        artists = table["Artist"].map(_plain)
        columns = table[["song_id"]].rename(columns={"song_id": "id"})
        columns["path"] = [files.sound(f"clips_45seconds/{song}.mp3") for song in table["song_id"]]
        columns["group"] = [artist or f"song {song}" for artist, song in zip(artists, table["song_id"], strict=True)]
        columns["split"] = artists.map(_development).where(part == "development", "test")
        with naming(rated):
            columns["arousal"] = table["mean_arousal"].astype(float)
            columns["valence"] = table["mean_valence"].astype(float)
        return columns


def _plain(artist: str) -> str:
    return " ".join(re.sub(r"[^a-z\s]", "", artist.lower(), flags=re.ASCII).split())


def _development(artist: str) -> str:
    """The rule that jukemir published: SHA-1 of the artist, modulo ten, the last two to validation."""
    return "train" if int(hashlib.sha1(artist.encode()).hexdigest(), 16) % 10 < 8 else "val"
