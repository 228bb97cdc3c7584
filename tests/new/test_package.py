"""What `new` writes is whole and clean; names and folders that will not do are refused, with the reason."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from helpers.packages import distribution
from typer.testing import CliRunner

from benchmark import registry
from benchmark.cli.main import app
from benchmark.cli.new import Kinds
from benchmark.interfaces import UserError
from benchmark.new import package
from benchmark.registry import Registry


def test_the_command_offers_what_there_is_and_says_how_to_go_on(tmp_path: Path) -> None:
    assert list(Kinds) == list(package.KINDS)
    folder = tmp_path / "a folder"
    done = CliRunner().invoke(app, ["new", "task", "my_idea", "--to", str(folder)])
    assert done.exit_code == 0, done.output
    assert f"  pip install -e '{folder}[test]'\n  pytest '{folder}'\n" in done.output
    assert done.output.endswith("  python -m benchmark run --grid smoke --tasks my_idea\n")
    assert all(line in done.output for line in map(str, folder.rglob("*.*")))


@pytest.mark.parametrize("name", ["my_idea", "a", "an_idea_of_twenty_seven_let"])
@pytest.mark.parametrize("kind", package.KINDS)
def test_a_package_is_whole_and_clean(kind: str, name: str, tmp_path: Path) -> None:
    """By the rules that its own `pyproject.toml` says, and some of ours."""
    files = package.write(kind, name, tmp_path / "empty")
    texts = {path.relative_to(tmp_path / "empty").as_posix(): path.read_text() for path in files}
    assert set(texts) == {"pyproject.toml", "README.md", f"src/{name}.py", f"tests/test_{name}.py"}
    assert not [path for path, text in texts.items() if "$" in text]
    assert len(texts["README.md"].splitlines()) <= 16
    assert len(texts[f"src/{name}.py"].splitlines()) <= 75
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    assert project["dependencies"] == [f"mir-pretext>={version('mir-pretext')}"]
    values = [value for entries in project["entry-points"].values() for value in entries.values()]
    classes = {node.name for node in ast.parse(texts[f"src/{name}.py"]).body if isinstance(node, ast.ClassDef)}
    assert {value.partition(":")[2] for value in values} <= classes
    ruff = [sys.executable, "-m", "ruff"]
    for rules in (
        ["check", "--extend-select", "N,RUF,SIM,PT,C4,RET", "--ignore", "N812,RUF012"],
        ["format", "--check"],
    ):
        done = subprocess.run(
            [*ruff, *rules, "--no-cache", "."], cwd=tmp_path / "empty", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.long
def test_types_are_told_and_right(tmp_path: Path) -> None:
    modules = [str(package.write(kind, f"my_{kind}", tmp_path / kind)[2]) for kind in package.KINDS]
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--ignore-missing-imports",
        "--cache-dir",
        str(tmp_path / "cache"),
    ]
    done = subprocess.run([*mypy, *modules], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("strategy", "my-idea", "'my-idea' cannot be the name of a module.*; 'my_idea' would do"),
        ("strategy", "MyIdea", "'my_idea' would do"),
        ("strategy", "2nd", "with a letter first"),
        ("strategy", "idée", "lowercase letters"),
        ("strategy", "_mine", "'mine' would do"),
        ("strategy", "", "cannot be"),
        ("strategy", "../mine", "'mine' would do"),
        ("strategy", "class", "no word of Python's"),
        ("strategy", "none", "no word of Python's"),
        ("strategy", "a" * 65, "at most 64"),
        ("corpus", "a" * 60, "at most 64"),
        ("strategy", "simclr", "strategies 'simclr' is taken, by mir-pretext"),
        ("task", "key", "tasks 'key' is taken, by mir-pretext"),
        ("corpus", "gtzan", "corpora 'gtzan' is taken, by mir-pretext"),
        ("strategy", "json", "a module 'json' would hide Python's own"),
        ("strategy", "numpy", r"a module 'numpy' would hide .*numpy.__init__\.py"),
        ("task", "tasks", r"a module 'tasks' would hide .*tasks"),
        ("strategy", "scikit_learn", "would hide the installed distribution scikit-learn"),
        ("encoder", "encoder", "its class would be called Encoder, as one that it is made of is"),
        ("strategy", "crops", "its class would be called Crops"),
    ],
)
def test_a_name_that_will_not_do_is_refused(kind: str, name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        package.write(kind, name, tmp_path / "there")
    assert not list(tmp_path.iterdir())


def test_a_plugins_name_is_taken_too_also_for_what_comes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path / "site", "somebody-else", {"tasks": {"bells_shape": "theirs:Bells"}})
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(registry, "tasks", Registry("tasks"))
    with pytest.raises(UserError, match="tasks 'bells_shape' is taken, by somebody-else"):
        package.write("corpus", "bells", tmp_path / "bells")
    assert package.write("strategy", "bells", tmp_path / "bells")


def test_only_a_new_or_empty_folder_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("my_idea").mkdir()
    assert package.write("strategy", "my_idea", Path("my_idea")), "an empty one of its name hides nothing"
    for there in (Path("my_idea"), Path("my_idea/README.md")):
        before = there.stat().st_mtime_ns
        with pytest.raises(UserError, match=f"{there} is there already, and is not an empty folder.*--to"):
            package.write("strategy", "my_idea", there)
        assert there.stat().st_mtime_ns == before
