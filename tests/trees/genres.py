"""GTZAN with its rhythm annotations, and FMA, in miniature."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from torchaudio.datasets import gtzan as lists

from benchmark.corpora.datasets.tags.gtzan import GENRES
from trees.files import linked, music, parts, pick

#: one bar of four and the next downbeat, as in the files: time, position
COUNTRY = "0.113\t1\n0.829\t2\n1.537\t3\n2.28\t4\n2.992\t1\n\n"
#: the 52 columns of FMA's table
GROUPS = {
    "album": "comments date_created date_released engineer favorites id information listens producer tags title tracks "
    "type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created favorites id latitude "
    "location longitude members name related_projects tags website wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top genres genres_all "
    "information interest language_code license listens lyricist number publisher tags title",
}
COLUMNS = [(group, name) for group, names in GROUPS.items() for name in names.split()]
BIO = '<p>A Way Of Life, a "Collective"\nof Hip-Hop,\n\nfrom New Jersey</p>'
#: of FMA: track, artist, split, subset, top genre
Track = tuple[int, int, str, str, str]


def annotate_gtzan(
    home: Path, name: str, beats: str | None = COUNTRY, bpm: str | None = "8.553000000000000114e+01\n"
) -> None:
    for path, text in ((f"beats/gtzan_{name}.beats", beats), (f"tempo/gtzan_{name}.bpm", bpm)):
        if text is not None:
            (home / "gtzan_tempo_beat-main" / path).parent.mkdir(parents=True, exist_ok=True)
            (home / "gtzan_tempo_beat-main" / path).write_text(text)


def gtzan(root: Path) -> None:
    """All clips of the fault-filtered lists, since a missing one is an error; the rhythm of some, in simple time."""
    home = root / "gtzan"
    first = {genre: home / f"genres/{genre}/{genre}.00099.wav" for genre in GENRES}
    for i, path in enumerate(first.values()):
        music(path, 110 * 2 ** (i / 4), rate=22_050)
    for names in (lists.filtered_train, lists.filtered_valid, lists.filtered_test):
        for i, name in enumerate(names):
            genre = name.partition(".")[0]
            path = home / f"genres/{genre}/{name}.wav"
            if i % 12 == 0:
                bpm = 80 + 40 * pick(i, 3)
                beats = np.arange(0.1, 2.2, 60 / bpm)
                path.unlink(missing_ok=True)
                music(path, 110 * 2 ** (GENRES.index(genre) / 4), 2.4, 22_050, beats)
                lines = "".join(f"{beat:.3f}\t{k % 2 + 1}\n" for k, beat in enumerate(beats))
                annotate_gtzan(home, name.replace(".", "_"), lines, f"{bpm:.18e}\n")
            elif path != first[genre]:
                linked(path, first[genre])


def write_fma(folder: Path, tracks: list[Track]) -> None:
    """The table with its three header rows; artists' texts have line breaks."""
    folder.mkdir(parents=True)
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["", *(group for group, _ in COLUMNS)])
        table.writerow(["", *(name for _, name in COLUMNS)])
        table.writerow(["track_id", *("" for _ in COLUMNS)])
        for track, artist, split, subset, genre in tracks:
            cells = {("album", "id"): 7, ("artist", "id"): artist, ("artist", "bio"): BIO, ("set", "split"): split}
            cells |= {("set", "subset"): subset, ("track", "genre_top"): genre, ("track", "genres"): "[21, 15]"}
            table.writerow([track, *(cells.get(column, "") for column in COLUMNS)])


def fma(root: Path) -> None:
    """Small and medium, whose tracks beyond the small ones are of two genres of its own."""
    splits = {"train": "training", "val": "validation", "test": "test"}
    small, own = ("Electronic", "Folk", "Hip-Hop", "Rock"), ("Jazz", "Old-Time / Historic")
    tracks: list[Track] = []
    for i, split in enumerate(parts(12, 8, 8)):
        tracks.append((2 + i, i, splits[split], "small", small[pick(i, 4)]))
        if i % 2:
            tracks.append((155_000 + i, 100 + i, splits[split], "medium", own[pick(i, 2)]))
    for track, _, _, subset, genre in tracks:
        name = f"{track:06}"[:3] + f"/{track:06}.mp3"
        made = music(root / "fma/fma_medium" / name, 110 * 2 ** ((*small, *own).index(genre) / 2))
        if subset == "small":
            linked(root / "fma/fma_small" / name, made)
    write_fma(root / "fma/fma_metadata", tracks)
