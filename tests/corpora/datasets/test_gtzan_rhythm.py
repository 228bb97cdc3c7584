"""GTZAN with its rhythm annotations beside it: beats and tempo where they are annotated, and genre without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees.files import written
from trees.genres import annotate_gtzan

from benchmark.corpora.datasets.beat_files import read_beats, read_bpm
from benchmark.corpora.datasets.dataset import _tracks
from benchmark.corpora.datasets.tags.gtzan import GTZAN
from benchmark.interfaces import UserError
from tasks.gtzan_beat import GTZANBeat
from tasks.gtzan_downbeat import GTZANDownbeat
from tasks.gtzan_genre import GTZANGenre
from tasks.gtzan_tempo import GTZANTempo


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "gtzan"
    written(home / "genres/blues/blues.00029.wav")
    annotate_gtzan(home, "blues_00029")
    annotate_gtzan(home, "hiphop_00022", beats="0.5\n1.0\n1.5\n")  # no positions
    annotate_gtzan(home, "reggae_00086", beats=None)  # not in the lists
    annotate_gtzan(home, "rock_00010", beats="")
    return home


def test_labels_are_there_where_they_are_annotated(home: Path) -> None:
    tracks = GTZAN().index(home)
    beats, downbeats, tempi = (task.targets(tracks) for task in (GTZANBeat(), GTZANDownbeat(), GTZANTempo()))
    at = {clip: i for i, clip in enumerate(tracks["id"])}
    blues, hiphop, rock = (at[clip] for clip in ("blues.00029", "hiphop.00022", "rock.00010"))
    assert beats[blues] == [0.113, 0.829, 1.537, 2.28, 2.992]
    assert downbeats[blues] == [0.113, 2.992]
    assert beats[hiphop] == [0.5, 1.0, 1.5]
    assert downbeats[hiphop] is None
    assert beats[rock] is None
    assert sum(target is not None for target in beats) == 2
    assert [i for i, tempo in enumerate(tempi) if tempo is not None] == sorted([blues, hiphop, rock])
    assert float(GTZANTempo.classes[tempi[blues]]) == pytest.approx(85.53, rel=0.01)


def test_genre_needs_no_rhythm_and_who_needs_it_is_told_where_to_get_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIR_DATA_HOME", str(home.parent))
    GTZAN().require(GTZANBeat.labels + GTZANDownbeat.labels + GTZANTempo.labels)
    (home / "gtzan_tempo_beat-main").rename(home.parent / "elsewhere")
    _tracks.cache_clear()
    assert None not in GTZANGenre().targets(GTZAN().tracks())
    GTZAN().require(GTZANGenre.labels)
    for task in (GTZANBeat(), GTZANDownbeat(), GTZANTempo()):
        assert set(task.targets(GTZAN().tracks())) == {None}
        with pytest.raises(UserError, match=r"no track.* has the label '\w+'.*TempoBeatDownbeat"):
            GTZAN().require(task.labels)


def test_damaged_beats_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.beats"
    path.write_text("0.5 1\n0.5\tone\n")
    with pytest.raises(ValueError, match=r"x\.beats"):
        read_beats(path)
    with pytest.raises(ValueError, match=r"x\.beats"):
        read_bpm(path)


def test_beats_come_in_order_and_positions_may_be_floats(tmp_path: Path) -> None:
    path = tmp_path / "x.beats"
    path.write_text("1.0 2.0\r\n0.5 1.0\r\n")
    assert read_beats(path) == ([0.5, 1.0], [0.5])
