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
#: what others write where nothing is known; here a cell is what it says
ABSENT = {"na", "n/a", "#n/a", "nan", "none", "null", "-", "?"}
_DASHES = re.compile("[\u2010-\u2015\u2212]")


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
    meant = [(line, name) for line, name in written if not (tags and name.strip() == NONE)]
    note_absent(f"column {column.header!r}", meant, "a tag" if tags else "a class", found)
    _note_separators(column, written, found)
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
        if re.fullmatch(r"[+-]?\d+,\d+", cell):
            found.fail(f"{column}: numbers are written with a decimal comma: 100.5, and not 100,5", line)
            return None
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


def note_absent(where: str, written: Iterable[tuple[int, str]], what: str, found: Findings) -> None:
    """Warn of names that elsewhere say that nothing is known; for the arguments see `note_alike`."""
    lines: dict[str, list[int]] = defaultdict(list)
    for line, text in written:
        if composed(text).casefold() in ABSENT:
            lines[composed(text)].append(line)
    for name, of in lines.items():
        found.warn(f"{where}: {name!r} is {what}; where nothing is known, leave the cell empty", *of)


def _note_separators(column: Column, written: Sequence[tuple[int, str]], found: Findings) -> None:
    """Warn of cells that seem to hold several names: tags are parted by `|`, classes are one."""
    names = {composed(text) for _, text in written}
    if column.kind == "class":
        several = [line for line, text in written if "|" in text]
        what = f"cells with '|' are one class each; for several tags call the column '{column.name}:tags'"
    else:
        parted = [(line, re.split(r"\s*[;,]\s*", composed(text))) for line, text in written]
        parted = [(line, parts) for line, parts in parted if len(parts) > 1]
        most = 2 * len(parted) > len(written)
        several = [line for line, parts in parted if most or not names.isdisjoint(parts)]
        what = "cells with ';' or ',' are one tag each: tags are parted by '|'"
    if several:
        found.warn(f"column {column.header!r}: {what}", *several)


def _plain(name: str) -> str:
    """How a name is read aloud: in any case, with any blanks and dashes, as a number if it is one."""
    shown = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    text = " ".join(_DASHES.sub("-", shown).casefold().split())
    try:
        return f"{float(text.replace('_', 'no number')):.15g}"
    except ValueError:
        return text


def note_alike(where: str, written: Iterable[tuple[int, str]], what: str, found: Findings) -> None:
    """Warn of names that differ only in case, in blanks and dashes, or in how a number is written.

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
        cases[_plain(name)][name] = [line for lines in spelled.values() for line in lines]
    for names in cases.values():
        if len(names) > 1:
            most = max(names, key=lambda name: len(names[name]))
            rare = {line for name in names if name != most for line in names[name]}
            listed = " and ".join(map(repr, sorted(names)))
            how = "differ only in case" if len({name.casefold() for name in names}) == 1 else "look alike"
            found.warn(f"{where}: {listed} {how}: they are {len(names)} {what}", *rare)
