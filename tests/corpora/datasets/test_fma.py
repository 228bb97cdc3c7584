"""FMA's index: three header rows, text with line breaks, nested subsets, clips without audio."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees.genres import COLUMNS, write_fma

from benchmark.corpora.datasets.tags.fma import FMAMedium, FMASmall
from benchmark.interfaces import UserError
from tasks.fma_medium_genre import FMAMediumGenre
from tasks.fma_small_genre import FMASmallGenre

#: track, artist, split, subset, top genre
TRACKS = [
    (2, 1, "training", "small", "Hip-Hop"),
    (3, 1, "training", "medium", "Hip-Hop"),
    (20, 4, "training", "large", ""),  # several roots, so no top genre
    (140, 54, "validation", "small", "Folk"),
    (99134, 54, "validation", "small", "Rock"),  # a file without audio
    (1486, 77, "test", "medium", "Jazz"),  # likewise
    (135054, 9, "test", "medium", "Old-Time / Historic"),
    (155066, 10, "test", "small", "International"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    return tmp_path / "fma"


def test_small_has_its_rows_and_no_silent_file(home: Path) -> None:
    assert len(COLUMNS) == 52
    write_fma(home / "fma_metadata", TRACKS)
    assert FMASmall().tracks().to_numpy().tolist() == [
        ["000002", "fma_small/000/000002.mp3", "1", "train", "Hip-Hop"],
        ["000140", "fma_small/000/000140.mp3", "54", "val", "Folk"],
        ["155066", "fma_small/155/155066.mp3", "10", "test", "International"],
    ]
    assert FMASmallGenre().targets(FMASmall().tracks()) == [3, 2, 5]


def test_medium_contains_small(home: Path) -> None:
    write_fma(home / "fma_metadata", TRACKS)
    small, medium = FMASmall().tracks(), FMAMedium().tracks()
    assert list(medium["id"]) == ["000002", "000003", "000140", "135054", "155066"]
    assert set(small["id"]) < set(medium["id"])
    assert medium["path"][3] == "fma_medium/135/135054.mp3"
    assert medium.groupby("group")["split"].nunique().max() == 1
    assert None not in FMAMediumGenre().targets(medium)


def test_a_missing_table_is_answered_with_where_to_get_it(home: Path) -> None:
    (home / "fma_metadata").mkdir(parents=True)
    with pytest.raises(UserError, match=r"fma_small: .*FileNotFoundError.*fma_metadata.zip"):
        FMASmall().tracks()
    (home / "fma_metadata" / "tracks.csv").write_text(",album\n,id\ntrack_id,\n2,1\n")
    with pytest.raises(UserError, match=r"fma_medium: .*tracks\.csv has no column \('set', 'subset'\).*mdeff/fma"):
        FMAMedium().tracks()


def test_the_genre_lists_are_the_data_sets() -> None:
    assert (len(FMASmallGenre.classes), len(FMAMediumGenre.classes)) == (8, 16)
    assert set(FMASmallGenre.classes) < set(FMAMediumGenre.classes)
