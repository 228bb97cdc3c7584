"""Until when annotations refer to a track: a file that is far shorter is not theirs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmark.corpora.datasets.annotated import reach
from benchmark.corpora.datasets.dataset import DataSet
from benchmark.interfaces import Info, Unreadable, UserError


def test_the_last_moment_of_any_column_counts() -> None:
    assert reach({"id": "a", "genre": "rock", "tempo": 120.0}) == 0
    assert reach({"beats": [0.5, 29.5], "downbeats": [0.5], "chords": None}) == 29.5
    assert reach({"beats": [], "chords": [{"start": 0.0, "end": 4.0, "label": "C"}]}) == 4.0
    assert reach({"f0": np.zeros(250)}) == pytest.approx(2.5), "every 10 ms"


class Beaten(DataSet):
    """Two files of 3 s, one of them annotated for half a minute."""

    info = Info("beaten", "Beaten", "this test")
    licence, folder, get, disk = "none", "beaten", "Made here", "nothing"
    sizes: ClassVar[dict[str, int]] = {"all": 0}

    def index(self, home: Path) -> pd.DataFrame:
        """See the class."""
        rows = [("a", "a.wav", "x", "train", [0.5, 2.9]), ("b", "b.wav", "y", "test", [0.5, 29.5])]
        return pd.DataFrame(rows, columns=["id", "path", "group", "split", "beats"])


class Endless(Beaten):
    """One whose reader checks no times."""

    info = Info("endless", "Endless", "this test")

    def index(self, home: Path) -> pd.DataFrame:
        """See the class."""
        return super().index(home).assign(beats=[[0.5, 2.9], [0.5, float("inf")]])


def test_annotations_without_an_end_are_an_error_that_names_the_track(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beaten").mkdir()
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    with pytest.raises(UserError, match="endless: b is annotated up to inf s"):
        Endless().catalog(tmp_path, 2)


def test_a_file_far_shorter_than_its_annotations_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beaten").mkdir()
    for name in "ab":
        noise = 0.1 * np.random.default_rng(0).standard_normal(48_000)
        soundfile.write(tmp_path / "beaten" / f"{name}.wav", noise, 16_000)
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))
    one, other = Beaten().render(Beaten().catalog(tmp_path, 2), tmp_path)
    assert isinstance(one, dict)
    assert other == Unreadable("lasts 3.0 s, and is annotated up to 29.0 s", "truncated")
