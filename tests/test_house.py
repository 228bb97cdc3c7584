"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import graphlib
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark import own_code, registry
from benchmark.cli.main import app
from benchmark.interfaces import UserError

ROOT = Path(__file__).resolve().parents[1]


ENGINE = sorted((ROOT / "benchmark").rglob("*.py"))
#: rooms from the ground up: each imports from lower floors alone. The leaderboard stands on the scores table alone.
FLOORS = [
    {"interfaces", "modules", "registry", "plugin_code", "own_code", "files", "source"},
    {"audio", "store", "testing", "leaderboard", "new"},
    {"encoders", "corpora"},
    {"pretraining"},
    {"probing"},
    {"scheduler"},
    {"bookkeeping"},
    {"drive"},
    {"tuning", "recommend"},
    {"pretrained"},
    {"hear"},
    {"cli"},
]
#: and within the leaderboard
WINGS = [{"record"}, {"statistics"}, {"claims", "drawing"}, {"page"}]


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    _name(path): path for folder in ("benchmark", "strategies", "tasks") for path in (ROOT / folder).rglob("*.py")
}


def _imports(path: Path) -> set[str]:
    """What a file imports, wherever in it: modules of ours, and the names of others."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES or node.module not in MODULES else node.module for name in full}
    return found


def _upward(path: Path, floors: list[set[str]], depth: int) -> list[str]:
    """Imports of a file that come neither from a lower floor nor from its own room, which `depth` names lead to."""
    floor = {room: i for i, rooms in enumerate(floors) for room in rooms}
    own = _name(path).split(".")
    others = [name for name in _imports(path) if name.split(".")[:depth] == own[:depth] and name.count(".") >= depth]
    rooms = {name: name.split(".")[depth] for name in others}
    # the ground is one room
    return [name for name, room in rooms.items() if room != own[depth] and 0 < floor[room] >= floor[own[depth]]]


def test_the_recorded_code_is_the_code() -> None:
    """Bump `info.version` of those whose results an edit changes; then `python -m benchmark.own_code` records it."""
    assert json.loads(own_code.LEDGER.read_text()) == own_code.hashes(), "python -m benchmark.own_code"


@pytest.mark.parametrize("path", ENGINE, ids=_name)
def test_the_engine_imports_no_strategy_and_no_task(path: Path) -> None:
    assert not {name for name in _imports(path) if name.split(".")[0] in ("strategies", "tasks")}


def test_arrows_run_down() -> None:
    rooms = [path for path in ENGINE if path.parent != ROOT / "benchmark" or not path.name.startswith("__")]
    assert {name for path in rooms for name in _upward(path, FLOORS, 1)} == set()
    wings = [path for path in (ROOT / "benchmark/leaderboard").rglob("*.py") if path.name != "__init__.py"]
    assert {name for path in wings for name in _upward(path, WINGS, 2)} == set()


def test_no_import_circle() -> None:
    """Imports within functions count: a circle that bites later is one."""
    graph = {name: {found for found in _imports(path) if found in MODULES} - {name} for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 500
    graphlib.TopologicalSorter(graph).prepare()


def test_every_room_is_small_and_says_what_lives_there() -> None:
    rooms = {path.parent for path in ENGINE}
    full = {str(room): n for room in rooms if (n := sum(path.is_file() for path in room.iterdir())) > 14}
    assert not full
    for room in rooms:
        purpose = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
        assert len(purpose) > 10, room


@pytest.mark.parametrize("args", [["--help"], ["list", "strategies"], ["list", "tasks"], ["list", "grids"]])
def test_help_and_list_import_no_torch(args: list[str]) -> None:
    code = (
        "import sys, benchmark.cli.main as cli\n"
        f"sys.argv = ['benchmark', *{args!r}]\n"
        "try:\n    cli.main()\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
        "assert not {'torch', 'pandas', 'lightning', 'mlflow', 'music21'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


def test_every_entry_loads_and_says_who_it_is() -> None:
    for axis in (registry.strategies, registry.encoders, registry.tasks, registry.corpora):
        for name in axis.names():
            info = axis.get(name).info
            assert info.name == name
            assert info.title
            assert info.citation
            assert len(axis.describe(name)["summary"]) > 10


def test_list_tells_from_the_source_what_classes_say() -> None:
    """`list strategies` imports none of them."""
    said = {name: registry.strategies.get(name).without_tokens for name in registry.strategies.names()}
    assert {name: registry.strategies.literal(name, "without_tokens") for name in said} == said
    assert {name for name, other in said.items() if other == "CNN masking"} == {"mae", "m2d", "masked_contrastive"}
    shown = CliRunner().invoke(app, ["list", "strategies"]).output.splitlines()
    assert {line.split()[0] for line in shown if line.endswith("[without tokens: CNN masking]")} == {
        name for name, other in said.items() if other
    }


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'simclr'"):
        registry.strategies.get("simcl")


def test_commands_print_by_say() -> None:
    """It shows control characters in somebody's names; JSON escapes them itself."""
    lines = [
        (path.name, line.strip())
        for path in (ROOT / "benchmark" / "cli").rglob("*.py")
        for line in path.read_text().splitlines()
        if "echo(" in line or re.search(r"\bprint\(f?[\"']", line)
    ]
    assert len(lines) > 2
    assert not [line for line in lines if "json.dumps" not in line[1] and "visible(" not in line[1]]


def test_every_file_says_first_what_it_is_for() -> None:
    files = [p for folder in ("benchmark", "strategies", "tasks", "tests") for p in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    assert not [p.name for p in files if not ast.get_docstring(ast.parse(p.read_text()))]


def test_no_file_is_too_long() -> None:
    long = {
        p.name: n
        for d in ("benchmark", "strategies", "tasks")
        for p in (ROOT / d).rglob("*.py")
        if (n := len(p.read_text().splitlines())) > 400
    }
    assert not long


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and leaves the second one out."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]
