"""One registry per axis, filled from entry points: the one way in, for built-ins and plugins alike."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import json
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from benchmark.interfaces import Corpus, Executor, Info, Task, UserError, one_line
from benchmark.own_code import edits_of
from benchmark.plugin_code import PACKAGES, code_hash, is_ours, name_of, spec_of

T = TypeVar("T")

_PLUGINS = "MIR_PRETEXT_PLUGINS"
#: below a folder: all sound that lies there
EVERYTHING = "*"
#: loaders that are found by something else than the suffix of a file
_NO_SUFFIXES = {"folder", "sound", "hf"}

#: of which a `--plugin` file may have some
FILED = ("strategies", "tasks", "encoders", "corpora", "claims")
#: what 'list' lists
LISTED = ("strategies", "tasks", "encoders", "corpora", "executors", "claims", "grids")
#: so many names an answer can hold
_FEW = 8
_RULE = "a name is 1 to 64 letters, digits, _ and -"
_CLASS = re.compile(r"[\w.]+\s*:\s*[\w.]+\s*(\[.*\])?")


class Registry(Generic[T]):
    """The entries of one axis, by name.

    Args:
        axis: `strategies`, `encoders`, `tasks`, `corpora`, `claims` or `executors`; entry points of group
            `benchmark.<axis>`.
    """

    def __init__(self, axis: str) -> None:
        self.axis = axis

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for entry in sorted(entry_points(group=f"benchmark.{self.axis}"), key=lambda e: (e.name, e.value)):
            if not is_name(entry.name):
                raise UserError(f"{_origin(entry)} declares {self.axis} {entry.name!r}: {_RULE}")
            if not _CLASS.fullmatch(entry.value):
                raise UserError(
                    f"{_origin(entry)} declares {self.axis} {entry.name!r} as {entry.value!r}; write module:Class"
                )
            known = found.get(entry.name)
            # also where both say the same: two modules of one name, of which Python finds only one
            if known is not None and (known.value, _origin(known)) != (entry.value, _origin(entry)):
                raise UserError(
                    f"{self.axis} {entry.name!r} is declared twice: {known.value} by {_origin(known)} and "
                    f"{entry.value} by {_origin(entry)}; uninstall or rename one"
                )
            found[entry.name] = entry
        return found

    def add(self, name: str, value: str) -> None:
        """Register `name` beside the entry points (plugin files only)."""
        if not is_name(name):
            raise UserError(f"{value} calls itself {name!r}: {_RULE}")
        if other := self.taken(name, value):
            raise UserError(f"{self.axis} {name!r} is taken by {other}; rename the one in {value}")
        self._entries.setdefault(name, EntryPoint(name, value, f"benchmark.{self.axis}"))

    def taken(self, name: str, value: str) -> str:
        """The other class that has a name; empty if there is none."""
        entry = self._entries.get(name)
        return entry.value if entry and entry.value != value else ""

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._entries)

    def get(self, name: str) -> type[T]:
        """Import and return the class called `name`.

        Raises:
            UserError: no such name (the nearest one is suggested), its import failed, or it is something else than it
                is declared as (the distribution is named).
        """
        entry = self._entry(name)
        what = f"{self.axis} {name!r} ({entry.value}, from {_origin(entry)})"
        try:
            loaded: type[T] = entry.load()
        except (Exception, SystemExit) as error:
            raise UserError(f"{what} cannot be loaded: {one_line(error)}") from error
        if not isinstance(loaded, type):
            raise UserError(f"{what} is no class, but {loaded!r}")
        if lacking := getattr(loaded, "__abstractmethods__", None):
            raise UserError(f"{what} does not define {', '.join(sorted(lacking))}")
        called = getattr(getattr(loaded, "info", None), "name", name)  # executors have no info
        if called != name:
            raise UserError(f"{what} calls itself {called!r}; its info and its entry point are to say the same name")
        return loaded

    def source_hash(self, name: str) -> str:
        """Hash of the code that an entry is made of; empty for ours as recorded, whose version speaks for them.

        Empty for a table's, too: what it says is in its corpus's fingerprint.
        """
        return code_hash(self._entry(name))

    def edits(self, name: str) -> dict[str, str]:
        """Files that an entry of ours is made of and that are not as recorded; none for a plugin's."""
        return edits_of(entry.module) if is_ours(entry := self._entry(name)) else {}

    def describe(self, name: str) -> dict[str, str]:
        """Name, first docstring line and origin, read from the source: nothing is imported, so it takes no time."""
        entry = self._entry(name)
        return {
            "name": name,
            "summary": _summary(entry),
            "entry_point": entry.value,
            "distribution": _origin(entry),
        }

    def literal(self, name: str, attribute: str) -> str:
        """The text that a class body gives an attribute, read from the source as well; empty if it gives none."""
        entry = self._entry(name)
        tree = _tree(entry)
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == entry.attr]
        for node in (node for body in bodies for node in body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant) and attribute in [getattr(t, "id", "") for t in targets]:
                return str(value.value)
        return ""

    def _entry(self, name: str) -> EntryPoint:
        if name not in self._entries:
            raise unknown(self.axis, name, self.names())
        return self._entries[name]


def is_name(text: str) -> bool:
    """Whether a text can be a name, in any script: names reach paths (of 255 bytes at most), pages and addresses."""
    kinds = [unicodedata.category(c)[0] for c in text]
    legal = all(kind in "LMN" or c in "_-" for kind, c in zip(kinds, text, strict=True))
    short = 0 < len(text) <= 64 and len(text.encode(errors="replace")) <= 200
    return legal and short and kinds[0] in "LN" and unicodedata.is_normalized("NFC", text)


def unknown(axis: str, name: str, names: list[str]) -> UserError:
    """The error for a name that nobody registered: the nearest one, and all if they are few."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hints = [f"did you mean {near[0]!r}?"] if near else []
    hints += [f"known: {', '.join(names)}"] if not near or len(names) <= _FEW else []
    listed = f" ('python -m benchmark list {axis}')" if axis in LISTED else ""
    of_file = "; --plugin FILE brings a file's" if axis in FILED else ""
    return UserError(f"unknown name {name!r} among the {axis}; {' '.join(hints)}{listed}{of_file}")


def said(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One of the errors that pydantic found in options of `model`, in words: of an unknown one, which there are."""
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    for step in error["loc"][:-1]:
        inner = model.model_fields[step].annotation if step in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return str(error["msg"])
        model = inner
    return str(unknown("options", str(error["loc"][-1]), sorted(model.model_fields)))


def load_plugins(paths: list[Path]) -> None:
    """Register what single files define: `--plugin FILE`, for a first trial before packaging.

    Of a Python file, each class of its own with an `info` becomes an entry of its axis, under `info.name`. Files with
    another suffix (a table of audio files, `.csv`) are read by the loader of that suffix, an entry point of group
    `benchmark.loaders` that turns a path into such classes; folders, by the one that is called `folder`; `FOLDER/*`,
    all sound below one, by `sound`; and `LOADER:TEXT` by the one of that name, which is given the text (`hf:NAME`).

    Raises:
        UserError: no such file, it cannot be imported or read, or it defines nothing.
    """
    given: dict[str, Path] = {}
    for path in paths:
        if _loader(str(path)):
            _hand_down(str(path))
            continue
        if not (path.parent if path.name == EVERYTHING else path).exists():
            raise UserError(f"--plugin {path}: no such file")
        plugin = str(path.absolute())
        if path.suffix == ".py":
            if not path.stem.isidentifier():
                fit = re.sub(r"\W", "_", path.stem)
                fit = fit if fit.isidentifier() else f"plugin_{fit}"
                raise UserError(f"--plugin {path}: Python cannot import a module of this name; rename it to {fit}.py")
            folder, plugin = str(path.parent.absolute()), path.stem
            given[plugin] = path
            if os.pathsep in folder:
                raise UserError(f"--plugin {path}: a path with {os.pathsep!r} cannot be handed to workers; rename it")
            sys.path.insert(0, folder)  # workers import the same module by name, through PYTHONPATH
            os.environ["PYTHONPATH"] = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
        _hand_down(plugin)
    check_shadows()
    _register_plugins(given)


def _loader(plugin: str) -> str:
    """Whom `LOADER:TEXT` is for; empty if it is a path, as what exists under that name is."""
    name, colon, _ = plugin.partition(":")
    known = {entry.name for entry in entry_points(group="benchmark.loaders")}
    return name if colon and name in known and not Path(plugin).exists() else ""


def _hand_down(plugin: str) -> None:
    """Note a plugin where workers find it."""
    os.environ[_PLUGINS] = json.dumps([*_handed_down(), plugin])


def _handed_down() -> list[str]:
    return [str(plugin) for plugin in json.loads(os.environ.get(_PLUGINS) or "[]")]


def check_shadows() -> None:
    """Make sure that our packages are those that Python finds: it looks first where it was started, or at a plugin's.

    Raises:
        UserError: a module or folder of one of their names is found first.
    """
    ours = Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        found = PathFinder.find_spec(name)  # by what is on the path, whatever has been imported by now
        if found and found.origin and not Path(found.origin).resolve().is_relative_to(ours / name):
            raise UserError(
                f"{found.origin}: hides the package {name!r} of Pretext from Python; rename it, or move it away from "
                f"{Path(found.origin).parent}"
            )


def _register_plugins(given: Mapping[str, Path] = MappingProxyType({})) -> None:
    """Register all that is handed down; `given` has the paths of modules as the user wrote them."""
    for plugin in _handed_down():
        file = given.get(plugin, Path(plugin))
        found = _classes_of(plugin, file)
        if not found:
            raise UserError(f"--plugin {file} defines nothing (a class with `info` of its own)")
        for cls in found:
            if not isinstance(cls.info, Info):
                raise UserError(f"--plugin {file}: `info` of {cls.__name__} is {cls.info!r}; it must be of type Info")
            axis, name, value = _axis_of(cls), cls.info.name, f"{cls.__module__}:{cls.__name__}"
            other = axis.taken(name, value)
            if other and axis is corpora and cls.__module__ != plugin:
                called = f"its corpus is called like its folder, {name!r}, and so is {other}"
                raise UserError(f"--plugin {file}: {called}: rename the folder")
            axis.add(name, value)


def _axis_of(cls: type) -> Registry[Any]:
    for axis, base in ((tasks, Task), (corpora, Corpus)):
        if issubclass(cls, base):
            return axis
    # by their names: to import these needs torch
    above = {base.__name__ for base in cls.__mro__ if base.__module__ == "benchmark.modules"}
    if above:
        return encoders if "Encoder" in above else strategies
    return claims if hasattr(cls, "statement") else encoders if hasattr(cls, "body") else strategies


def _classes_of(plugin: str, file: Path) -> list[Any]:
    path = Path(plugin)
    named = _loader(plugin)
    kind = named or ("sound" if path.name == EVERYTHING else "folder" if path.is_dir() else path.suffix[1:])
    try:
        if not (named or path.is_absolute()):
            loaded = importlib.import_module(plugin)
            _check_origin(plugin, loaded)
            own = [c for c in vars(loaded).values() if isinstance(c, type) and c.__module__ == plugin]
            return [c for c in own if "info" in vars(c)]
        loaders = {entry.name: entry for entry in entry_points(group="benchmark.loaders")}
        if kind not in loaders:
            known = ", .".join(sorted(set(loaders) - _NO_SUFFIXES))
            raise UserError(f"--plugin {plugin}: nobody reads {path.suffix}; known: .py, .{known}, and folders")
        classes: list[Any] = loaders[kind].load()(plugin if named else path.parent if kind == "sound" else path)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"--plugin {_where(error, file)}") from error
    # a module that holds them, so that their entries are found by name like all others
    module = ModuleType("plugin_" + hashlib.sha256(plugin.encode()).hexdigest()[:16])
    for cls in classes:
        cls.__module__ = module.__name__
        setattr(module, cls.__name__, cls)
    sys.modules[module.__name__] = module
    return classes


def _where(error: BaseException, file: Path) -> str:
    """A plugin's path, the line that was reached in it, if any, and what is wrong there."""
    path = str(file.absolute())
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{file}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{file}, line {lines[-1]}: {one_line(error)}" if lines else f"{file} cannot be loaded: {one_line(error)}"


def _check_origin(plugin: str, loaded: ModuleType) -> None:
    """Make sure that the module is the plugin's file, not another one of its name, imported before."""
    files = [Path(folder) / f"{plugin}.py" for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    origin = getattr(loaded, "__file__", None)
    if not any(origin and file.is_file() and file.samefile(origin) for file in files):
        raise UserError(
            f"--plugin {plugin}.py: Python has another module {plugin!r} ({origin or 'its own'}); rename it"
        )


def _origin(entry: EntryPoint) -> str:
    return name_of(entry.dist) if entry.dist is not None else "an unknown distribution"


def _summary(entry: EntryPoint) -> str:
    if entry.module.startswith("plugin_"):
        return (entry.load().__doc__ or "").partition("\n")[0]
    tree = _tree(entry)
    if not tree.body:
        return f"(not importable, from {_origin(entry)})"
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _tree(entry: EntryPoint) -> ast.Module:
    """The source of an entry's module; empty if there is none that can be read, as of one made of a table.

    Who uses the entry is told what is wrong: a listing goes on.
    """
    try:
        spec = spec_of(entry.module)
        return ast.parse(Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else "")
    except Exception:  # of a package, its __init__ is run
        return ast.Module([], [])


#: strategies and encoders subclass torch modules, claims read tables: their classes are named in their own packages
strategies: Registry[Any] = Registry("strategies")
encoders: Registry[Any] = Registry("encoders")
claims: Registry[Any] = Registry("claims")
tasks: Registry[Task] = Registry("tasks")
corpora: Registry[Corpus] = Registry("corpora")
executors: Registry[Executor] = Registry("executors")

#: workers inherit the plugin files of the driver
if os.environ.get(_PLUGINS):
    _register_plugins()
