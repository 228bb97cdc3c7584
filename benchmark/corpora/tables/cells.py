"""The cells of a table, each with the line that it stands in."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.interfaces import Finding, UserError


@dataclass(frozen=True)
class Row:
    """A row: the line that it starts in (0: nobody wrote it), its cells as understood, and as they are written."""

    line: int
    cells: list[str]
    written: list[str]

    @classmethod
    def unwritten(cls, cells: list[str]) -> Row:
        """One that nobody wrote: a folder was read as a table, where a blank at a name's end is a part of it."""
        return cls(0, [unicodedata.normalize("NFC", cell) for cell in cells], cells)

    def cell(self, at: int | None) -> str:
        """A cell; empty where there is no such column, or the row ends before it."""
        return self.cells[at] if at is not None and at < len(self.cells) else ""


@dataclass
class Findings:
    """What is odd about a table, and what is wrong with it: lines by sentence."""

    odd: dict[str, list[int]] = field(default_factory=dict)
    wrong: dict[str, list[int]] = field(default_factory=dict)
    failures: int = 0

    def warn(self, what: str, *lines: int) -> None:
        """Note what a run takes, but the user may not mean."""
        self.odd.setdefault(what, []).extend(lines)

    def fail(self, what: str, *lines: int) -> None:
        """Note what no run can take."""
        self.wrong.setdefault(what, []).extend(lines)
        self.failures += 1

    @property
    def warnings(self) -> list[Finding]:
        """What is odd."""
        return [Finding(what, tuple(sorted(filter(None, lines)))) for what, lines in self.odd.items()]

    @property
    def errors(self) -> list[Finding]:
        """What is wrong."""
        return [Finding(what, tuple(sorted(filter(None, lines)))) for what, lines in self.wrong.items()]


def composed(text: str) -> str:
    """A text in Unicode's NFC, without blanks around it: in this form names are compared."""
    return unicodedata.normalize("NFC", text).strip()


def read_cells(path: Path, found: Findings) -> tuple[Row, list[Row]]:
    """The header of a CSV in UTF-8, and its rows; those without any cell that is not empty are none.

    Raises:
        UserError: it is not such a file.
    """
    try:
        written = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = written.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not a table in UTF-8: save it as 'CSV UTF-8'") from error
    # quotes must not mind blanks behind a comma, a matter of style; who asks for blanks looks at the cells as written
    as_written = dict(_records(path, text, strict=False))
    rows = [_row(line, cells, as_written.get(line, [])) for line, cells in _records(path, text, strict=True)]
    rows = [row for row in rows if any(row.cells)]
    if rows and rows[0].cells[0].casefold().startswith("sep="):  # for Excel
        rows = rows[1:]
    if len(rows) < 2:
        raise UserError(f"{path}: not a table: it needs a header with a column 'path', and a row per file")
    _check_widths(rows[0], rows[1:], found)
    return rows[0], [row for row in rows[1:] if len(row.cells) <= len(rows[0].cells)]


def _row(line: int, cells: list[str], written: list[str]) -> Row:
    return Row(line, list(map(composed, cells)), written if len(written) == len(cells) else cells)


def _records(path: Path, text: str, strict: bool) -> list[tuple[int, list[str]]]:
    """Cells by the line where their record starts: understood (strict), or with the blanks behind commas."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=strict, strict=strict)
    records, line = [], 1
    try:
        for cells in reader:
            records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}: not a table: the row that starts in line {line}: {error}") from error
    return records


def _check_widths(header: Row, rows: Sequence[Row], found: Findings) -> None:
    width = len(header.cells)
    for row in rows:
        count = len(row.cells)
        if count > width:
            found.fail(f"the row has {count} cells, and the header {width}: quote a cell that holds a comma", row.line)
        elif count < width:
            found.warn(f"the row has {count} cells, and the header {width}: the others are taken as empty", row.line)


def table_in(folder: Path) -> Path:
    """The table that a folder holds; or the folder itself, where it holds none.

    Raises:
        UserError: it holds several.
    """
    found = [one for one in tabular(folder) if _lists_paths(one)]
    if len(found) > 1:
        raise UserError(f"{folder}: say which table is meant; there is {', '.join(one.name for one in found)}")
    return found[0] if found else folder


def tabular(folder: Path) -> list[Path]:
    """What looks like a table beside the folders of a folder, read here or not."""
    kinds = {".csv", ".tsv", ".xls", ".xlsx", ".ods"}
    return sorted(one for one in folder.glob("[!.]*") if one.suffix.lower() in kinds and one.is_file())


def _lists_paths(table: Path) -> bool:
    """Whether a column `path` is meant, as far as its first lines tell: data sets come with others.

    Whatever separates its cells, and in whatever encoding: reading it then says what is wrong.
    """
    with table.open("rb") as file:
        begins = file.read(4096)
    text = begins.decode("utf-16" if begins[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
    lines = [line for line in text.splitlines() if line.strip(" ,;\t") and not line.casefold().startswith("sep=")]
    cells = re.split(r"[,;\t|]", lines[0]) if lines else []
    return "path" in (cell.strip(' "').casefold() for cell in cells)
