"""At home: pack what a bare node lacks, and take in what it brings (README.md).

python examples/bare_node/home.py pack FOLDER      wheels, note tables and node.py: copy FOLDER to the node
python examples/bare_node/home.py import FOLDER RESULTS     the files that `node.py pack` has written, and the report
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmark.bookkeeping.collect import COLLECTED
from benchmark.files import replacing

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: what a node can do without: the mirror, and what reads scores, which travel as note tables
LEFT_OUT = {"mlflow", "music21", "symusic"}
GLIBC = [f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28)] + ["manylinux2014_x86_64", "manylinux1_x86_64"]
#: megabytes of the pack, and of it and earlier results together
PACK_MB, ALL_MB = 30, 64
MEMBERS = ("scores.tar.xz", "weights.tar", "run.json", "bench.json")


def pack(folder: Path, node: Path, python: str, also: list[str], results: Path | None) -> None:
    """Write the pack into a new folder.

    Args:
        node: a file with the names of the packages that the node has.
        python: the node's version of Python.
        also: packages to bring although the node has them.
        results: a results folder whose scores the node should know.
    """
    if folder.exists():
        sys.exit(f"error: {folder} is there already; remove it, or name another folder")
    pins = lacking(_names(node) - set(map(canonicalize_name, also)), python)
    _wheels(folder / "wheels", pins, python)
    _benchmark("data", "pack", "rendered_scores", str(folder / "data"))
    shutil.copy(HERE / "node.py", folder)
    _check_size(folder, PACK_MB)
    if results:
        _benchmark("store", "export", str(results), str(folder / "earlier.tar.xz"), "--scores-only")
        _check_size(folder, ALL_MB)
    (folder / "pack.json").write_text(json.dumps(_sums(folder), indent=1) + "\n")  # the node unpacks what it has not
    print(f"{folder}: {len(pins) + 1} wheels, {_megabytes(folder):.1f} MB in all")


def lacking(there: set[str], python: str) -> list[str]:
    """`name==version` of what Pretext requires beside the packages that are `there`, in the versions that run here."""
    found: dict[str, str] = {}
    todo = _requirements("mir-pretext", python)
    while todo:
        name = todo.pop()
        if name not in found and name not in there | LEFT_OUT:
            found[name] = f"{name}=={version(name)}"
            todo |= _requirements(name, python)
    return sorted(found.values())


def _requirements(name: str, python: str) -> set[str]:
    """What a package that is installed here requires on the node; extras are left out."""
    node = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    parsed = map(Requirement, requires(name) or [])
    return {canonicalize_name(one.name) for one in parsed if one.marker is None or one.marker.evaluate(node)}


def _wheels(folder: Path, pins: list[str], python: str) -> None:
    """Fetch wheels for the node, and make Pretext's own from this checkout."""
    pip = [sys.executable, "-m", "pip"]
    node = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    node += [f"--platform={name}" for name in GLIBC]
    subprocess.run([*pip, "download", "--quiet", "--no-deps", *node, "--dest", str(folder), *pins], check=True)
    with tempfile.TemporaryDirectory() as place:  # a build leaves folders behind, and takes up what earlier ones left
        for name in ("benchmark", "strategies", "tasks"):
            shutil.copytree(ROOT / name, Path(place) / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, place)
        subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), place], check=True)


def take_in(folders: list[Path], results: Path) -> None:
    """Import what a node has packed into a results folder of its own, and make the report."""
    if (results / COLLECTED).exists():
        sys.exit(f"error: a run of this machine has written {results}; name a folder for the node's results alone")
    parts = {part.name: part for folder in folders for part in folder.glob("home.tar.*-of-*")}
    ends = {name.rpartition("-of-")[2] for name in parts}
    if len(ends) != 1 or len(parts) != int(min(ends)):
        sys.exit(f"error: found {', '.join(sorted(parts)) or 'no part'}: name the folders of all parts of one pack")
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "home.tar"
        with whole.open("wb") as stream:
            for _, part in sorted(parts.items()):
                stream.write(part.read_bytes())
        with tarfile.open(whole) as tar:
            for name in set(MEMBERS) & set(tar.getnames()):
                tar.extract(name, place, filter="data")
        for name in MEMBERS[:2]:
            _benchmark("store", "import", str(Path(place) / name), str(results))
        for path in (Path(place) / name for name in MEMBERS[2:]):
            if path.exists():
                with replacing(results / path.name) as draft:
                    shutil.copyfile(path, draft)
    (results / "scores.parquet").unlink(missing_ok=True)  # the report makes it of all that has come
    _benchmark("report", str(results))


def _benchmark(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "benchmark", *arguments])
    if done.returncode:
        sys.exit(done.returncode)


def _names(path: Path) -> set[str]:
    lines = [line.partition("#")[0] for line in path.read_text().splitlines()]
    return {canonicalize_name(name) for line in lines for name in line.split()}


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _check_size(folder: Path, limit: int) -> None:
    if _megabytes(folder) > limit:
        sys.exit(f"error: {folder} has {_megabytes(folder):.1f} MB, over {limit} MB; its largest files say why")


def main() -> None:
    """Pack or import."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    packing = commands.add_parser("pack")
    packing.add_argument("folder", type=Path)
    packing.add_argument("--node", type=Path, default=HERE / "node.txt", help="names of the packages that it has")
    packing.add_argument("--python", default="3.12", help="its Python")
    packing.add_argument("--also", nargs="*", default=[], help="packages to bring although it has them")
    packing.add_argument("--results", type=Path, help="a results folder whose scores it need not make again")
    importing = commands.add_parser("import")
    importing.add_argument("folders", type=Path, nargs="+", help="with the files that node.py has packed")
    importing.add_argument("results", type=Path, help="a results folder, or a new one")
    known = parser.parse_args()
    if known.command == "pack":
        pack(known.folder, known.node, known.python, known.also, known.results)
    else:
        take_in(known.folders, known.results)


if __name__ == "__main__":
    try:
        main()
    except (OSError, tarfile.TarError, PackageNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
