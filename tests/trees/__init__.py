"""Every data set in miniature: its true folders and annotation files, with audio, enough for its tasks to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trees.chords import beatles, guitarset
from trees.clips import emomusic, irmas, openmic, vocalset
from trees.dances import ballroom, giantsteps_key, giantsteps_tempo
from trees.genres import fma, gtzan
from trees.melodies import medleydb_melody, mir_1k
from trees.notes import medley_solos_db, nsynth, tinysol
from trees.tags import mtat, mtg_jamendo

#: what writes each corpus below a data home; some corpora share a folder
TREES: dict[str, Callable[[Path], None]] = {
    "ballroom": ballroom,
    "beatles": beatles,
    "emomusic": emomusic,
    "fma_medium": fma,
    "fma_small": fma,
    "giantsteps_key": giantsteps_key,
    "giantsteps_tempo": giantsteps_tempo,
    "gtzan": gtzan,
    "guitarset": guitarset,
    "irmas": irmas,
    "medley_solos_db": medley_solos_db,
    "medleydb_melody": medleydb_melody,
    "mir_1k": mir_1k,
    "mtat": mtat,
    "mtg_jamendo": mtg_jamendo,
    "mtg_jamendo_mood": mtg_jamendo,
    "nsynth": nsynth,
    "openmic": openmic,
    "tinysol": tinysol,
    "vocalset": vocalset,
    "vocalset_unseen_singers": vocalset,
}


def write_all(root: Path) -> None:
    """Every tree once."""
    for write in dict.fromkeys(TREES.values()):
        write(root)
