"""The labels of a table: a cell is what it says, and only an empty one is no label."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.corpora.tables.cells import Findings, Row, composed
from benchmark.corpora.tables.columns import Column

#: in a cell of tags: none of them applies
NONE = "-"


@dataclass(frozen=True)
class Label:
    """A column with its values, one per track: a class, a list of tags, a number; None where there is no label."""

    column: Column
    values: list[Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """All that occur, in order; none, of numbers."""
        return tuple(sorted({name for value in self.values for name in self.names(value)}))

    def names(self, value: Any) -> list[str]:
        """The classes that a value names."""
        if value is None or self.column.kind == "number":
            return []
        return list(value) if self.column.kind == "tags" else [value]


def read_label(column: Column, rows: Sequence[Row], found: Findings) -> Label:
    """The values of a column; what is no value of its kind, or hardly meant, is noted."""
    if column.kind == "number":
        return Label(column, [number(row.cell(column.at), column.header, row.line, found) for row in rows])
    tags = column.kind == "tags"
    written = [(row.line, name) for row in rows for name in _as_written(row, column)]
    note_alike(f"column {column.header!r}", written, "tags" if tags else "classes", found)
    cells = [row.cell(column.at) or None for row in rows]
    return Label(column, [cell and _tags(cell) for cell in cells] if tags else cells)


def number(cell: str, column: str, line: int, found: Findings) -> float | None:
    """The number in a cell; None where it is empty or no finite one."""
    if not cell:
        return None
    try:
        value = float(cell.replace("_", "no number"))  # Python's own spelling
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    found.fail(f"{column} {cell!r} is not a number", line)
    return None


def _tags(cell: str) -> list[str]:
    return [tag for tag in dict.fromkeys(map(str.strip, cell.split("|"))) if tag not in ("", NONE)]


def _as_written(row: Row, column: Column) -> list[str]:
    """The names in a cell with the blanks around the cell, which are none of the names'."""
    if not row.cell(column.at):
        return []
    cell = row.written[column.at]
    names = re.split(r"\s*\|\s*", cell) if column.kind == "tags" else [cell]
    return [name for name in names if name.strip()]


def note_alike(where: str, written: Iterable[tuple[int, str]], what: str, found: Findings) -> None:
    """Warn of names that differ only in case, or in the blanks around them.

    Args:
        where: the column.
        written: lines and names, with their blanks.
        what: names of this column, in the plural.
    """
    spellings: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for line, text in written:
        spellings[composed(text)][unicodedata.normalize("NFC", text)].append(line)
    for name, spelled in spellings.items():
        padded = {line for text, lines in spelled.items() if text != name for line in lines}
        if padded and len(spelled) > 1:
            found.warn(f"{where}: {name!r} is also written with blanks around it: they are taken as one", *padded)
    cases: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for name, spelled in spellings.items():
        cases[name.casefold()][name] = [line for lines in spelled.values() for line in lines]
    for names in cases.values():
        if len(names) > 1:
            most = max(names, key=lambda name: len(names[name]))
            rare = {line for name in names if name != most for line in names[name]}
            listed = " and ".join(map(repr, sorted(names)))
            found.warn(f"{where}: {listed} differ only in case: they are {len(names)} {what}", *rare)
