"""What README and documentation show works: commands are parsed, code runs, examples are read."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
import typer
import yaml
from conftest import ROOT
from helpers.forked import quick
from typer.testing import CliRunner

from benchmark import registry
from benchmark.cli.main import app
from benchmark.scheduler import grid_files
from benchmark.scheduler.grid import Grid

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text()) if found == language]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each `python -m benchmark …` of the pages, with its arguments; of `a|b` the first, of `…` nothing."""
    for page in PAGES:
        for line in re.findall(r"python -m benchmark ([^`\n]*)", page.read_text()):
            words = shlex.split(re.sub(r"\s&& .*|\s+# .*|[.,;:]$|…$", "", line))
            yield f"{page.name}: {line}", [word if "://" in word else word.split("|")[0] for word in words]


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> click.Context:
    """What click would do with them, but for doing it."""
    context = command.make_context(command.name, list(words), parent=parent)
    if not isinstance(command, click.Group) or not context._protected_args:
        return context
    name, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    assert name
    assert inner
    return parse(inner, rest, context)


def test_there_are_commands_in_all_places() -> None:
    pages = {told.partition(":")[0] for told, _ in commands()}
    assert {"README.md", "tutorial.md", "plugins.md", "faq.md", "scaling.md", "CONTRIBUTING.md"} <= pages


@pytest.mark.parametrize(("told", "words"), [pytest.param(*found, id=found[0]) for found in commands()])
def test_a_command_is_one_and_names_what_there_is(told: str, words: list[str]) -> None:
    given = parse(typer.main.get_command(app), words).params
    assert given.get("grid", "smoke").partition(":")[0] in grid_files.names()
    for axis in ("strategies", "tasks"):
        known = {*getattr(registry, axis).names(), "my_idea", "music-genre", "music-mood", "hubert_base_ls960"}
        assert set(filter(None, (given.get(axis) or "").split(","))) <= known, told
    if given.get("changes"):
        grid_files.narrow(grid_files.load(given["grid"]), changes=given["changes"])


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "results").glob("*/README.md"))], ids=str)
def test_what_a_page_links_to_is_committed(page: Path) -> None:
    """There, and not left out by git: a table was published once that no clone had."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", FENCE.sub("", page.read_text()))
    paths = [(page.parent / link).resolve() for link in links]
    assert not [str(path) for path in paths if not path.exists()]
    if (ROOT / ".git").exists():
        ignored = ["git", "check-ignore", *map(str, paths)]
        assert not paths or not subprocess.run(ignored, capture_output=True, text=True, cwd=ROOT).stdout


def test_the_messages_that_are_explained_are_ours() -> None:
    """What is quoted in a heading stands in the code, but for names and numbers."""
    quoted = re.findall(r"^### `([^`]*)`", (ROOT / "docs/faq.md").read_text(), re.M)
    code = "\n".join(path.read_text() for path in sorted((ROOT / "benchmark").rglob("*.py")))
    parts = [part.strip(" :;,.") for text in quoted for part in re.split(r"…|'[^']*'|[()]|\bstrategies\b", text)]
    said = re.sub(r"\{[^{}]*\}", "…", re.sub(r'"\s*\n\s*f?"', "", code))
    assert len(quoted) >= 5
    assert not [part for part in parts if len(part) > 8 and part not in said]


@pytest.fixture(scope="module")
def place(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where what the pages name is there: an export by two names, a song, a folder of recordings."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("my_encoder", "DIR"):
        done = CliRunner().invoke(app, ["export", str(tiny_run), "simclr", "--to", str(folder / name)])
        assert done.exit_code == 0, done.output
    seconds = np.arange(4 * 22_050) / 22_050
    (folder / "recordings").mkdir()
    for path in ("song.wav", "song.mp3", "recordings/one.wav"):
        soundfile.write(folder / path, 0.2 * np.sin(2 * np.pi * 440 * seconds), 22_050)
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_code_runs_as_it_is_shown(page: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, object] = {"__name__": "shown"}
    monkeypatch.setitem(sys.modules, "shown", type(sys)("shown"))
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


def test_grids_and_tables_are_read(tmp_path: Path) -> None:
    shown = [block for page in PAGES for block in blocks(page, "yaml")]
    assert shown
    for block in shown:
        Grid.model_validate({**grid_files.load("smoke").model_dump(), **yaml.safe_load(block)})
    assert all(tomllib.loads(block) for page in PAGES for block in blocks(page, "toml"))
    (table,) = blocks(ROOT / "docs/tutorial.md", "csv")
    (tmp_path / "tracks.csv").write_text(table)
    rng = np.random.default_rng(0)
    for name in ("one.wav", "two.flac", "three.mp3", "four.wav", "five.wav", "six.wav", "seven.wav"):
        soundfile.write(tmp_path / name, 0.1 * rng.normal(size=8 * 22_050), 22_050)
    done = quick("data", "describe", str(tmp_path / "tracks.csv"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(label in done.stdout for label in ("genre", "bpm", "mood"))


def test_every_entry_stands_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import tables  # type: ignore[import-not-found]

    pages = "\n".join(tables.on_page_markdown(page.read_text()) for page in sorted((ROOT / "docs").glob("*.md")))
    for axis in ("strategies", "tasks", "corpora"):
        assert not [name for name in getattr(registry, axis).names() if not re.search(rf"(\| |<br>)`{name}` \|", pages)]
    assert "<!-- table" not in pages
