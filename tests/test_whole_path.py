"""The whole path of somebody new, in a clean environment from the built wheel: twelve minutes on two cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.packages import build

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

RATE = 16_000
#: what somebody does with an export: a file, samples at another rate, and HEAR's three functions
USES = """
import sys
import numpy as np, torch
import benchmark
from benchmark import hear

folder, song = sys.argv[1:]
encoder = benchmark.load_encoder(folder)
clip = encoder.embed(song)
assert clip.shape == (encoder.clip_dim,) and np.isfinite(clip).all() and clip.std() > 0
assert encoder.embed(np.random.default_rng(0).normal(size=(2, 44_100)) / 10, 44_100).shape == clip.shape
model = hear.load_model(folder)
audio = torch.zeros(2, 2 * model.sample_rate)
assert hear.get_scene_embeddings(audio, model).shape == (2, model.scene_embedding_size)
frames, times = hear.get_timestamp_embeddings(audio, model)
assert frames.shape[:2] == times.shape and frames.shape[2] == model.timestamp_embedding_size
print("embedded", clip.shape)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing of ours but `bin`, a new environment with the wheel and all that it requires."""
    made = tmp_path_factory.mktemp("newcomer")
    wheel = build(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))
    subprocess.run([sys.executable, "-m", "venv", str(made / "env")], check=True)
    run(made, "pip", "install", "-q", f"{wheel}", "pytest>=8", "setuptools>=77")
    return made


def run(place: Path, *command: str) -> str:
    """A program of the environment, as its user starts it; what it prints."""
    mine = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    mine |= {"PATH": f"{place / 'env/bin'}{os.pathsep}{mine['PATH']}", "MIR_PRETEXT_DATA": str(place / "data")}
    start = time.monotonic()
    program = str(place / "env/bin" / command[0])
    done = subprocess.run([program, *command[1:]], cwd=place, env=mine, capture_output=True, text=True)
    print(f"{time.monotonic() - start:6.1f} s  {' '.join(command)[:100]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def benchmark(place: Path, *arguments: str) -> str:
    return run(place, "python", "-m", "benchmark", *arguments)


def test_from_installing_to_ones_own_answer(place: Path) -> None:
    """Tones and noise in two folders: what to take is known, and that guessing does not do."""
    rng = np.random.default_rng(0)
    for i in range(80):
        seconds = np.arange(4 * RATE) / RATE
        tone = 0.2 * np.sin(2 * np.pi * rng.uniform(200, 800) * seconds)
        name, sound = ("tone", tone) if i % 2 else ("noise", 0.1 * rng.normal(size=len(seconds)))
        (place / "music" / name).mkdir(parents=True, exist_ok=True)
        soundfile.write(place / "music" / name / f"{i}.wav", sound, RATE)
    (answer,) = json.loads(benchmark(place, "recommend", "music", "--json"))["answers"].values()
    assert "mfcc" in answer["leading"], answer
    assert answer["rows"]["mfcc"]["mean"] > 0.95
    assert answer["rows"]["constant"]["mean"] < 0.7


def test_an_idea_of_ones_own_stands_beside_what_others_computed(place: Path) -> None:
    smaller = (
        "size=tiny",
        "pretrain.crops=5000",
        "probes=[linear]",
        "fractions={0.1: 3, 1.0: 1}",
        "tasks=[instrument, key]",
    )
    smoke = ("run", "--grid", "smoke", *(f"--set={change}" for change in smaller), "--no-mlflow")
    benchmark(place, *smoke, "--strategies", "constant,random,mfcc,simclr", "--out", "theirs")
    benchmark(place, "new", "strategy", "my_idea")
    run(place, "pip", "install", "-q", "--no-build-isolation", "-e", "my_idea")
    run(place, "pytest", "-q", "my_idea")
    said = benchmark(place, *smoke, "--strategies", "my_idea,random", "--against", "theirs", "--out", "mine")
    board = pd.read_csv(place / "mine" / "leaderboard.csv")
    assert {"my_idea", "simclr", "mfcc", "constant", "random"} == set(board["strategy"])
    assert "my_idea" in said
    assert "of smoke" in (place / "mine" / "leaderboard.html").read_text()


def test_what_won_is_used(place: Path) -> None:
    benchmark(place, "export", "theirs", "simclr", "--to", "encoder")
    assert "# simclr" in (place / "encoder" / "README.md").read_text()
    (song,) = (place / "music" / "tone").glob("1.wav")
    assert "embedded" in run(place, "python", "-c", USES, "encoder", str(song))
