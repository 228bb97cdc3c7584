"""Ballroom as it is distributed: beats by name, audio by dance, replicas left out, albums in one split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from trees.dances import write_ballroom

from benchmark.corpora.datasets.dataset import _tracks
from benchmark.corpora.datasets.transcription.ballroom import REPLICAS, Ballroom
from benchmark.interfaces import Unreadable, UserError
from tasks.ballroom_beat import BallroomBeat
from tasks.ballroom_dance import BallroomDance
from tasks.ballroom_downbeat import BallroomDownbeat
from tasks.ballroom_tempo import BallroomTempo


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "ballroom" / "B_1.0"
    write_ballroom(home, "Waltz", "Media-105901")
    write_ballroom(home, "Waltz", "Albums-Secret_Garden-01")
    write_ballroom(home, "Waltz", "Media-104705")  # the same recording
    write_ballroom(home, "ChaChaCha", "Albums-Fire-08", beats="0.5\t1\n1.0\t2\n1.5\t3\n2.0\t4\n")
    write_ballroom(home, "Samba", "Albums-Fire-09")  # the same recording, in another dance
    write_ballroom(home, "Rumba-American", "Albums-Latin_Jam3-11")
    write_ballroom(home, "Rumba-International", "Albums-Latin_Jam3-05")
    write_ballroom(home, "Quickstep", "Albums-Chrisanne2-11", bpm="204\n")
    (home / "annotations" / "beats" / "README.md").write_text("Ballroom beat and bar annotations\n")
    (home / "audio" / "allBallroomFiles").write_text("./Waltz/Media-105901.wav\n")
    return home


def test_rows_are_what_is_annotated(home: Path) -> None:
    tracks = Ballroom().index(home).set_index("id")
    assert tracks.index.is_unique
    assert set(tracks.index) == {
        *("Media-105901", "Albums-Secret_Garden-01", "Albums-Fire-08", "Albums-Latin_Jam3-11"),
        *("Albums-Latin_Jam3-05", "Albums-Chrisanne2-11"),
    }
    waltz = tracks.loc["Media-105901"]
    assert waltz["path"] == "audio/Waltz/Media-105901.wav"
    assert waltz["dance"] == "Waltz"
    assert waltz["beats"] == [1.86, 2.627, 3.333, 4.0]
    assert waltz["downbeats"] == [1.86, 4.0]
    assert waltz["tempo"] == 84.0
    assert tracks.loc["Albums-Fire-08", "beats"] == [0.5, 1.0, 1.5, 2.0]  # tabs, as in the first version


def test_groups_are_albums(home: Path) -> None:
    groups = Ballroom().index(home).set_index("id")["group"]
    assert groups["Media-105901"] == "Media-1059"
    assert groups["Albums-Secret_Garden-01"] == "Albums-Secret_Garden"
    assert groups["Albums-Latin_Jam3-11"] == groups["Albums-Latin_Jam3-05"] == "Albums-Latin_Jam3"


def test_the_three_rumbas_are_one_dance_and_the_contested_track_has_none(home: Path) -> None:
    tracks, task = Ballroom().index(home), BallroomDance()
    dances = dict(zip(tracks["id"], task.targets(tracks), strict=True))
    assert dances["Albums-Latin_Jam3-11"] == dances["Albums-Latin_Jam3-05"] == task.classes.index("Rumba")
    assert dances["Media-105901"] == task.classes.index("Waltz")
    assert dances["Albums-Fire-08"] is None


def test_there_are_thirteen_replicas() -> None:
    assert len(REPLICAS) == 698 - 685


def test_no_album_straddles_and_all_parts_are_filled(tmp_path: Path) -> None:
    for album in range(53):  # as many as there are, of 1 to 20 excerpts
        for track in range(1, 2 + 7 * album % 20):
            write_ballroom(tmp_path, "Tango", f"Albums-Number_{album}-{track:02}")
    tracks = Ballroom().index(tmp_path)
    assert (tracks.groupby("group")["split"].nunique() == 1).all()
    assert tracks.groupby("split")["group"].nunique().min() >= 3
    shares = tracks["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)
    assert shares["val"] == pytest.approx(0.1, abs=0.02)


def test_tasks_read_their_columns(home: Path) -> None:
    tracks = Ballroom().index(home)
    row = tracks["id"].tolist().index("Media-105901")
    assert BallroomBeat().targets(tracks)[row] == [1.86, 2.627, 3.333, 4.0]
    assert BallroomDownbeat().targets(tracks)[row] == [1.86, 4.0]
    tempi = [float(BallroomTempo.classes[target]) for target in BallroomTempo().targets(tracks)]
    np.testing.assert_allclose(tempi, tracks["tempo"], rtol=0.01)


def test_quicksteps_are_not_too_fast_to_be_decoded() -> None:
    task, truth = BallroomBeat(), np.arange(0.2, 29, 60 / 224).tolist()
    (found,) = task.decode([20 * task.frame_targets(truth, 1500, 50.0) - 10], 50.0)
    assert task.score([found], [truth])["f_measure"] == 1.0


def test_what_is_missing_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIR_DATA_HOME", str(home.parent.parent))
    (home / "audio" / "Waltz" / "Media-105901.wav").unlink()
    lost = Ballroom().tracks().set_index("id").loc["Media-105901"]
    assert (lost["path"], lost["tempo"]) == ("Media-105901.wav", 84.0)
    assert BallroomDance().targets(Ballroom().tracks())[-1] is None
    assert Ballroom().lengths().count(None) == 1
    _tracks.cache_clear()
    write_ballroom(home, "Waltz", "Media-105901", bpm="fast")
    with pytest.raises(UserError, match=r"Media-105901\.bpm"):
        Ballroom().tracks()
    (home / "annotations" / "tempo" / "Media-105901.bpm").unlink()
    with pytest.raises(UserError, match=r"FileNotFoundError.*ISMIR 2004"):
        Ballroom().tracks()


def test_audio_is_decoded_from_where_the_index_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIR_DATA_HOME", str(home.parent.parent))
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4 * 44_100) / 44_100)
    path = home / "audio" / "Quickstep" / "Albums-Chrisanne2-11.wav"
    soundfile.write(path, tone, 44_100)
    corpus = Ballroom()
    tracks = corpus.catalog(home, corpus.size("all"))[corpus.tracks()["dance"] == "Quickstep"]
    (sound,) = corpus.render(tracks, home)
    assert sound["mix"].shape == (4 * 16_000,)
    spectrum = np.abs(np.fft.rfft(sound["mix"]))
    assert spectrum.argmax() == 4 * 440
    soundfile.write(path, tone[:44_100], 44_100)
    (short,) = corpus.render(tracks, home)
    assert isinstance(short, Unreadable), "its beats go on for longer"
