"""What others install: duplicates are refused naming both, and what is broken is named with distribution and cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.packages import distribution
from typer.testing import CliRunner

from benchmark import registry
from benchmark.cli.main import app
from benchmark.interfaces import UserError
from benchmark.registry import Registry

STRATEGY = """\"\"\"A strategy of somebody's.\"\"\"
from benchmark.interfaces import Info

class Mine:
    info = Info("mine", "Mine", "nobody")
"""

Install = Callable[..., Registry[object]]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a distribution with one strategy; the registry is then read anew."""

    def one(name: str, entry: str, value: str, **modules: str) -> Registry[object]:
        monkeypatch.syspath_prepend(distribution(tmp_path / name, name, {"strategies": {entry: value}}, **modules))
        monkeypatch.setattr(registry, "strategies", Registry("strategies"))
        return registry.strategies

    return one


@pytest.mark.parametrize("value", ["other:Theirs", "one:Mine"])
def test_one_name_in_two_distributions_is_refused_naming_both(value: str, install: Install) -> None:
    """Also where both say the same module, of which Python would find either."""
    install("dist-one", "mine", "one:Mine", one=STRATEGY)
    with pytest.raises(UserError, match=f"'mine' is declared twice: .*{value} by dist-two") as refused:
        install("dist-two", "mine", value).names()
    assert "one:Mine by dist-one" in str(refused.value)
    assert "uninstall or rename one" in str(refused.value)


def test_a_name_of_ours_is_refused_naming_us(install: Install) -> None:
    with pytest.raises(UserError, match="strategies 'simclr' is declared twice") as refused:
        install("dist-one", "simclr", "one:Mine").get("byol")
    for told in ("one:Mine by dist-one", "strategies.simclr:SimCLR by mir-pretext"):
        assert told in str(refused.value)


@pytest.mark.parametrize(
    ("value", "module", "cause"),
    [
        ("made_a:Mine", "def broken(:", r"SyntaxError: .*\(made_a.py, line 1\)"),
        ("made_b:Mine", "import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("made_c:Mine", "1 / 0", "ZeroDivisionError: division by zero"),
        ("made_d:Mine", "raise SystemExit(3)", "SystemExit: 3"),
        ("made_e:Other", STRATEGY, "AttributeError: .*'Other'"),
        ("made_f_not_there:Mine", "", "ModuleNotFoundError: No module named 'made_f_not_there'"),
        ("made_g:Mine", "Mine = 3", "is no class, but 3"),
        ("made_h:Mine", STRATEGY.replace('"mine"', '"other"'), "calls itself 'other'; its info and its entry point"),
    ],
)
def test_what_is_broken_is_named_with_distribution_and_cause(
    value: str, module: str, cause: str, install: Install
) -> None:
    """Who asks for it is told; who lists, or asks for others, goes on."""
    found = install("a-broken-one", "mine", value, **{value.partition(":")[0].removesuffix("_not_there"): module})
    with pytest.raises(UserError, match=rf"strategies 'mine' \({value}, from a-broken-one\).*{cause}"):
        found.get("mine")
    assert found.get("random")
    listed = CliRunner().invoke(app, ["list", "strategies"])
    assert listed.exit_code == 0, listed.output
    row = next(line for line in listed.output.splitlines() if line.startswith("mine "))
    readable = module and "def broken" not in module
    assert row.endswith("(not importable, from a-broken-one)") != bool(readable)


def test_an_entry_that_names_no_class_is_refused(install: Install) -> None:
    with pytest.raises(UserError, match="a-broken-one declares strategies 'mine' as 'made_i'; write module:Class"):
        install("a-broken-one", "mine", "made_i").names()


def test_a_task_that_cannot_be_loaded_is_listed_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = {"made_t": "import nothing_of_this_name"}
    monkeypatch.syspath_prepend(
        distribution(tmp_path / "a-broken-task", "a-broken-task", {"tasks": {"mine": "made_t:Mine"}}, **module)
    )
    monkeypatch.setattr(registry, "tasks", Registry("tasks"))
    listed = CliRunner().invoke(app, ["list", "tasks"])
    assert listed.exit_code == 0
    (row,) = [line for line in listed.output.splitlines() if line.startswith("mine ")]
    assert "[broken: tasks 'mine' (made_t:Mine, from a-broken-task) cannot be loaded" in row
    assert "[rendered_scores, " in listed.output


def test_a_package_that_fails_when_it_is_imported_is_listed(tmp_path: Path, install: Install) -> None:
    """To find a module of a package, Python runs the package's own."""
    found = install("a-broken-one", "mine", "made_j.inner:Mine")
    (tmp_path / "a-broken-one/made_j").mkdir()
    (tmp_path / "a-broken-one/made_j/__init__.py").write_text("1 / 0")
    (tmp_path / "a-broken-one/made_j/inner.py").write_text(STRATEGY)
    assert found.describe("mine")["summary"] == "(not importable, from a-broken-one)"
    assert found.literal("mine", "family") == ""
