"""Both GiantSteps sets as their repositories distribute them, with the rows that are no single key and no tempo."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from trees.dances import write_giantsteps_key, write_giantsteps_tempo
from trees.files import written

from benchmark.corpora.datasets.transcription.giantsteps_key import GiantStepsKey, collaborators
from benchmark.corpora.datasets.transcription.giantsteps_tempo import GiantStepsTempo
from benchmark.interfaces import UserError
from tasks.giantsteps_key import GiantStepsKey as KeyTask
from tasks.giantsteps_tempo import GiantStepsTempo as TempoTask

KEYS = """ID\tMANUAL KEY\tC
5061\tD# minor\t2
5881\tA major\t2
10981\t-\t0
16484\tA minor\t1
61578\tC minor / F# minor\t2
297150\tA-A# minor\t0
299300\tG minor/major\t1
515806\tF / F# minor\t2
4311630\t \t0
4970565\tB major \t2
6105589\tC# major \t2
6574410\tA major\t2
"""
METADATA = """ID\tARTIST\tSONG TITLE\tMIX\tLABEL\tBP GENRE\tBP BPM\tBP KEY
5061\tAda\tBlind 12" Edit\tOriginal Mix\tAreal\tMinimal\t125\tEbm
5881\tBob, Ada\tTwo\tOriginal Mix\tAreal\tMinimal\t\tA
10981\tNA\tThree\t\tAreal\tMinimal\t125\tA
16484\tBob\tFour\tOriginal Mix\tAreal\tMinimal\t125\tAm
61578\tCy\tFive\tOriginal Mix\tAreal\tMinimal\t125\tCm
297150\tCy\tSix\tOriginal Mix\tAreal\tMinimal\t125\tAm
299300\tCy\tSeven\tOriginal Mix\tAreal\tMinimal\t125\tG
515806\tCy\tEight\tOriginal Mix\tAreal\tMinimal\t125\tF#m
4311630\tDo\tNine\tOriginal Mix\tAreal\tMinimal\t125\tF#m
4970565\tBOB, Eve\tTen\tOriginal Mix\tAreal\tMinimal\t125\tB
6105589\tNA\tEleven\tOriginal Mix\tAreal\tMinimal\t125\tC#
6574410\t\tTwelve\tOriginal Mix\tAreal\tMinimal\t125\tA
"""
#: labels of the published test set
COUNTS = {
    **{"F minor": 73, "G minor": 62, "A minor": 54, "C minor": 53, "E minor": 48, "D minor": 40, "Eb minor": 36},
    **{"B minor": 32, "Gb minor": 31, "Ab minor": 29, "Bb minor": 28, "Db minor": 25, "C major": 15, "A major": 11},
    **{"E major": 10, "D major": 10, "F major": 9, "Eb major": 9, "G major": 8, "Gb major": 5, "Bb major": 5},
    **{"B major": 5, "Ab major": 5, "Db major": 1},
}


def key_home(home: Path, keys: str = KEYS, metadata: str = METADATA, test: tuple[str, ...] = ("Bb major",)) -> Path:
    return write_giantsteps_key(home, keys, metadata, test)


def test_sure_single_keys_are_trained_on(tmp_path: Path) -> None:
    tracks = GiantStepsKey().index(key_home(tmp_path)).set_index("id")
    assert list(tracks.index) == ["5061", "5881", "4970565", "6105589", "6574410", "1234749"]
    assert list(tracks["tonic"] + " " + tracks["mode"]) == [
        *("D# minor", "A major", "B major", "C# major", "A major", "Bb major"),
    ]
    assert tracks.loc["5061", "path"] == "giantsteps-mtg-key-dataset/audio/5061.LOFI.mp3"
    assert tracks.loc["1234749", "path"] == "giantsteps-key-dataset/audio/1234749.LOFI.mp3"
    assert list(tracks["split"] == "test") == [False] * 5 + [True]


def test_those_who_work_together_are_one_group(tmp_path: Path) -> None:
    groups = GiantStepsKey().index(key_home(tmp_path)).set_index("id")["group"]
    assert groups["5061"] == groups["5881"] == groups["4970565"] == "ada"  # Ada with Bob, Bob with Eve
    assert groups["6105589"] == "na"  # an artist's name, not a missing value
    assert groups["6574410"] == "6574410"  # no artist


def test_collaborators_are_the_components_of_a_graph() -> None:
    tracks = [["d", "c"], ["b", "a"], ["e"], ["c", "b"], ["f", "e"], ["g"]]
    assert collaborators(tracks) == ["a", "a", "e", "a", "e", "g"]
    assert collaborators(tracks[::-1]) == ["g", "e", "a", "e", "a", "a"]


def test_no_artist_straddles_and_both_parts_are_filled(tmp_path: Path) -> None:
    artists = {5000 + i: f"artist {i % 83}" + (f", artist {i % 83 + 1}" if i % 10 == 0 else "") for i in range(400)}
    keys = "ID\tMANUAL KEY\tC\n" + "".join(f"{number}\tG# minor\t2\n" for number in artists)
    metadata = "ID\tARTIST\n" + "".join(f"{number}\t{names}\n" for number, names in artists.items())
    tracks = GiantStepsKey().index(key_home(tmp_path, keys, metadata))
    rows = [
        (artist, split)
        for number, split in zip(tracks["id"], tracks["split"], strict=True)
        for artist in artists.get(int(number), number).split(", ")
    ]
    table = pd.DataFrame(rows, columns=["artist", "split"])
    assert (table.groupby("artist")["split"].nunique() == 1).all()
    assert (tracks["split"] == "val").mean() == pytest.approx(0.2, abs=0.15)


def test_validation_is_jukemirs(tmp_path: Path) -> None:
    # SHA-1 by coreutils' sha1sum, modulo 116, of which the last 16 are validation's: ada 80, bob 110, eve 11, na 34
    split = GiantStepsKey().index(key_home(tmp_path)).set_index("id")["split"]
    # Ada has worked with Bob, and Bob with Eve
    assert split[["5061", "5881", "4970565", "6105589"]].tolist() == ["val", "val", "val", "train"]
    lonely = METADATA.replace("Bob, Ada", "Ada").replace("BOB, Eve", "Eve")
    split = GiantStepsKey().index(key_home(tmp_path, metadata=lonely)).set_index("id")["split"]
    assert split[["5061", "5881", "4970565"]].tolist() == ["train"] * 3


def test_what_is_tested_on_is_not_trained_on(tmp_path: Path) -> None:
    key_home(tmp_path)
    written(tmp_path / "giantsteps-key-dataset/annotations/key/5881.LOFI.key", "A major")
    tracks = GiantStepsKey().index(tmp_path)
    assert tracks.loc[tracks["id"] == "5881", "split"].tolist() == ["test"]


def test_constant_predictions_on_the_published_labels(tmp_path: Path) -> None:
    truth = tuple(key for key, count in COUNTS.items() for _ in range(count))
    tracks, task = GiantStepsKey().index(key_home(tmp_path, test=truth)), KeyTask()
    targets = task.targets(tracks[tracks["split"] == "test"])
    assert len(targets) == 604
    for key, weighted, accuracy in (("C minor", 0.1576, 0.0877), ("F minor", 0.1495, 0.1209)):
        scores = task.score([task.classes.index(key)] * 604, targets)
        assert scores["weighted_score"] == pytest.approx(weighted, abs=5e-5)
        assert scores["accuracy"] == pytest.approx(accuracy, abs=5e-5)
    assert task.score(targets, targets)["weighted_score"] == 1.0


def test_sharps_and_flats_are_the_same_keys(tmp_path: Path) -> None:
    keys = "ID\tMANUAL KEY\tC\n5061\tA# major\t2\n5881\tD# minor\t2\n"
    tracks = GiantStepsKey().index(key_home(tmp_path, keys, test=("Bb major", "Eb minor")))
    first, second, *test = KeyTask().targets(tracks)
    assert [first, second] == test


def test_a_missing_or_damaged_key_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    home = key_home(tmp_path / "giantsteps", test=("Bb major", "X"))
    with pytest.raises(UserError, match=r"1234750\.LOFI\.key holds no key"):
        GiantStepsKey().tracks()
    (home / "giantsteps-key-dataset/annotations/key/1234750.LOFI.key").unlink()
    (home / "giantsteps-mtg-key-dataset/annotations/beatport_metadata.txt").unlink()
    with pytest.raises(UserError, match=r"FileNotFoundError.*GiantSteps organization on GitHub"):
        GiantStepsKey().tracks()


def test_tempi_without_a_tempo_are_left_out(tmp_path: Path) -> None:
    home = write_giantsteps_tempo(tmp_path, {3041381: "0.0", 1479462: "99.0", 210560: "143.0", 28952: "170.5"})
    tracks = GiantStepsTempo().index(home)
    assert list(tracks["id"]) == ["28952", "210560", "1479462"]
    assert list(tracks["tempo"]) == [170.5, 143.0, 99.0]
    assert tracks["path"][0] == "audio/28952.LOFI.mp3"
    assert [float(TempoTask.classes[t]) for t in TempoTask().targets(tracks)] == pytest.approx([170.5, 143, 99], 0.01)


def test_neighbors_are_one_release(tmp_path: Path) -> None:
    numbers = [4017608, 4017611, 4017781, 4018082, 4018083, 4018084, 4018085, 94350]
    groups = (
        GiantStepsTempo()
        .index(write_giantsteps_tempo(tmp_path, dict.fromkeys(numbers, "125.0")))
        .set_index("id")["group"]
    )
    assert groups["4017608"] == groups["4017611"] != groups["4017781"]
    assert groups[["4018082", "4018083", "4018084", "4018085"]].nunique() == 1
    assert groups.nunique() == 4


def test_no_release_straddles_and_all_parts_are_filled(tmp_path: Path) -> None:
    numbers = [first + track for first in range(1_000_000, 1_150_000, 1_000) for track in (0, 2, 5)]
    tracks = GiantStepsTempo().index(write_giantsteps_tempo(tmp_path, dict.fromkeys(numbers, "125.0")))
    assert (tracks.groupby("group")["split"].nunique() == 1).all()
    shares = tracks["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.3, abs=0.01)
    assert shares["val"] == pytest.approx(0.1, abs=0.01)


def test_missing_or_damaged_tempi_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    home = tmp_path / "giantsteps" / "giantsteps-tempo-dataset"
    with pytest.raises(UserError, match="Clone giantsteps-tempo-dataset"):
        GiantStepsTempo().tracks()
    written(home / "README")
    with pytest.raises(UserError, match=r"annotations_v2/tempo.*Clone giantsteps-tempo-dataset"):
        GiantStepsTempo().tracks()
    write_giantsteps_tempo(home, {1: "125.0", 2: ""})
    with pytest.raises(UserError, match=r"2\.LOFI\.bpm"):
        GiantStepsTempo().tracks()
