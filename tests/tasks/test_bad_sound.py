"""A folder with all faults of table and sound at once: a bad file costs that file, each fault is said once."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from helpers.forked import quick

GRID = """
name: mine
corpus: mine
size: all
strategies: [mfcc, simclr]
encoders: [cnn_small]
tasks: [mine-octave]
fractions: {1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 32, batch_size: 4, precision: 32-true}
"""
RATE = 16_000
FAULTS = {
    "truncated": "train1.wav",
    "canceled": "train2.wav",
    "rescaled": "train3.wav",
    "unknown length": "train4.flac",
}
FAULTS |= {"silent": "train5.wav", "unreadable": "train6.wav"}
MISSING = "train9.wav"
#: names of the same sounds, test and training
PAIRS = ("test0.mp3", "train10.wav", "test1.flac", "train11.wav")


def tone(seed: int, seconds: float = 3.2) -> np.ndarray:
    """In one of two octaves by turns, no two alike."""
    rng, t = np.random.default_rng(seed), np.arange(round(RATE * seconds)) / RATE
    hz = 220 * 2 ** (seed % 2 + 0.8 * rng.random())
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * t) + 0.02 * rng.standard_normal(len(t)))


def write_folder(folder: Path) -> Path:
    """40 tracks to train, 10 and 10 to choose and test; faults among the former, and three leaks."""
    folder.mkdir()
    names = [f"{split}{i}.wav" for split, n in (("train", 40), ("val", 10), ("test", 10)) for i in range(n)]
    names[4], names[13] = FAULTS["unknown length"], "trän13.wav"
    for seed, name in enumerate(names):
        soundfile.write(folder / unicodedata.normalize("NFD", name), tone(seed), RATE)
    (folder / MISSING).unlink()
    half = (folder / "train1.wav").read_bytes()
    (folder / "train1.wav").write_bytes(half[: 2 * len(half) // 3])
    soundfile.write(folder / "train2.wav", np.stack([tone(2), -tone(2)], axis=1), RATE)
    soundfile.write(folder / "train3.wav", 40 * tone(3), RATE, subtype="FLOAT")
    stream = bytearray((folder / "train4.flac").read_bytes())
    stream[21], stream[22:26] = stream[21] & 0xF0, bytes(4)
    (folder / "train4.flac").write_bytes(bytes(stream))
    soundfile.write(folder / "train5.wav", 0 * tone(5), RATE)
    (folder / "train6.wav").write_bytes(b"not music")
    soundfile.write(folder / "train7.wav", tone(7, 0.6), RATE)
    soundfile.write(folder / "train8.wav", tone(8, 0.1), RATE)
    soundfile.write(folder / "test0.mp3", 0.5 * tone(10), RATE)  # a copy of train10
    soundfile.write(folder / "test1.flac", soundfile.read(folder / "train11.wav", dtype="int16")[0], RATE)  # equal
    names[50:52] = ["test0.mp3", "test1.flac"]
    octaves = ["low" if seed % 2 == 0 else "high" for seed in range(len(names))]
    groups = [f"g{seed}" for seed in range(len(names))]
    groups[53] = groups[12]  # test3 and train12
    octaves[14] = " low "
    splits = ["train"] * 40 + ["valid", "dev"] * 5 + ["TEST"] * 10
    rows = [[str(i), *cells, ""] for i, cells in enumerate(zip(names, splits, groups, octaves, strict=True))]
    rows[15].pop()
    lines = [["", "Path", " SPLIT", "Group", "octave", "seconds"], *rows]
    (folder / "tracks.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    return folder / "tracks.csv"


#: what is said of the table itself, and of which lines
TABLE = {
    "column 1 has no name": [1],
    "column 'octave': 'low' is also written with blanks around it": [16],
    "the row has 5 cells, and the header 6": [17],
    "1 of 60 files are not there": [11],
    "1 group on both sides of the split: 1 of 10 test tracks share": [14, 55],
}


def test_one_bad_file_costs_that_file_and_each_fault_is_said(tmp_path: Path) -> None:
    table = write_folder(tmp_path / "mine")
    told = json.loads(quick("data", "describe", str(table), "--json").stdout)
    said = [warning["what"] for warning in told["warnings"]]
    line = {name: i + 2 for i, name in enumerate(pd.read_csv(table)["Path"])}
    for what, rows in TABLE.items():
        assert [one["rows"] for one in told["warnings"] if one["what"].startswith(what)] == [rows], (what, said)
    for kind, name in FAULTS.items():
        what = "1 of 60 files cannot be read" if kind == "unreadable" else f"1 track {kind}: {name} ("
        found = [warning for warning in told["warnings"] if warning["what"].startswith(what)]
        assert [warning["rows"] for warning in found] == [[line[name]]], (kind, said)
    twins = [warning for warning in told["warnings"] if "under two names" in warning["what"]]
    assert [warning["rows"] for warning in twins] == [sorted(line[n] for n in PAIRS)], said
    assert "2 sounds on both sides of the split under two names, 1 of them equal" in twins[0]["what"]
    assert len(said) == len(FAULTS) + len(TABLE) + 1
    headers = json.loads(quick("data", "describe", str(table), "--json", "--headers").stdout)["warnings"]
    assert len(headers) == len(TABLE) + 1

    (tmp_path / "grid.yaml").write_text(GRID)
    where = ["--data-dir", str(tmp_path / "d"), "--plugin", str(table)]
    args = ["run", "--grid", str(tmp_path / "grid.yaml"), "--out", str(tmp_path / "o"), *where, "--allow-missing"]
    done = quick(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    scores = pd.read_parquet(tmp_path / "o/scores.parquet").set_index(["strategy", "metric"])
    assert scores["n_train"].max() == 38
    assert scores["value"]["mfcc", "accuracy"] == 1.0
    warned = " ".join(done.stderr.split())
    for kind, name in FAULTS.items():
        heard = "2 tracks unreadable and left out" if kind == "unreadable" else f"1 track {kind}"
        assert warned.count(f"warning: mine: {heard}: {name}") == 1, done.stderr
    assert [warned.count(what) for what in ("under two names", *TABLE)] == [1] * (1 + len(TABLE)), done.stderr
    # train7 and train8 are shorter than a crop of 3 s, and what is left of train1
    assert "simclr cnn_small seed 0: 3 of 38 training tracks are shorter than its crops" in warned
    page = (tmp_path / "o/leaderboard.html").read_text()
    data = (
        "60 tracks, 2 of them unreadable and left out, 1 truncated, 1 canceled, 1 rescaled, 1 unknown length, 1 silent"
    )
    assert f"{data}, 1 padded with silence for mfcc" in page
    assert "<dt>leaks</dt>" in page
    assert "2 sounds on both sides of the split under two names" in page

    checked = quick("data", "check", "mine", *where)
    assert (checked.returncode, f"not there: {MISSING}" in checked.stdout) == (1, True), checked.stderr
    for kind, name in FAULTS.items():
        assert f"{kind}: {name}: " in checked.stdout
    assert checked.stdout.count("leak: ") == 2
