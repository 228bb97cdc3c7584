"""Every reader finds its set however its archives were unpacked, renamed, converted, or passed through a Mac."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from trees import TREES, chords, clips, dances, genres, melodies, notes, tags, write_all
from trees.files import written

from benchmark import registry
from benchmark.corpora.datasets.dataset import DATA_HOME, DataSet, _tracks
from benchmark.corpora.datasets.layout import SOUND

CORPORA = sorted(TREES)
COMMIT = "-" + "0b7d47ba" * 5
TEMPO = "giantsteps/giantsteps-tempo-dataset"
#: layouts that archives, repositories and mirdata make of a set: what is moved where, below the data home
LAYOUTS: dict[str, tuple[str, dict[str, str]]] = {
    "Kaggle": ("gtzan", {"gtzan/genres": "gtzan/Data/genres_original"}),
    "a clone": ("gtzan", {"gtzan/gtzan_tempo_beat-main": "gtzan/gtzan_tempo_beat"}),
    "mirdata": (
        "gtzan",
        {"gtzan/genres": "gtzan_genre/gtzan_genre/genres", "gtzan/gtzan_tempo_beat-main": "gtzan_genre/b"},
    ),
    "mirdata's mood": (
        "mtg_jamendo_mood",
        {
            "mtg_jamendo/audio-low": "mtg_jamendo_autotagging_moodtheme/audios",
            "mtg_jamendo/data": f"mtg_jamendo_autotagging_moodtheme/mtg-jamendo-dataset{COMMIT}/data",
        },
    ),
    "unpacked here": ("mtg_jamendo", {"mtg_jamendo/audio-low/*": "mtg_jamendo"}),
    "medium for small": ("fma_small", {"fma/fma_small": "elsewhere"}),
    "zips of both repositories": (
        "giantsteps_key",
        {
            f"giantsteps/{name}": f"giantsteps/{name}-master"
            for name in ("giantsteps-key-dataset", "giantsteps-mtg-key-dataset")
        },
    ),
    "mirdata's name": ("giantsteps_key", {"giantsteps": "giantsteps_key"}),
    "a zip of the repository": ("giantsteps_tempo", {TEMPO: f"{TEMPO}-master"}),
    "mirdata's tempo": (
        "giantsteps_tempo",
        {
            f"{TEMPO}/audio": "giantsteps_tempo/audio",
            f"{TEMPO}/annotations_v2": f"giantsteps_tempo/giantsteps-tempo-dataset{COMMIT}/annotations_v2",
        },
    ),
    "mirdata's OpenMIC": ("openmic", {"openmic-2018": "openmic2018"}),
    "its own folder in mirdata's": ("openmic", {"openmic-2018": "openmic2018/openmic-2018"}),
    "version 1.1": ("vocalset", {"vocalset/data_by_singer": "vocalset/FULL"}),
    "version 1.1, unseen singers": ("vocalset_unseen_singers", {"vocalset/data_by_singer": "vocalset/VocalSet11/FULL"}),
    "official archives": (
        "ballroom",
        {
            "ballroom/B_1.0/audio": "ballroom/BallroomData",
            "ballroom/B_1.0/annotations/tempo": "ballroom/BallroomAnnotations/ballroomGroundTruth",
            "ballroom/B_1.0/annotations/beats": "ballroom/BallroomAnnotations-master",
        },
    ),
    "flat": ("guitarset", {"guitarset/annotation/*": "guitarset", "guitarset/audio_mono-mic/*": "guitarset"}),
    "mirdata's Beatles": ("beatles", {"beatles/chordlab": "beatles/annotations/chordlab"}),
    "its own top folder": ("mir_1k", {"mir_1k/*": "mir_1k/MIR-1K"}),
    "MedleyDB-Melody": (
        "medleydb_melody",
        {
            "medleydb_melody/Annotations/Melody_Annotations/MELODY1": "medleydb_melody/MedleyDB-Melody/melody1",
            "medleydb_melody/Audio": "medleydb_melody/MedleyDB-Melody/audio",
        },
    ),
    "V1": ("medleydb_melody", {"medleydb_melody/Audio": "medleydb_melody/V1"}),
    "mirdata's notes": ("tinysol", {"tinysol/TinySOL_metadata.csv": "tinysol/annotation/TinySOL_metadata.csv"}),
    "mirdata's solos": (
        "medley_solos_db",
        {"medley_solos_db/Medley-solos-DB_metadata.csv": "medley_solos_db/annotation/Medley-solos-DB_metadata.csv"},
    ),
}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All data sets as documented; what stands for their sound is a byte: no index may open it."""
    root = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch:
        for module in (chords, clips, dances, genres, melodies, notes, tags):
            patch.setattr(module, "music", lambda path, *_, **__: written(path, "\0"))
        write_all(root)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def copied(homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Path, pd.DataFrame]]:
    """What copies a corpus's folder to a data home of the test's own, and reads it from where it came."""

    def copy(corpus: str) -> tuple[Path, pd.DataFrame]:
        monkeypatch.setenv(DATA_HOME, str(homes))
        top = registry.corpora.get(corpus).folder.split("/")[0]
        shutil.copytree(homes / top, tmp_path / top, copy_function=os.link)
        tracks = registry.corpora.get(corpus)().tracks()
        monkeypatch.setenv(DATA_HOME, str(tmp_path))
        return tmp_path, tracks

    return copy


def _moved(home: Path, old: str, new: str) -> None:
    for path in sorted(home.glob(old)) if "*" in old else [home / old]:
        target = home / new / path.name if "*" in old else home / new
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    for path in sorted(home.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _is_whole(corpus: str, before: pd.DataFrame) -> None:
    """Every file is found, and nothing but paths has changed."""
    found: DataSet = registry.corpora.get(corpus)()
    assert None not in found.lengths()
    pd.testing.assert_frame_equal(found.tracks().drop(columns="path"), before.drop(columns="path"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_that_others_wrote_is_found(layout: str, copied: Callable[..., tuple[Path, pd.DataFrame]]) -> None:
    corpus, moves = LAYOUTS[layout]
    home, before = copied(corpus)
    for old, new in moves.items():
        _moved(home, old, new)
    _is_whole(corpus, before)


@pytest.mark.parametrize("corpus", CORPORA)
def test_archives_may_lie_deeper_beside_the_shadows_of_a_mac(
    corpus: str, copied: Callable[..., tuple[Path, pd.DataFrame]]
) -> None:
    home, before = copied(corpus)
    folder = home / registry.corpora.get(corpus).folder
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        written(path.with_name(f"._{path.name}"), "\0\5\26\7\xff")
        written(folder / "__MACOSX" / path.relative_to(folder), "\0")
    inner = sorted(folder.iterdir())
    (folder / "one/two").mkdir(parents=True)
    for path in inner:
        path.rename(folder / "one/two" / path.name)
    _is_whole(corpus, before)


@pytest.mark.parametrize("corpus", CORPORA)
def test_sound_may_be_converted(corpus: str, copied: Callable[..., tuple[Path, pd.DataFrame]]) -> None:
    home, before = copied(corpus)
    for path in [path for path in home.rglob("*") if path.suffix in SOUND]:
        path.rename(path.with_suffix(".flac" if path.suffix == ".wav" else ".WAV"))
    _tracks.cache_clear()
    _is_whole(corpus, before)
