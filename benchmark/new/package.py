"""Writes a small package with one entry of its own, which runs as it is; its text is in `templates/`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import keyword
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.plugin_code import OURS

_RULE = "lowercase letters, digits and _, at most 64, with a letter first and no _ last"


@dataclass(frozen=True)
class Kind:
    """What can be begun.

    Attributes:
        what: it is, in a few words.
        entries: what it registers: axis, and what follows the given name and the class's; itself comes first.
        contract: where that is told.
        run: the options that put it beside others.
    """

    what: str
    entries: tuple[tuple[str, str, str], ...]
    contract: str
    run: str

    def command(self, name: str) -> str:
        """The command that puts it beside others, on the smallest grid."""
        return f"python -m benchmark run --grid smoke {self.run.format(name=name)}"


KINDS = {
    "strategy": Kind(
        "A pretext task",
        (("strategies", "", ""),),
        "benchmark.modules.Strategy",
        "--strategies {name},simclr,random,constant",
    ),
    "task": Kind("A downstream task", (("tasks", "", ""),), "benchmark.interfaces.Task", "--tasks {name}"),
    "encoder": Kind(
        "An encoder",
        (("encoders", "", ""),),
        "benchmark.modules.Encoder",
        "--set 'encoders=[{name}, cnn_small]' --strategies simclr,random,constant",
    ),
    "corpus": Kind(
        "A corpus, and a task on it,",
        (("corpora", "", ""), ("tasks", "_shape", "Shape")),
        "benchmark.interfaces.Corpus",
        "--set corpus={name} --tasks {name}_shape",
    ),
}


def write(kind: str, name: str, folder: Path) -> list[Path]:
    """Write the package, and return its files.

    Args:
        kind: one of `KINDS`.
        name: of the entry, and of its module.
        folder: where to; it may be there, but empty.

    Raises:
        UserError: the name or the folder will not do.
    """
    texts = _texts(kind, name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already, and is not an empty folder; say another one with --to")
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return [folder / path for path in texts]


def _texts(kind: str, name: str) -> dict[str, str]:
    """What the files hold, by their paths in the package."""
    parts, cls = KINDS[kind], "".join(part.capitalize() for part in name.split("_"))
    _check_spelling(name, cls, parts)
    _check_free(name, parts)
    templates = {
        "pyproject.toml": _template("pyproject.toml"),
        "README.md": _template("README.md"),
        f"src/{name}.py": _template(f"{kind}.py"),
        f"tests/test_{name}.py": _template(f"test_{kind}.py"),
    }
    _check_class(name, cls, templates.values())
    values = {
        "name": name,
        "cls": cls,
        "title": name.replace("_", " ").capitalize(),
        "distribution": _distribution(name),
        "version": importlib.metadata.version(OURS),
        "what": parts.what,
        "contract": parts.contract,
        "run": parts.command(name),
        "entry_points": "\n".join(
            f'[project.entry-points."benchmark.{axis}"]\n{name}{suffix} = "{name}:{cls}{end}"\n'
            for axis, suffix, end in parts.entries
        ),
    }
    return {path: template.substitute(values) for path, template in templates.items()}


def _template(name: str) -> Template:
    return Template((files("benchmark.new") / "templates" / f"{name}.txt").read_text(encoding="utf-8"))


def _distribution(name: str) -> str:
    return re.sub("_+", "-", name)


def _check_spelling(name: str, cls: str, kind: Kind) -> None:
    """It names a module, a distribution, a class and entries."""
    names = all(registry.is_name(name + suffix) for _, suffix, _ in kind.entries)
    legal = names and re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", name)
    if not legal or keyword.iskeyword(name) or keyword.iskeyword(cls):
        fit = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name), flags=re.ASCII).lower().strip("_")
        hint = f"; {fit!r} would do" if fit != name and re.fullmatch(r"[a-z][a-z0-9_]{2,50}", fit) else ""
        raise UserError(f"{name!r} cannot be the name of a module: {_RULE}, and no word of Python's{hint}")


def _check_free(name: str, kind: Kind) -> None:
    """Nobody has registered it, and no module or distribution is called so."""
    for axis, suffix, _ in kind.entries:
        registered: registry.Registry[object] = getattr(registry, axis)
        if name + suffix in registered.names():
            owner = registered.describe(name + suffix)["distribution"]
            raise UserError(f"{axis} {name + suffix!r} is taken, by {owner}; choose another name")
    if place := _hidden_by(name):
        raise UserError(f"a module {name!r} would hide {place}; choose another name")


def _hidden_by(name: str) -> str:
    """What Python would no longer find, or an installer would replace, if there were a module of this name."""
    if name in sys.stdlib_module_names:
        return "Python's own"
    spec = importlib.util.find_spec(name)
    if spec and spec.origin:
        return spec.origin
    # folders where the command was started are no packages of anybody's
    places = [place for place in (spec and spec.submodule_search_locations) or () if Path(place).parent != Path.cwd()]
    if places:
        return places[0]
    try:
        known = importlib.metadata.distribution(_distribution(name))
    except importlib.metadata.PackageNotFoundError:
        return ""
    return f"the installed distribution {known.name}"


def _check_class(name: str, cls: str, templates: Iterable[Template]) -> None:
    """Its class hides none that its module imports."""
    lines = [line for template in templates for line in template.template.splitlines()]
    imported = " ".join(line for line in lines if re.match(r" *(from|import) ", line))
    if re.search(rf"\b{cls}\b", imported):
        raise UserError(f"{name!r}: its class would be called {cls}, as one that it is made of is; choose another name")
