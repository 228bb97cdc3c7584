"""Without the packages that only some work needs, all other work is done, and what is not says what to install."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.packages import without

from benchmark.interfaces import install, one_line

#: MLflow mirrors, music21 and symusic hold and read scores, a SoundFont and a synthesizer play them, Lightning trains,
#: Matplotlib draws, Ray is for clusters
ABSENT = (
    r"mlflow\w*|music21|symusic\w*|pretty_midi|midirenderer|lightning|pytorch_lightning|matplotlib|mpl_toolkits|pylab"
    r"|seaborn|ray"
)
GRID = """
name: lean
corpus: mine
size: all
strategies: [constant, random, mfcc, simclr]
encoders: [cnn_small]
tasks: [mine-octave]
fractions: {1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 64, batch_size: 8, precision: 32-true}
"""
#: several commands in one process, each argument list after the other; then an encoder in one line
COMMANDS = """
import json, sys
import numpy as np
import benchmark
from benchmark.cli.main import main
for name in ("lightning", "mlflow", "music21", "symusic", "matplotlib"):
    assert __import__("importlib.util").util.find_spec(name) is None, name
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["benchmark", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (arguments, end.code)
frames = benchmark.load_encoder("mfcc_chroma").embed(np.zeros(32_000, np.float32), 16_000)
print("embedded", frames)
"""


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return without(ABSENT, tmp_path_factory.mktemp("lean") / "site-packages")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of two octaves, in a table, and a grid over it."""
    made = tmp_path_factory.mktemp("folder") / "mine"  # the corpus is called like it
    made.mkdir()
    rows = []
    for i in range(40):
        hz = (220, 440)[i % 2] * 2 ** (i / 80)
        soundfile.write(made / f"{i}.wav", 0.3 * np.sin(2 * np.pi * hz * np.arange(3 * 16_000) / 16_000), 16_000)
        rows.append((f"{i}.wav", ("low", "high")[i % 2]))
    pd.DataFrame(rows, columns=["path", "octave"]).to_csv(made / "mine.csv", index=False)
    (made / "grid.yaml").write_text(GRID)
    return made


def python(lean: dict[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-S", *arguments], env=lean, cwd=cwd, capture_output=True, text=True)


def test_lists_plans_and_encoders_need_none_of_them(lean: dict[str, str], folder: Path) -> None:
    nouns = ("strategies", "tasks", "encoders", "corpora", "claims", "grids")
    # not `smoke`: the rendered corpus is planned by the versions of its readers
    plan = ["plan", "--grid", "grid.yaml", "--plugin", "mine.csv", "--data-dir", "planned"]
    commands = [*(["list", noun] for noun in nouns), plan, ["data", "list"]]
    done = python(lean, folder, "-c", COMMANDS, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    assert "embedded" in done.stdout
    assert "rendered_notes: cannot be made here" in done.stdout
    assert "pip install 'pretty_midi==" in done.stdout


def test_all_that_can_be_run_is_and_the_rest_says_what_to_install(lean: dict[str, str], folder: Path) -> None:
    where = ("--grid", "grid.yaml", "--plugin", "mine.csv", "--data-dir", "data", "--out", "out")
    done = python(lean, folder, "-m", "benchmark", "run", *where, "--executor", "inline", "--no-mlflow")
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, said
    assert "install it: pip install 'lightning" in said
    assert "no page: matplotlib is not installed" in said
    scores = pd.read_parquet(folder / "out" / "scores.parquet")
    assert set(scores["strategy"]) == {"constant", "random", "mfcc"}
    mirrored = python(lean, folder, "-m", "benchmark", "run", *where)
    assert (mirrored.returncode, "pip install mlflow" in mirrored.stderr) == (2, True), mirrored.stderr


def test_what_installs_a_package_is_told_of_ours_alone() -> None:
    assert one_line(ModuleNotFoundError("No module named 'lightning.fabric'", name="lightning.fabric")) == (
        "ModuleNotFoundError: No module named 'lightning.fabric'; install it: pip install 'lightning<3,>=2.6'"
    )
    assert install("music21").startswith("install it: pip install 'music21")
    assert install("my_own_module") == ""
    assert install("") == ""
    assert one_line(ValueError("two\nlines")) == "ValueError: two lines"
