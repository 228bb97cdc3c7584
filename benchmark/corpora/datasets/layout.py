"""Finding and reading the annotation files of a data set, however its archives were unpacked."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def located(home: Path, pattern: str) -> Path:
    """The file or folder below `home` that matches: archives are unpacked with or without a folder of their own.

    Of several the least deep one, then the first by name.

    Raises:
        FileNotFoundError: there is none.
    """
    # macOS's zip leaves a shadow tree of the same names
    found = [path for path in home.rglob(pattern) if "__MACOSX" not in path.parts]
    if not found:
        raise FileNotFoundError(f"no {pattern} in {home}")
    return min(found, key=lambda path: (len(path.parts), path))


def read_table(path: Path) -> pd.DataFrame:
    """A CSV with a header, every cell a string without blanks around it.

    Nothing is guessed: `007` stays what it is, and an artist named "None" is not missing.

    Raises:
        OSError, ValueError: it cannot be read, or a row has more or fewer cells than the header.
    """
    import pandas as pd

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            # pandas' own reader would fill a short row up in silence
            header, *rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row] or [[]]
    except csv.Error as error:
        raise ValueError(f"{path.name}: {error}") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"{path.name}: row {number} has {len(row)} cells, not {len(header)}: {row}")
    return pd.DataFrame(rows, columns=header, dtype=str)
