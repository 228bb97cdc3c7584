"""Whether our own code is what its versions speak for: what is edited in a checkout has keys by content, as a plugin.

`own_code.json` holds the hash of each file of strategies, tasks, encoders and corpora, and of the rooms of the engine
that compute, as it was recorded. While they agree, an entry's `info.version` stands for its code, and `ENGINE`
(`benchmark/scheduler/planning/keys.py`) for the engine's. What is made of other files, or of a file that is not in it,
has a hash of its own, and so do its results: nobody who edits a loss reads what the one before it made.
"""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

from benchmark.files import patiently

ROOT = Path(__file__).parents[1]
LEDGER = Path(__file__).with_suffix(".json")
#: where entries and what they share lie
HOMES = ("strategies", "tasks", "benchmark/encoders", "benchmark/corpora")
#: and what computes with them
ROOMS = ("benchmark/audio", "benchmark/pretraining", "benchmark/probing")


@cache
def edits_of(module: str) -> dict[str, str]:
    """Files that a module of ours is made of and that are not as recorded, with the hash of what is in them.

    It is made of itself, and of all that it imports from the homes, directly or by way of one another. Files are looked
    at once, until `look_again`.
    """
    recorded, is_as_recorded = _recorded()
    if is_as_recorded and _file(module) in recorded:
        return {}
    files, waiting = dict[str, str](), [module]
    while waiting:
        found = _file(waiting.pop())
        if found and found not in files:
            path, here = ROOT / found, found.removesuffix(".py").replace("/", ".")
            files[found] = _hash(path, *state(path))
            waiting += [_absolute(name, here) for name in imports(path, *state(path))]
    return {name: files[name] for name in sorted(files) if files[name] != recorded.get(name)}


@cache
def edits_in(*rooms: str) -> dict[str, str]:
    """Files of some rooms that are not as recorded, likewise; one that is gone has no hash."""
    recorded, is_as_recorded = _recorded()
    now = hashes(*rooms) if rooms else {}
    if is_as_recorded and now.keys() <= recorded.keys():
        return {}
    old = {name: value for name, value in recorded.items() if name.startswith(tuple(f"{room}/" for room in rooms))}
    return {name: now.get(name, "") for name in sorted({*old, *now}) if old.get(name) != now.get(name)}


def look_again() -> None:
    """From now on, say what is in the files now."""
    edits_of.cache_clear()
    edits_in.cache_clear()
    _recorded.cache_clear()


@cache
def _recorded() -> tuple[dict[str, str], bool]:
    """The ledger, and whether all that it lists is so."""
    recorded: dict[str, str] = json.loads(patiently(Path.read_bytes, LEDGER))
    return recorded, all(_hash(ROOT / name, *state(ROOT / name)) == recorded[name] for name in recorded)


def hashes(*folders: str) -> dict[str, str]:
    """Of every file, or of those in some folders, by path; the same whichever way lines end."""
    paths = (path for folder in folders or (*HOMES, *ROOMS) for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): _hash(path, *state(path)) for path in sorted(paths)}


def _file(module: str) -> str:
    """Where a module lies, if it does in one of the homes."""
    stem = module.replace(".", "/")
    if not stem.startswith(HOMES):
        return ""
    return next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / name).is_file()), "")


def _absolute(name: str, here: str) -> str:
    """The name of what a module imports, of one that may begin with dots."""
    bare = name.lstrip(".")
    return ".".join([*here.split(".")[: len(bare) - len(name)], bare]) if bare != name else name


def state(path: Path) -> tuple[int, int]:
    """What tells whether a file has been edited; of one that is not there, the same for ever."""
    try:
        stat = path.stat()
    except OSError:
        return 0, -1
    return stat.st_mtime_ns, stat.st_size


@cache
def _hash(path: Path, modified: int, size: int) -> str:
    return "" if size < 0 else hashlib.sha256(patiently(Path.read_bytes, path).replace(b"\r\n", b"\n")).hexdigest()[:16]


@cache
def imports(path: Path, modified: int, size: int) -> frozenset[str]:
    """Modules that a file imports, wherever in it, and names from them as if they were some; relative ones dotted."""
    if path.suffix != ".py" or size < 0:
        return frozenset()
    try:
        tree = ast.parse(patiently(Path.read_bytes, path))
    except (SyntaxError, ValueError):  # who imports it will be told
        return frozenset()
    return frozenset(name for node in ast.walk(tree) for name in _named(node))


def _named(node: ast.AST) -> list[str]:
    """What a statement or a call imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        return [module, *(f"{module}{'.' if node.module else ''}{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return [str(node.args[0].value)] if called in ("import_module", "__import__") else []
    return []


if __name__ == "__main__":
    LEDGER.write_text(json.dumps(hashes(), indent=0) + "\n", encoding="utf-8", newline="\n")
