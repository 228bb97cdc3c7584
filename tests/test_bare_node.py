"""A node without network and without most packages: what `examples/bare_node` carries there, does, and brings back."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmark.store.artefacts import MANIFEST

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "bare_node"
#: names a Python 3.12 that has what Pretext requires, where the tests run on another
PYTHON = "MIR_PRETEXT_PYTHON312"
GRID = """
name: small
corpus: rendered_scores
size: tiny
strategies: [constant, random, mfcc, simclr, byol]
encoders: [cnn_small]
tasks: [instrument, key, beat, chord, melody]
fractions: {0.1: 2, 1.0: 1}
probes: [linear]
seeds: [0]
pretrain: {crops: 1280, batch_size: 32}
"""
#: prints where the packages that are named lie, entry by entry of site-packages
TOPS = r"""
import json, re, sys
from importlib.metadata import distributions
found = [d for d in distributions() if re.sub(r"[-_.]+", "-", d.name).lower() in sys.argv[1:]]
tops = {str(d.locate_file(file.parts[0])) for d in found for file in d.files or [] if file.parts[0] != ".."}
print(json.dumps(sorted(tops)))
"""
#: what the node lacks, and that it reaches nobody
BARE = """
import importlib.util, socket, torch, pandas, typer, rich
for name in "pydantic soundfile soxr mir_eval pretty_midi midirenderer platformdirs mlflow music21 symusic".split():
    assert importlib.util.find_spec(name) is None, name
try:
    socket.create_connection(("192.0.2.1", 9), 5)
except OSError as error:
    assert "unreachable" in str(error), error
"""


def python312() -> str:
    """The Python whose packages the node has some of."""
    named = os.environ.get(PYTHON, "")
    for command in filter(None, (sys.executable, named, shutil.which("python3.12"))):
        code = "import sys, torch, lightning; raise SystemExit(sys.version_info[:2] != (3, 12))"
        if subprocess.run([command, "-c", code], capture_output=True).returncode == 0:
            return command
    pytest.skip(f"no Python 3.12 with torch and lightning: name one in {PYTHON}")


def offline() -> list[str]:
    """What takes the network from a command."""
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    pytest.skip("this machine's kernel takes the network from nobody (unshare -n)")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python 3.12 that has of its packages those that the node has."""
    place, source = tmp_path_factory.mktemp("node") / "venv", python312()
    subprocess.run([source, "-m", "venv", "--without-pip", place], check=True)
    names = re.sub("#.*", "", (EXAMPLE / "node.txt").read_text()).split()
    tops = subprocess.run([source, "-c", TOPS, *names], check=True, capture_output=True, text=True).stdout
    (site,) = place.glob("lib/python3.12/site-packages")
    for top in map(Path, json.loads(tops)):
        (site / top.name).symlink_to(top)
    return place / "bin" / "python"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "pack"
    home("pack", folder, data_dir=data_dir)
    return folder


def home(*arguments: object, data_dir: Path) -> str:
    """Run home.py as a user does; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MIR_PRETEXT_DATA": str(data_dir)}
    command = [sys.executable, str(EXAMPLE / "home.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    return done.stdout


def on_node(bare: Path, cwd: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the node's Python without network, and with nothing of this environment."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    command = [*offline(), str(bare), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


def step(bare: Path, pack: Path, work: Path, *arguments: object, codes: tuple[int, ...] = (0,)) -> int:
    """Take a step on the node, in the folder of its grid."""
    (work / "grid.yaml").write_text(GRID)
    fixed = ("--grid", "grid.yaml", "--home", work / "home")
    done = on_node(bare, work, pack / "node.py", *arguments[:1], *fixed, *arguments[1:])
    print(*arguments, "->", done.returncode, done.stdout[-1500:], done.stderr[-1500:], sep="\n")
    assert done.returncode in codes, done.stdout + done.stderr
    return done.returncode


def artefacts(results: Path) -> dict[str, int]:
    return {str(path.parent.relative_to(results)): path.stat().st_mtime_ns for path in results.rglob(MANIFEST)}


def test_the_node_is_bare(bare: Path, tmp_path: Path) -> None:
    done = on_node(bare, tmp_path, "-c", BARE)
    assert done.returncode == 0, done.stderr


def test_the_pack_is_small_and_for_the_node(pack: Path) -> None:
    assert sum(path.stat().st_size for path in pack.rglob("*") if path.is_file()) < 30e6
    wheels = [path.name for path in (pack / "wheels").iterdir()]
    fits = re.compile(r".*-(cp312-cp312|cp\d+-abi3|py3-none|py2\.py3-none)-(any|manylinux.*)\.whl")
    assert [name for name in wheels if not fits.fullmatch(name)] == []
    assert not [name for name in wheels if re.match("(torch|numpy|scipy|pandas|mlflow|music21|symusic)-", name)]


def test_a_grid_is_run_there_in_pieces_and_reported_here(
    bare: Path, pack: Path, tmp_path: Path, data_dir: Path
) -> None:
    work, parts, here = tmp_path / "work", tmp_path / "parts", tmp_path / "here"
    work.mkdir()
    step(bare, pack, work, "render")
    step(bare, pack, work, "bench", "--seconds", 60, codes=(0, 75))
    results, seconds, stops = work / "home" / "results" / "grid", 33.0, []
    while step(bare, pack, work, "run", "--seconds", seconds, codes=(0, 75)):
        stops.append(artefacts(results))
        seconds = 25 + 1.4 * (seconds - 25)
    assert stops, "it was never interrupted"
    stood = {place: at for place, at in stops[-1].items() if not place.startswith("embed/")}  # those are let go
    assert artefacts(results).items() >= stood.items(), "what an earlier piece had finished was made again"
    assert {place.split("/")[0] for place in stops[-1]} > {"preflight"}, "no piece but the last has finished anything"

    step(bare, pack, work, "pack", "--into", parts, "--megabytes", 4)
    sizes = [path.stat().st_size for path in parts.iterdir()]
    print(f"parts of {sizes} bytes")
    assert len(sizes) <= 8
    assert sum(sizes) <= 4e6

    said = home("import", parts, here, data_dir=data_dir)
    assert "simclr" in said
    assert said.rstrip().endswith("leaderboard.html")
    there = pd.read_parquet(results / "scores.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(here / "scores.parquet"), there)
    assert set(there["task"]) == {"instrument", "key", "beat", "chord", "melody"}
    trained = {job["key"] for job in json.loads((here / "run.json").read_text())["pretraining"]}
    brought = {place.split("/")[-1] for place in artefacts(here) if place.startswith("pretrain/")}
    assert len(trained) == 2
    assert len(brought & trained) == 1, "there was room for one"

    again, fresh = tmp_path / "again", tmp_path / "fresh"
    home("pack", again, "--results", here, data_dir=data_dir)
    fresh.mkdir()
    step(bare, again, fresh, "run")
    assert not artefacts(fresh / "home" / "data"), "a fresh node did again what is known at home"
    pd.testing.assert_frame_equal(pd.read_parquet(fresh / "home" / "results" / "grid" / "scores.parquet"), there)
