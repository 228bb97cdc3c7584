"""Distributions as installers leave them: metadata beside their modules, made without any installer; or taken away."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from pathlib import Path

from benchmark.new import package

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("benchmark", "strategies", "tasks")


def build(source: Path, into: Path) -> Path:
    """The wheel of what is committed or not, built in a copy: a build leaves a folder that a later one packs too."""
    tracked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PACKAGES]
    command = [*tracked, *map(str, ROOT.glob("*.*"))]
    kept = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in [name for name in (*kept, "LICENSE") if name and (ROOT / name).is_file()]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(into), "."]
    subprocess.run(wheel, cwd=source, check=True)
    (built,) = into.glob("*.whl")
    return built


def without(names: str, folder: Path) -> dict[str, str]:
    """The environment of a `python -S` that has all packages of this one but some.

    Args:
        names: of their modules and distributions, a regular expression.
        folder: to be made.
    """
    folder.mkdir()
    absent = re.compile(rf"({names})([-.].*)?")
    for path in (path for name in ("purelib", "platlib") for path in Path(sysconfig.get_path(name)).iterdir()):
        if not absent.fullmatch(path.name) and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


def distribution(site: Path, name: str, entries: Mapping[str, Mapping[str, str]], **modules: str) -> Path:
    """A distribution in the folder `site`.

    Args:
        site: to be put on Python's path.
        name: its own.
        entries: what it declares: by axis, `module:Class` by name.
        modules: their texts by name.
    """
    about = site / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = (f"[benchmark.{axis}]\n" + "".join(f"{k} = {v}\n" for k, v in of.items()) for axis, of in entries.items())
    (about / "entry_points.txt").write_text("\n".join(groups))
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)
    return site


def begun(kind: str, name: str, folder: Path, site: Path) -> Path:
    """A package begun with `new`, and in `site` what installing it, editable, would leave there."""
    package.write(kind, name, folder)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    entries = {axis.removeprefix("benchmark."): found for axis, found in project["entry-points"].items()}
    distribution(site, project["name"], entries)
    return folder
