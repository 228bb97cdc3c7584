"""The code that a plugin is made of, by content: it is being edited, and nobody bumps its version.

A file's is its own and that of all it imports, directly or by way of one another, which is no library: modules and
whole packages beside it, most of all. An installed distribution's is whatever it lists, an editable one's all modules
of its source tree, but for its tests. All is read as it lies on the disk now. What a distribution merely requires is
not its own: if a class of it derives from one of another distribution, an edit there goes unnoticed. So does one of
data beside modules, unless an installed distribution lists them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ModuleSpec
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from benchmark.files import patiently
from benchmark.own_code import edits_of, imports, state

#: whose entries have versions that speak for them, and its packages
OURS = "mir-pretext"
PACKAGES = ("benchmark", "strategies", "tasks")
_CODE = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
_STANDARD_LIBRARY = Path(os.__file__).parent
#: what an installer writes beside the code: it differs from machine to machine
_BY_INSTALLERS = re.compile(r"\.pyc$|\.dist-info/|\.egg-info/|^(\.\./)+(bin|Scripts)/")

#: paths by name; names are the same wherever the plugin lies
Files = dict[str, Path]


def code_hash(entry: EntryPoint) -> str:
    """Hash of what an entry is and of the code behind it; empty for a module that no file is behind.

    Of ours it is that of what has been edited, so that it is empty as a rule.
    """
    if is_ours(entry):
        return _hash(entry, edits) if (edits := edits_of(entry.module)) else ""
    if spec_of(entry.module.partition(".")[0]) is None:
        return ""
    files = _imported_by(entry.module) if entry.dist is None else _files_of(entry.dist, entry.module)
    return _hash(entry, {name: _digest(path, *state(path)) for name, path in files.items()})


def is_ours(entry: EntryPoint) -> bool:
    """Whether it is declared by this very distribution."""
    return entry.dist is not None and re.sub(r"[-_.]+", "-", name_of(entry.dist)).lower() == OURS


@cache
def name_of(dist: Distribution) -> str:
    """What a distribution is called: a plan asks thousands of times, and each time Python would parse its metadata."""
    return dist.name


def _hash(entry: EntryPoint, digests: dict[str, str]) -> str:
    lines = sorted(f"{name} {digest}" for name, digest in digests.items())
    return hashlib.sha256("\n".join([entry.value, *lines]).encode()).hexdigest()


def spec_of(module: str) -> ModuleSpec | None:
    """Where Python finds a module; None if it does not, or it was made in memory."""
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


def _files_of(dist: Distribution, module: str) -> Files:
    """What a distribution is made of: its source tree, or what it lists, or else what its entry imports."""
    name, home = module.partition(".")[0], Path(str(dist.locate_file("")))
    source = _source_tree(dist, home)
    if source and (found := _tree(source)):
        return found
    listed = {file.as_posix(): Path(str(file.locate())) for file in dist.files or ()}
    found = {file: path for file, path in listed.items() if not _BY_INSTALLERS.search(file)}
    # elsewhere than its list: editable by a path or a finder of its own
    is_there = any(place.parent.resolve() == home.resolve() for place in _places(name))
    return found if is_there and found else _imported_by(name)


def _source_tree(dist: Distribution, home: Path) -> Path | None:
    """Where an editable distribution is edited: as its installer noted, or where its metadata lies in the tree."""
    told = json.loads(dist.read_text("direct_url.json") or "{}")
    if told.get("dir_info", {}).get("editable"):
        return Path(url2pathname(urlparse(told["url"]).path))
    in_tree = dist.read_text("SOURCES.txt") is not None and dist.read_text("installed-files.txt") is None
    return home if in_tree and not _is_library(home) else None


def _imported_by(module: str) -> Files:
    """A module's top-level module or package and, by way of one another, all that they import but libraries."""
    start = module.partition(".")[0]
    home = [place.parent for place in _places(start)]
    files, seen, waiting = Files(), set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name in PACKAGES:
            continue
        seen.add(name)
        own = [p for p in _places(name) if name == start or p.parent in home or not _is_library(p.parent)]
        found = {f"{name}/{inner}": path for place in own for inner, path in _tree(place).items()}
        files |= found
        named = (other for path in found.values() for other in imports(path, *state(path)))
        # what is within its own package needs no name
        waiting += {other.partition(".")[0] for other in named} - {""}
    return files


def _places(name: str) -> list[Path]:
    """The file of a top-level module, or the folders of a package."""
    spec = spec_of(name)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder) for folder in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin and spec.has_location else []


def _is_library(folder: Path) -> bool:
    """Whether modules there are Python's own, or somebody has installed them."""
    installed = not {"site-packages", "dist-packages"}.isdisjoint(folder.parts)
    return installed or folder.is_relative_to(_STANDARD_LIBRARY) or any(folder.glob("*.dist-info"))


def _tree(root: Path) -> Files:
    """All modules under a folder, by their paths in it; a file is its own, and a zip file that of all in it."""
    if not root.is_dir():
        return {root.name: next((path for path in (root, *root.parents) if path.is_file()), root)}
    return {path.relative_to(root).as_posix(): path for path in _walk(root) if path.name.endswith(_CODE)}


def _walk(root: Path) -> Iterator[Path]:
    """Files of a source tree, but for what is hidden, built, its tests, or an environment; each folder once."""
    seen = set[str]()
    for folder, inner, names in os.walk(root, followlinks=True):
        here = Path(folder)
        inner[:] = sorted(name for name in inner if _is_source(here / name, here == root))
        if (real := os.path.realpath(folder)) in seen:
            inner.clear()
            continue
        seen.add(real)
        yield from (here / name for name in names)


def _is_source(folder: Path, at_root: bool) -> bool:
    """Whether a folder of a source tree holds source."""
    hidden = folder.name.startswith(".") or folder.name == "__pycache__" or folder.name.endswith(".egg-info")
    # deeper, or as packages, they are names like others
    aside = at_root and folder.name in ("build", "dist", "tests") and not (folder / "__init__.py").exists()
    return not (hidden or aside or (folder / "pyvenv.cfg").exists())


@cache
def _digest(path: Path, modified: int, size: int) -> str:
    return patiently(_sha256, path) if size >= 0 else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
