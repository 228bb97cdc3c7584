"""What is installed without the checkout: the wheel has all that is opened, is small, and works in another folder."""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers.packages import PACKAGES, ROOT, build

LIMIT = 25e6


def data_files() -> set[str]:
    """All files of our packages that are no Python, from the repository's root."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in paths if path.suffix not in (".py", ".pyc")}


def test_every_file_that_is_no_python_is_packaged() -> None:
    """And every glob finds something: setuptools says nothing of one that does not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    globs = project["tool"]["setuptools"]["package-data"]
    patterns = [f"{package}/{glob}" for package, of in globs.items() for glob in of]
    caught = {pattern: fnmatch.filter(data_files(), pattern) for pattern in patterns}
    assert all(caught.values()), caught
    assert len(data_files()) > 30
    assert data_files() == set().union(*caught.values())
    # a star of setuptools stays in its folder, one of fnmatch does not
    assert all(path.count("/") == pattern.count("/") for pattern, paths in caught.items() for path in paths)


def test_every_package_is_packaged() -> None:
    """A folder without `__init__.py` is left out."""
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and of this one the packages, but not the checkout."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    target = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*target, str(wheel)], check=True)
    # a path in a .pth file is searched, but the .pth files there, an editable installation's, are not read
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin" / "python"


def benchmark(python: Path, folder: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    command = [str(python), "-m", "benchmark", *arguments]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_wheel_is_small_and_whole(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = [name for name in archive.namelist() if name.endswith("dist-info/entry_points.txt")]
        declared = archive.read(about[0]).decode()
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB, {len(names)} files")
    assert wheel.stat().st_size <= LIMIT
    code = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert names == code | data_files()
    assert "[benchmark.claims]" in declared


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_it_works_outside_the_checkout(installed: Path, tiny_grid: Path, data_dir: Path, tmp_path: Path) -> None:
    where = "import benchmark, strategies; print(benchmark.__file__)"
    environment = {"PATH": os.environ["PATH"]}
    found = subprocess.run([str(installed), "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert Path(found.stdout.strip()).is_relative_to(installed.parents[1]), found
    assert {"simclr", "random"} <= {
        row["name"] for row in json.loads(benchmark(installed, tmp_path, "list", "strategies", "--json"))
    }
    assert "smoke" in benchmark(installed, tmp_path, "list", "grids")
    data = ("--data-dir", str(data_dir))
    assert "jobs to do" in benchmark(installed, tmp_path, "plan", "--grid", "smoke", *data)
    benchmark(installed, tmp_path, "new", "strategy", "my_idea")
    assert (tmp_path / "my_idea" / "pyproject.toml").is_file()
    wanted = ("--strategies", "random,mfcc", "--tasks", "key", "--no-mlflow", "--store", "out", "--out", "out")
    said = benchmark(installed, tmp_path, "run", "--grid", str(tiny_grid), *data, *wanted)
    assert Path(said.splitlines()[-1]).name == "leaderboard.html"
    assert (tmp_path / "out" / "leaderboard.html").stat().st_size > 10_000
