"""`data list` counts what is there; `data check` says what became of the rest, and whether parts are as documented."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from trees.chords import write_beatles
from trees.files import tone, written
from typer.testing import CliRunner, Result

from benchmark import registry
from benchmark.cli import main as cli
from benchmark.corpora.datasets.completeness import doubts, formats, lost
from benchmark.corpora.datasets.dataset import DATA_HOME, DataSet, _tracks, drawn
from benchmark.corpora.datasets.layout import Files
from benchmark.interfaces import Info, UserError


class Drawn(DataSet):
    """Sounds in folders, a group each."""

    info = Info("drawn", "Drawn", "nobody")
    folder, get, disk, licence = "drawn", "Look for it", "a few bytes", "none"
    shares: ClassVar[dict[str, float]] = {"test": 0.2, "val": 0.1}
    parts: ClassVar[dict[str, str]] = {}

    def index(self, home: Path) -> pd.DataFrame:
        """Every sound."""
        table = pd.DataFrame({"path": Files(home).all("*/*.wav")})
        table["group"] = table["path"].str.split("/").str[0]
        return table.assign(id=table["path"], split=table["group"].map(self.parts))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    _tracks.cache_clear()
    return tmp_path


def _said(home: Path, *args: str) -> Result:
    _tracks.cache_clear()
    return CliRunner().invoke(cli.app, ["data", *args, "--data-home", str(home)])


def test_parts_are_filled_by_tracks_though_groups_are_few_and_unequal() -> None:
    sizes = [20, 19, 19, 19, 18, 17, 16, 15, 12, *[7] * 20, *[1] * 24]
    groups = pd.Series([f"album {i}" for i, size in enumerate(sizes) for _ in range(size)])
    for salt in range(50):
        parts = drawn(groups, {"test": 0.2, "val": 0.1}, str(salt))
        assert (parts.groupby(groups).nunique() == 1).all()
        shares = parts.value_counts(normalize=True)
        # half the largest group, at most, is missing or too much
        assert shares["test"] == pytest.approx(0.2, abs=10 / len(groups))
        assert shares["val"] == pytest.approx(0.1, abs=10 / len(groups))


def test_a_part_is_drawn_by_names_alone() -> None:
    groups = pd.Series([f"{i % 40}" for i in range(400)])
    parts, shuffled = drawn(groups, {"val": 0.3}, "x"), groups.sample(frac=1, random_state=0)
    assert drawn(shuffled, {"val": 0.3}, "x").sort_index().equals(parts)
    assert not drawn(groups, {"val": 0.3}, "y").equals(parts)
    assert set(parts) == {"train", "val"}
    assert drawn(pd.Series(["alone"]), {"val": 0.3}, "x").tolist() == ["train"]


def test_shares_that_are_not_the_documented_ones_are_said(home: Path) -> None:
    for group, count in (("a", 60), ("b", 17), ("c", 2), ("d", 8)):
        for i in range(count):
            written(home / f"drawn/{group}/{i}.wav")
    Drawn.parts = {"a": "train", "b": "test", "c": "val", "d": "val"}
    assert doubts(Drawn()) == []
    Drawn.parts = {"a": "train", "b": "test", "c": "val", "d": "train"}
    _tracks.cache_clear()
    assert doubts(Drawn()) == ["val is 2.3% of 87 tracks instead of 10%"]


def test_what_is_lost_is_looked_for(home: Path) -> None:
    class Listed(Drawn):
        info = Info("listed", "Listed", "nobody")

        def index(self, home: Path) -> pd.DataFrame:
            """Six sounds."""
            paths = [Files(home).sound(f"blues/{name}.wav") for name in "abcdef"]
            return pd.DataFrame({"id": list("abcdef"), "path": paths, "group": 0, "split": "train"})

    for path in ("x/blues/a.wav", "x/blues/b.au", "rock/c.mp3", "blues/d.m4a", "blues/d.lab", "blues/e.lab"):
        written(home / "drawn" / path)
    assert formats(Listed()) == "x/blues: 1 .wav, 1 .au"
    assert lost(Listed()) == {
        "found elsewhere, move or link it": ["blues/c.wav (it is rock/c.mp3)"],
        "found with another extension, convert it": ["blues/d.wav (it is blues/d.m4a)"],
        "not there": ["blues/e.wav", "blues/f.wav"],
    }


def test_long_lists_are_summarized(home: Path) -> None:
    write_beatles(home, songs=3)
    written(home / "beatles/README")
    said = _said(home, "check", "beatles")
    assert said.exit_code == 1
    assert said.output.count("not there: audio/") == 10
    assert "not there: 29 more (--all lists them)\n" in said.output
    assert f"0 of 39 files are in {home / 'beatles'}\n" in said.output
    assert _said(home, "check", "beatles", "--all").output.count("not there: audio/") == 39


def test_the_list_counts_files_and_a_plan_without_any_is_refused(home: Path) -> None:
    names = write_beatles(home)
    line = lambda: next(line for line in _said(home, "list").output.splitlines() if line.startswith("beatles: "))  # noqa: E731
    assert line() == f"beatles: 0 of 13 tracks in {home / 'beatles'}"
    with pytest.raises(UserError, match=r"beatles: none of its 13 files is in .*'data check beatles'"):
        registry.corpora.get("beatles")().fingerprint()
    tone(home / "beatles" / names[0], 440.0, 0.1, 16_000)
    assert line() == f"beatles: 1 of 13 tracks in {home / 'beatles'}"
