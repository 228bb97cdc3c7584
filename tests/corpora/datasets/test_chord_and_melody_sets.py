"""GuitarSet, Beatles, MIR-1K and MedleyDB are read as they are distributed: labels, groups, splits, ugly rows."""

from __future__ import annotations

import json
from pathlib import Path

import mir_eval
import numpy as np
import pandas as pd
import pytest
import soundfile
from trees.chords import ALBUMS, PERFORMED, write_beatles, write_guitarset
from trees.files import written
from trees.melodies import MELODY1, write_medleydb, write_mir_1k

from benchmark.corpora.datasets.contours import contour
from benchmark.corpora.datasets.dataset import DATA_HOME, DataSet
from benchmark.corpora.datasets.transcription.beatles import Beatles
from benchmark.corpora.datasets.transcription.guitarset import GuitarSet
from benchmark.corpora.datasets.transcription.medleydb_melody import MedleyDBMelody
from benchmark.corpora.datasets.transcription.mir_1k import MIR1K
from benchmark.interfaces import UserError
from tasks.beatles_chord import BeatlesChord
from tasks.guitarset_chord import GuitarSetChord
from tasks.kinds.chords import CHORDS
from tasks.medleydb_melody import MedleyDBMelody as MedleyDBTask
from tasks.mir_1k_melody import MIR1KMelody

SETS: tuple[type[DataSet], ...] = (GuitarSet, Beatles, MIR1K, MedleyDBMelody)


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    return tmp_path


def beatles(home: Path, folder: str = "chordlab/The Beatles") -> None:
    write_beatles(home, folder)
    ugly = "0.000000\t0.5\tN \r\n0.5\t3.000\tC:7(#9)\r\n\r\n3.000\t3.5\tE:4\r\n"
    written(home / "beatles" / folder / ALBUMS[0] / "02_-_Misery.lab", ugly)
    written(home / "beatles" / folder / ALBUMS[0] / "._02_-_Misery.lab", "\0\5\26\7\0\2")


#: MIR-1K's labels of one clip
MIDI = "0\r\n69\r\n69.5\r\n0\r\n57\r\n"
SONGS = (
    *("AClassicEducation_NightOwl", "AimeeNorwich_Child", "AimeeNorwich_Flying", "AvaLuna_Waterduct"),
    *("Handel_TornamiAVagheggiar", "Mozart_DiesBildnis", "MusicDelta_80sRock", "MusicDelta_Beatles"),
    *("EthanHein_GirlOnABridge", "Phoenix_ScotchMorris", "Schubert_Erstarrung", "Wolf_DieBekherte"),
)


def all_sets(home: Path) -> None:
    write_guitarset(home)
    beatles(home)
    write_mir_1k(home, MIDI)
    write_medleydb(home, MELODY1, SONGS)


@pytest.mark.parametrize("corpus", SETS)
def test_no_group_straddles_and_every_split_is_there(corpus: type[DataSet], data_home: Path) -> None:
    all_sets(data_home)
    tracks = corpus().tracks()
    assert set(tracks["split"]) == {"train", "val", "test"}
    assert (tracks.groupby("group")["split"].nunique() == 1).all()
    assert tracks["id"].is_unique


@pytest.mark.parametrize("corpus", SETS)
def test_missing_data_says_how_to_get_it(corpus: type[DataSet], data_home: Path) -> None:
    with pytest.raises(UserError, match=corpus.info.name) as caught:
        corpus().tracks()
    assert corpus.get in str(caught.value)
    written(data_home / corpus.folder / "README")
    with pytest.raises(UserError, match=r"no (\*\.jams|chordlab|PitchLabel|\*_MELODY1)") as caught:
        corpus().tracks()
    assert corpus.get in str(caught.value)


@pytest.mark.parametrize("corpus", SETS)
def test_the_index_survives_storage_and_has_one_fingerprint(corpus: type[DataSet], data_home: Path) -> None:
    all_sets(data_home)
    tracks = corpus().tracks()
    for path in tracks["path"]:
        written(data_home / corpus.folder / path)
    tracks.to_parquet(data_home / "tracks.parquet")
    stored = pd.read_parquet(data_home / "tracks.parquet")
    task = {GuitarSet: GuitarSetChord, Beatles: BeatlesChord, MIR1K: MIR1KMelody, MedleyDBMelody: MedleyDBTask}[
        corpus
    ]()
    assert task.corpus == corpus.info.name
    assert set(task.labels) <= set(tracks.columns)
    for before, after in zip(task.targets(tracks), task.targets(stored), strict=True):
        np.testing.assert_array_equal(before, after)
    assert corpus().fingerprint() == corpus().fingerprint()


def test_guitarset_comping_has_the_instructed_chords_and_solos_have_none(data_home: Path) -> None:
    write_guitarset(data_home)
    tracks = GuitarSet().tracks().set_index("id")
    assert len(tracks) == 24
    comp, solo = tracks.loc["03_BN3-119-G_comp"], tracks.loc["03_BN3-119-G_solo"]
    assert comp["path"] == "audio_mono-mic/03_BN3-119-G_comp_mic.wav"
    assert comp["chords"][1] == {"start": 2.0, "end": 4.0, "label": "D:maj"}
    assert [each["label"] for each in comp["performed_chords"]] == PERFORMED
    assert solo["chords"] is None
    assert tracks.groupby("split")["group"].unique().map(list).to_dict() == {
        "train": ["00", "01", "02", "03"],
        "val": ["04"],
        "test": ["05"],
    }
    targets = GuitarSetChord().targets(tracks)
    assert [each is None for each in targets] == [each == "solo" for each in tracks["mode"]]
    classes = GuitarSetChord().frame_targets(targets[0], 9, 1.0)
    assert classes.tolist() == [*(CHORDS.index(x) for x in ("G:maj", "D:maj", "E:min") for _ in "12"), -1, -1, -1]


def test_guitarset_with_one_chord_annotation_is_damaged(data_home: Path) -> None:
    write_guitarset(data_home)
    path = data_home / "guitarset" / "annotation" / "00_BN3-119-G_comp.jams"
    content = json.loads(path.read_text())
    content["annotations"] = [each for each in content["annotations"] if each["namespace"] != "chord"]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="0 annotations of chords"):
        GuitarSet().tracks()


@pytest.mark.parametrize("folder", ["chordlab/The Beatles", "annotations/chordlab/The_Beatles"])
def test_beatles_albums_are_whole_and_the_white_album_is_one(folder: str, data_home: Path) -> None:
    beatles(data_home, folder)
    tracks = Beatles().tracks()
    assert len(tracks) == 14
    assert tracks["group"].nunique() == 12
    assert {path.split("/")[1][:2] for path in tracks.loc[tracks["split"] == "test", "path"]} == {"02", "06", "11"}
    assert {path.split("/")[1][:2] for path in tracks.loc[tracks["split"] == "val", "path"]} == {"04", "09"}
    white = tracks[tracks["group"] == "10_-_The_Beatles"]
    assert white["path"].tolist() == [f"audio/10CD{i}_-_The_Beatles/CD{i}_-_01_-_Song.wav" for i in (1, 2)]


def test_beatles_ugly_rows(data_home: Path) -> None:
    beatles(data_home)
    tracks = Beatles().tracks().set_index("id")
    misery = tracks.loc["01_-_Please_Please_Me/02_-_Misery"]
    assert misery["path"] == "audio/01_-_Please_Please_Me/02_-_Misery.wav"
    assert misery["chords"] == [
        {"start": 0.0, "end": 0.5, "label": "N"},
        {"start": 0.5, "end": 3.0, "label": "C:7(#9)"},
        {"start": 3.0, "end": 3.5, "label": "E:4"},
    ]
    (target,) = BeatlesChord().targets(pd.DataFrame([misery]))
    classes = BeatlesChord().frame_targets(target, 8, 2.0).tolist()
    assert classes == [24, 0, 0, 0, 0, 0, -1, -1]


def test_beatles_damaged_line_is_named(data_home: Path) -> None:
    written(data_home / "beatles/chordlab/The Beatles/01_-_X/01_-_Y.lab", "0.0 1.0 N\n1.0 2.0\n")
    with pytest.raises(UserError, match=r"01_-_Y.lab.*'1.0 2.0'"):
        Beatles().tracks()


def test_mir_1k_labels_are_at_their_times(data_home: Path) -> None:
    write_mir_1k(data_home, MIDI)
    tracks = MIR1K().tracks().set_index("id")
    clip = tracks.loc["Kenshin_12_03"]
    assert clip["path"] == "Wavfile/Kenshin_12_03.wav"
    a4, sharper, a3 = 440.0, 440 * 2 ** (0.5 / 12), 220.0
    # windows are centered at 20, 40, 60, 80, 100 ms; between two voiced ones the pitch is in the middle
    expected = [0, 0, 0, 0, a4, np.sqrt(a4 * sharper), sharper, sharper, 0, 0, a3]
    np.testing.assert_allclose(clip["f0"], expected, atol=0.001)
    shares = tracks["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.25, abs=0.03)
    assert shares["val"] == pytest.approx(0.15, abs=0.03)


def test_mir_1k_hears_voice_and_accompaniment(data_home: Path) -> None:
    write_mir_1k(data_home, MIDI)
    time = np.arange(16_000) / 16_000
    left, right = 0.25 * np.sin(2 * np.pi * 500 * time), 0.5 * np.sin(2 * np.pi * 1500 * time)
    (data_home / "mir_1k" / "Wavfile").mkdir()
    soundfile.write(data_home / "mir_1k" / "Wavfile" / "Ani_12_03.wav", np.stack([left, right], 1), 16_000)
    tracks = MIR1K().tracks()
    (sounds,) = MIR1K().render(tracks[tracks["id"] == "Ani_12_03"], data_home)
    assert not hasattr(sounds, "reason")
    spectrum = np.abs(np.fft.rfft(sounds["mix"] / 32767)) / 8000
    assert spectrum[500] == pytest.approx(0.125, abs=1e-3)
    assert spectrum[1500] == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(("layout", "mix"), [(MELODY1, "Audio/{0}/{0}_MIX.wav"), ("melody1", "audio/{0}_MIX.wav")])
def test_medleydb_both_layouts(layout: str, mix: str, data_home: Path) -> None:
    write_medleydb(data_home, layout, SONGS)
    for song in SONGS:
        written(data_home / "medleydb_melody" / mix.format(song))
    tracks = MedleyDBMelody().tracks()
    assert tracks["id"].tolist() == sorted(SONGS)
    assert tracks["path"].tolist() == [mix.format(song) for song in sorted(SONGS)]
    groups = dict(zip(tracks["id"], tracks["group"], strict=True))
    assert groups["AimeeNorwich_Child"] == groups["AimeeNorwich_Flying"] == "AimeeNorwich"
    assert len({groups[song] for song in SONGS if song.split("_")[0] in ("Handel", "Mozart", "Schubert", "Wolf")}) == 1
    splits = dict(zip(tracks["group"], tracks["split"], strict=True))
    assert splits["MusicDelta"] == "train"
    f0 = np.array(tracks["f0"][0])
    assert len(f0) == int(99 * 256 / 44100 / 0.01) + 1
    assert (f0 > 0).tolist() == [10 <= int(0.01 * k * 44100 / 256 + 1e-6) <= 80 for k in range(len(f0))]
    np.testing.assert_allclose(f0[30], 220 + 0.3 * 44100 / 256, atol=0.01)


def test_medleydb_empty_or_disordered_contours_are_damaged(data_home: Path) -> None:
    path = data_home / "medleydb_melody" / "melody1" / "A_B_MELODY1.csv"
    for text in ("", "0.0,220.0\n0.0,220.0\n", "time,f0\n0.0,220.0\n"):
        written(path, text)
        with pytest.raises(UserError, match=r"A_B_MELODY1\.csv"):
            MedleyDBMelody().tracks()


@pytest.mark.parametrize("hop", [0.02, 256 / 44100, 0.01])
def test_contours_are_resampled_as_mir_eval_does(hop: float) -> None:
    rng = np.random.default_rng(0)
    times = hop * np.arange(0 if hop < 0.02 else 1, 400)
    voiced = np.repeat(rng.random(40) < 0.6, 10)[: len(times)]
    hertz = np.where(voiced, 220 * 2 ** np.cumsum(rng.normal(0, 0.02, len(times))), 0.0)
    ours = contour(times, hertz)
    grid = np.arange(len(ours)) * 0.01
    voicing, cents, _, _ = mir_eval.melody.to_cent_voicing(times, hertz, grid, np.array(ours), hop=0.01)
    np.testing.assert_array_equal(np.array(ours) > 0, voicing > 0)
    np.testing.assert_allclose(1200 * np.log2(np.array(ours)[voicing > 0] / 10), cents[voicing > 0], atol=0.01)
    perfect = mir_eval.melody.evaluate(times, hertz, grid, np.array(ours), hop=0.01)
    assert perfect["Raw Pitch Accuracy"] == perfect["Overall Accuracy"] == 1.0


def test_contours_need_times() -> None:
    with pytest.raises(ValueError, match="must increase"):
        contour(np.array([]), np.array([]))
