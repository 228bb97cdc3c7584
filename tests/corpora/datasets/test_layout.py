"""Annotation files are found wherever the archive put them, and read without guessing."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees.files import written

from benchmark.corpora.datasets.layout import located, read_table


def test_the_least_deep_one_is_found_and_shadows_are_not(tmp_path: Path) -> None:
    written(tmp_path / "__MACOSX/list.csv")
    deep = written(tmp_path / "a/b/list.csv")
    assert located(tmp_path, "list.csv") == deep
    assert located(tmp_path, "b") == deep.parent
    near = written(tmp_path / "z/list.csv")
    assert located(tmp_path, "list.csv") == near
    with pytest.raises(FileNotFoundError, match=r"other\.csv"):
        located(tmp_path, "other.csv")


def test_cells_stay_text(tmp_path: Path) -> None:
    text = '\ufeffid ,artist,year\r\n007,"None\t",\r\n\r\n008,"Smith, ""Al""\nand Bo", 1999\r\n'
    table = read_table(written(tmp_path / "x.csv", text))
    assert table.to_dict("list") == {
        "id": ["007", "008"],
        "artist": ["None", 'Smith, "Al"\nand Bo'],
        "year": ["", "1999"],
    }


@pytest.mark.parametrize("text", ["a,b\n1,2\n3\n", "a,b\n1,2,3\n"])
def test_a_row_that_does_not_fit_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.csv: row \d has [13] cells"):
        read_table(written(tmp_path / "x.csv", text))


def test_an_empty_table(tmp_path: Path) -> None:
    assert read_table(written(tmp_path / "x.csv", "a,b\n")).columns.tolist() == ["a", "b"]
    assert read_table(written(tmp_path / "y.csv", "")).empty
