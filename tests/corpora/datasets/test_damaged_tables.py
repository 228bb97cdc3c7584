"""A table or column that is missing, or a value or time that is none, is an error that names the file: no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import TREES
from trees.dances import TRAIN_KEYS
from trees.files import written
from trees.melodies import MELODY1

from benchmark import registry
from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.interfaces import UserError

HELP = "chordlab/The Beatles/05_-_Help!"
#: a corpus, one of its files, and what is replaced in it by what
DAMAGED = {
    "an older list": ("medley_solos_db", "Medley-solos-DB_metadata.csv", "song_id", "song"),
    "no number": ("medley_solos_db", "Medley-solos-DB_metadata.csv", ",violin,7", ",violin,x"),
    "no fold": ("tinysol", "TinySOL_metadata.csv", "Fold", "Split"),
    "no such key": ("nsynth", "nsynth-valid/examples.json", '"pitch"', '"pich"'),
    "cut off": ("nsynth", "nsynth-test/examples.json", "}}", "}"),
    "no relevance": ("openmic", "openmic-2018-aggregated-labels.csv", "relevance", "votes"),
    "no artist": ("emomusic", "annotations/songs_info.csv", "Artist", "Band"),
    "no rating": ("emomusic", "annotations/static_annotations.csv", "mean_arousal", "arousal"),
    "no confidence": ("giantsteps_key", f"{TRAIN_KEYS}/annotations/annotations.txt", "\tC\n", "\tD\n"),
    "not its artist": (
        "giantsteps_key",
        f"{TRAIN_KEYS}/annotations/beatport_metadata.txt",
        "5003\t",
        "4\t",
    ),
    "no annotations": ("guitarset", "annotation/05_SS1-68-E_comp.jams", "annotations", "notes"),
    "no clip": ("mtat", "clip_info_final.csv", "clip_id", "clip"),
    "an endless beat": ("ballroom", "B_1.0/annotations/beats/Media-100001.beats", "0.2000000000 1", "inf 1"),
    "a beat at no time": ("ballroom", "B_1.0/annotations/beats/Media-100001.beats", "0.2000000000 1", "nan 1"),
    "a beat before the sound": ("ballroom", "B_1.0/annotations/beats/Media-100001.beats", "0.2000000000 1", "-0.2 1"),
    "an endless tempo": ("ballroom", "B_1.0/annotations/tempo/Media-100001.bpm", "\n", "e999\n"),
    "an endless chord": ("beatles", f"{HELP}/01_-_Song's_End.lab", "1.5 2.5 G", "1.5 inf G"),
    "a chord before the sound": ("beatles", f"{HELP}/01_-_Song's_End.lab", "0.000000", "-0.1"),
    "a chord at no time": ("guitarset", "annotation/05_SS1-68-E_comp.jams", '"time": 0.5', '"time": NaN'),
    "endless f0": ("medleydb_melody", f"{MELODY1}/Artist1_Song_MELODY1.csv", f"{219 * 256 / 44100},", "inf,"),
    "f0 before the sound": ("medleydb_melody", f"{MELODY1}/Artist1_Song_MELODY1.csv", "0.0,0.0\n", "-0.1,0.0\n"),
    "f0 that is none": ("mir_1k", "PitchLabel/Ani_1_01.pv", "57.0", "inf"),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_the_file_is_named(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soundfile.write", lambda path, *_: written(Path(path)))
    corpus, name, old, new = DAMAGED[fault]
    TREES[corpus](tmp_path)
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    path = next(tmp_path.glob(f"*/{name}"))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        registry.corpora.get(corpus)().tracks()
    assert path.name in str(error.value)
    assert "KeyError" not in str(error.value)
