"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import registry
from benchmark.interfaces import UserError

ROOT = Path(__file__).resolve().parents[1]


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "benchmark").rglob("*.py")), ids=lambda p: p.name)
def test_the_engine_imports_no_strategy_and_no_task(path: Path) -> None:
    assert not {name for name in _imports(path) if name.split(".")[0] in ("strategies", "tasks")}


@pytest.mark.parametrize("path", sorted((ROOT / "benchmark/leaderboard").glob("*.py")), ids=lambda p: p.name)
def test_the_leaderboard_stands_on_the_scores_table_alone(path: Path) -> None:
    allowed = ("benchmark.leaderboard", "benchmark.interfaces", "benchmark.files", "benchmark.registry")
    assert not {n for n in _imports(path) if n.startswith("benchmark") and not n.startswith(allowed)}


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


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'simclr'"):
        registry.strategies.get("simcl")


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
