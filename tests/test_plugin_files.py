"""Plugin files whose names Python cannot import, or takes for others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from helpers.forked import quick

from benchmark import registry
from benchmark.interfaces import UserError

STRATEGY = """
from benchmark.interfaces import Info
from strategies.random import Random
class Mine(Random):
    info = Info("mine", "Mine", "nobody")
"""


def listed(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `benchmark` answers that is started in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmark", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("my-strategy.py", "my_strategy.py"), ("my strategy.v2.py", "my_strategy_v2.py"), ("2nd.py", "plugin_2nd.py")],
)
def test_a_name_that_cannot_be_imported_is_refused_with_a_better_one(name: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(STRATEGY)
    with pytest.raises(UserError, match=f"Python cannot import a module of this name; rename it to {hint}"):
        registry.load_plugins([tmp_path / name])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("class Mine\n", ", line 1: SyntaxError: expected ':'"),
        ("def half(x):\n    return x / 0\n\n\nhalf(1)\n", ", line 2: ZeroDivisionError: division by zero"),
        ("\nimport json\njson.loads('')\n", ", line 3: JSONDecodeError: Expecting value"),
        ("\nimport worse\n", ", line 2: SyntaxError: expected ':' (worse.py, line 1)"),
    ],
)
def test_an_error_in_a_plugin_is_named_with_its_path_and_line(text: str, says: str, tmp_path: Path) -> None:
    """The path as it was given, and the last line that was reached in that file."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/mine.py").write_text(text)
    (tmp_path / "p/worse.py").write_text("class Worse\n")
    done = quick("plan", "--plugin", "p/mine.py", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert f"--plugin p/mine.py{says}" in " ".join(done.stderr.split())


def test_a_name_that_another_module_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(STRATEGY)
    done = quick("plan", "--plugin", str(tmp_path / "json.py"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "Python has another module 'json'" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["tasks.py", "strategies.py", "tasks/__init__.py"])
def test_what_hides_our_packages_is_named(name: str, tmp_path: Path) -> None:
    culprit = tmp_path / name
    culprit.parent.mkdir(exist_ok=True)
    culprit.write_text("")
    here = listed("list", "tasks", cwd=tmp_path)
    (tmp_path / "mine.py").write_text(STRATEGY)
    beside = listed("plan", "--plugin", str(tmp_path / "mine.py"), "--out", str(tmp_path / "out"), cwd=ROOT)
    for done in (here, beside):
        assert done.returncode == 2
        assert f"{culprit}: hides the package '{name[:5].rstrip('/')}" in " ".join(done.stderr.split())
