"""A folder of audio and a table: any format and length, unreadable files and mistakes named, to the leaderboard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.forked import quick

from benchmark.interfaces import UserError
from tasks.folder import load

GRID = """
name: mine
corpus: {name}
size: all
strategies: [constant, mfcc, simclr]
encoders: [cnn_small]
tasks: [{name}-octave, {name}-colors, {name}-pitch]
fractions: {{1.0: 1}}
probes: [linear]
seeds: [0]
pretrain: {{crops: 400, batch_size: 8, precision: 32-true}}
"""
FORMATS = ("wav", "flac", "ogg", "mp3")


def write_folder(folder: Path, count: int = 60) -> Path:
    """Tones of 110 to 880 Hz, some noisy, some hissing, 3.2 to 24 s long, at several rates, mono and stereo."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(count):
        rate, seconds = (22_050, 44_100, 16_000)[i % 3], 3.2 if i % 4 else 12.0 * (1 + i % 2) + 0.01 * i
        t = np.arange(int(rate * seconds)) / rate
        octave = i % 3
        hz = 110 * 2 ** (octave + rng.random())
        tone = 0.3 * sum(np.sin(2 * np.pi * k * hz * t) / k for k in (1, 2, 3))
        noisy, low = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        tone = tone + 0.1 * noisy * rng.standard_normal(len(t)) + 0.2 * low * np.sin(2 * np.pi * 60 * t)
        name = f"audio/{i % 5}/track {i}.{FORMATS[i % 4]}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, np.stack([tone, 0.5 * tone], axis=1) if i % 2 else tone, rate)
        colors = "|".join([*["noisy"] * noisy, *["low"] * low]) or "-"
        rows.append((name, f"artist {i % 20}", ("low", "middle", "high")[octave], colors, np.log2(hz / 110)))
    table = pd.DataFrame(rows, columns=["path", "group", "octave", "colors:tags", "pitch:number"])
    table.to_csv(folder / "tracks.csv", index=False)
    return folder / "tracks.csv"


def test_from_a_folder_to_a_leaderboard(tmp_path: Path) -> None:
    (tmp_path / "my tunes").mkdir()
    table = write_folder(tmp_path / "my tunes")
    (tmp_path / "my tunes" / "audio/1/track 6.ogg").write_bytes(b"not music")
    (tmp_path / "grid.yaml").write_text(GRID.format(name="my_tunes"))
    args = ["run", "--grid", str(tmp_path / "grid.yaml"), "--plugin", str(table)]
    where = ["--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    done = quick(*args, *where)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "finished" in done.stderr
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet").query("seed == 0")
    main = scores.set_index(["strategy", "task", "metric"])["value"]
    assert main["mfcc", "my_tunes-octave", "accuracy"] > 0.8 > main["constant", "my_tunes-octave", "accuracy"]
    # nine clips test, three of them noisy
    assert main["mfcc", "my_tunes-colors", "map"] > main["constant", "my_tunes-colors", "map"] + 0.2
    assert main["mfcc", "my_tunes-pitch", "r2"] > 0.2 > main["constant", "my_tunes-pitch", "r2"]
    assert main["constant", "my_tunes-colors", "roc_auc"] == 0.5
    assert "simclr" in set(scores["strategy"])
    stored = pd.read_parquet(next((tmp_path / "data").rglob("waveforms/**/tracks.parquet")))
    assert len(stored) == 59, "the unreadable one is left out"
    assert "60 tracks, 1 of them unreadable and left out" in (tmp_path / "out" / "leaderboard.html").read_text()
    where = ["--data-dir", str(tmp_path / "data")]
    assert quick("data", "prepare", "my_tunes", *where).returncode == 2, "it is the plugin's, which is not given"
    again = quick("data", "prepare", "my_tunes", *where, "--plugin", str(table))
    assert again.returncode == 0
    assert "finished" not in again.stderr
    assert "unreadable: audio/1/track 6.ogg" in again.stderr


def test_too_many_unreadable_files_stop_until_allowed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    table = write_folder(tmp_path / "mine", 20)
    for i in (3, 7):
        (tmp_path / f"mine/audio/{i % 5}/track {i}.mp3").unlink()
    (tmp_path / "grid.yaml").write_text(GRID.format(name="mine").replace(", simclr", ""))
    args = ["run", "--grid", str(tmp_path / "grid.yaml"), "--plugin", str(table), "--tasks", "mine-octave"]
    args += ["--data-dir", str(tmp_path / "d"), "--out", str(tmp_path / "o")]
    done = quick(*args)
    assert done.returncode == 2
    assert "2 of 20 tracks have no audio that can be read" in done.stderr.replace("\n", " ")
    assert not list((tmp_path / "d").rglob("shard")), "before anything is decoded"
    assert "track 3.mp3" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    allowed = quick(*args, "--allow-missing")
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,genre\na.wav,x\n", "column 'path'"),
        ("path\na.wav\n", "no label column"),
        ("path,genre\n/etc/passwd,x\n", "line 2: the path is absolute"),
        ("path,genre\na.wav,x\n../../b.wav,y\n", "line 3: the path is absolute, or leads out"),
        ("path,genre,split\na.wav,x,train\nb.wav,y,fold 3\n", "line 3: split 'fold 3' is none of train, val, test"),
        ("path,bpm:number\na.wav,120\nb.wav,fast\n", "line 3: bpm:number 'fast' is not a number"),
        ("path,genre:style\na.wav,x\n", "a label is of kind class, tags, number"),
        ("path,???\na.wav,x\n", "no letter or digit"),
        ("", "not a table"),
    ],
)
def test_mistakes_are_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text(text)
    with pytest.raises(UserError) as error:
        load(tmp_path / "tracks.csv")
    assert says in str(error.value)


def test_groups_stay_whole_and_labels_are_read(tmp_path: Path) -> None:
    rows = [
        f"{i}.wav,g{i // 3},{'a' if i % 2 else 'b'},{'x|y' if i % 3 else '-'},{'' if i == 5 else i / 2}"
        for i in range(300)
    ]
    (tmp_path / "tracks.csv").write_text("path,group,genre,mood:tags,energy:number\n" + "\n".join(rows))
    corpus, genre, mood, energy = load(tmp_path / "tracks.csv")
    tracks = corpus().tracks()
    assert (tracks.groupby("group")["split"].nunique() == 1).all()
    assert tracks["split"].value_counts(normalize=True).to_dict() == pytest.approx(
        {"train": 0.7, "val": 0.15, "test": 0.15}, abs=0.005
    )
    assert genre.classes == ("a", "b")
    assert genre().targets(tracks)[:2] == [1, 0]
    assert mood.classes == ("x", "y")
    np.testing.assert_array_equal(mood().targets(tracks)[0], [0, 0])
    np.testing.assert_array_equal(mood().targets(tracks)[1], [1, 1])
    assert energy().targets(tracks)[5] is None
    assert energy().targets(tracks)[4] == pytest.approx([2.0])
