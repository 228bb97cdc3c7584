"""A label that is corrected, a file that is replaced: what starts over is what depends on it, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.forked import quick

RATE = 16_000
GRID = """
name: mine
corpus: mine
size: all
strategies:
  mfcc: {}
  simclr: {}
  semisupcon: {tags: ["genre:class"], threshold: 1}
encoders: [cnn_small]
tasks: [mine-genre, mine-bpm]
fractions: {1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 32, batch_size: 4, precision: 32-true}
"""


def write_audio(path: Path, seed: int) -> None:
    t = np.arange(round(6.2 * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(t))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * (1 + seed % 2) * t) + 0.02 * noise, RATE, subtype="PCM_16")


class Mine:
    """A table of 24 clips, and a grid on it."""

    def __init__(self, folder: Path) -> None:
        self.music, self.grid = folder / "mine", folder / "mine.yaml"
        self.data, self.out = folder / "data", folder / "out"
        self.music.mkdir()
        self.grid.write_text(GRID)
        self.rows = [
            [f"{split}{i}.wav", split, "ab"[i % 2], str(100 + i)]
            for split, n in (("train", 12), ("val", 6), ("test", 6))
            for i in range(n)
        ]
        for seed, row in enumerate(self.rows):
            write_audio(self.music / row[0], seed)
        self.write()

    def write(self) -> None:
        """The table."""
        lines = ["path,split,genre,bpm:number", *map(",".join, self.rows)]
        (self.music / "tracks.csv").write_text("\n".join(lines) + "\n")

    def ask(self, command: str, *args: str) -> str:
        """What a command says."""
        common = ["--plugin", str(self.music / "tracks.csv"), "--data-dir", str(self.data)]
        grid = ["--grid", str(self.grid), "--out", str(self.out)] if command in ("plan", "run") else []
        done = quick(*command.split(), *args, *grid, *common)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def to_do(self) -> set[str]:
        """The jobs that a run would do, by name."""
        lines = [line.split(maxsplit=2) for line in self.ask("plan", "--all").splitlines() if line.startswith("to do")]
        return {words[2] for words in lines}


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Mine:
    """One that has run."""
    mine = Mine(tmp_path_factory.mktemp("own"))
    said = mine.ask("run", "--keep-embeddings")
    assert "failed" not in said
    assert "error" not in said
    assert mine.to_do() == set()
    return mine


def test_a_corrected_label_is_a_matter_of_its_probes_and_of_who_learned_it(mine: Mine) -> None:
    mine.rows[2][3] = "177"
    mine.write()
    rows = ("mfcc mfcc_chroma", "simclr cnn_small", "semisupcon cnn_small")
    probes = {f"probe {row} seed 0 on mine-bpm" for row in rows}
    assert mine.to_do() == {"read bpm:number of mine", "preflight mine-bpm", *probes}
    mine.rows[2][3], mine.rows[3][2] = "102", "a"
    mine.write()
    found = mine.to_do()
    assert {name for name in found if name.startswith("pretrain")} == {"pretrain semisupcon cnn_small seed 0"}
    assert not any(name.split()[0] in ("catalog", "render", "join") for name in found)
    assert not any("bpm" in name for name in found if "semisupcon" not in name), "the other label's stay"
    mine.rows[3][2] = "b"
    mine.write()
    assert mine.to_do() == set()


def test_a_file_of_equal_length_in_place_of_another_is_noticed_and_a_copy_of_all_is_not(mine: Mine) -> None:
    path, kept = mine.music / "train3.wav", mine.music.parent / "kept.wav"
    shutil.copy2(path, kept)
    os.utime(path)
    assert mine.to_do() == set(), "a time of change is no change"
    write_audio(path, 99)
    os.utime(path, ns=(kept.stat().st_atime_ns, kept.stat().st_mtime_ns))
    assert path.stat().st_size == kept.stat().st_size
    found = mine.to_do()
    assert {"catalog mine all", "join mine all", "pretrain simclr cnn_small seed 0"} <= found
    assert not any(name.startswith("read") for name in found), "labels are no matter of sound"
    shutil.copy2(kept, path)
    assert mine.to_do() == set()


def test_what_blocks_do_not_tell_every_byte_does(mine: Mine) -> None:
    path = mine.music / "test5.wav"
    before = path.read_bytes()
    samples = bytearray(before)
    samples[6000:6100] = bytes(100)  # between two blocks
    path.write_bytes(samples)
    assert mine.to_do() == set(), "what a plan reads of it has not changed"
    assert "changed" not in mine.ask("data check", "mine")
    assert "changed since it was decoded, the next run decodes it anew: test5.wav" in mine.ask(
        "data check", "mine", "--deep"
    )
    assert "join mine all" in mine.to_do()
    path.write_bytes(before)
    assert mine.to_do() == set()
    assert "changed" not in mine.ask("data check", "mine", "--deep")
