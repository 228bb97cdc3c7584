"""Finding and reading the files of a data set, however its archives were unpacked."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: what the names of decodable files end in
SOUND = frozenset(
    (
        *(".wav", ".wave", ".w64", ".rf64", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
        *(".au", ".snd", ".aif", ".aiff", ".aifc", ".caf"),
    )
)
#: and of sound that nobody here decodes
UNDECODABLE = frozenset((".m4a", ".mp4", ".aac", ".wma", ".ape", ".wv", ".mpc", ".webm", ".mka", ".dsf", ".shn"))
#: folders below a data set's own: its deepest layout has five, archives add some; links may lead round in circles
_DEEPEST = 9
#: what a host of repositories adds to the name of one in its archives: a branch, or a commit
_REPOSITORY = re.compile(r"-(?:master|main|[0-9a-f]{40})(?=/)")


class Files:
    """The files below a data set's folder, found by how their paths end: one look-up for all readers.

    What precedes the end of a path is free: archives are unpacked with or without a folder of their own, one beside the
    other or deeper. A sound may have any of the endings in `SOUND`, a repository's folder its branch or commit behind
    its name. Hidden files (macOS's `._NAME` too) do not exist. Of several copies the least deep one counts, then the
    first by name.

    Raises:
        FileNotFoundError: there are no files at all.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._named: dict[str, list[str]] = {}
        paths = sorted(shown(home), key=lambda path: (path.count("/"), path))
        if not paths:
            raise FileNotFoundError(f"{home} holds no files")
        for path in paths:
            self._named.setdefault(_plain(path).rpartition("/")[2], []).append(path)

    def find(self, *ends: str) -> str | None:
        """The path, below `home`, of a file that ends in the first of these that is there."""
        for end in map(_plain, ends):
            for path in self._named.get(end.rpartition("/")[2], ()):
                if f"/{_plain(path)}".endswith(f"/{end}"):
                    return path
        return None

    def sound(self, *ends: str) -> str:
        """The same; where there is none, the first of them: where it should be."""
        return self.find(*ends) or ends[0]

    def one(self, *ends: str) -> Path:
        """The same, whole.

        Raises:
            FileNotFoundError: there is none.
        """
        found = self.find(*ends)
        if found is None:
            raise FileNotFoundError(f"no {' or '.join(ends)} in {self.home}")
        return self.home / found

    def all(self, *patterns: str) -> list[str]:
        """All paths, below `home`, that end in the first of these patterns that any does, in order; no copies.

        Args:
            patterns: ends of paths; `*` stands for anything within a name.

        Raises:
            FileNotFoundError: there is none.
        """
        for pattern in patterns:
            end = re.compile("(?:.*/)?(" + "[^/]*".join(map(re.escape, _plain(pattern).split("*"))) + ")")
            found: dict[str, str] = {}
            for path in (path for paths in self._named.values() for path in paths):
                if match := end.fullmatch(_plain(path)):
                    found.setdefault(match[1], path)
            if found:
                return [found[name] for name in sorted(found, key=lambda name: name.split("/"))]
        raise FileNotFoundError(f"no {' or '.join(patterns)} in {self.home}")

    def namesakes(self, endings: Container[str]) -> dict[str, str]:
        """The files with one of these endings, wherever they are, by their names without it."""
        parts = ((path, *os.path.splitext(os.path.basename(path))) for paths in self._named.values() for path in paths)
        return {stem: path for path, stem, ending in parts if ending.lower() in endings}


def shown(home: Path) -> Iterator[str]:
    """Paths of the files that are not hidden; macOS's zip leaves a shadow tree of the same names."""
    for folder, inner, names in os.walk(home, followlinks=True):
        below = Path(folder).relative_to(home)
        deep = len(below.parts) >= _DEEPEST
        inner[:] = [] if deep else [name for name in inner if not name.startswith((".", "__MACOSX"))]
        inner[:] = [name for name in inner if not _leads_back(os.path.join(folder, name))]
        yield from ((below / name).as_posix() for name in names if not name.startswith("."))


def _leads_back(folder: str) -> bool:
    """Whether it is a link to a folder that it lies in."""
    if not os.path.islink(folder):
        return False
    return Path(os.path.realpath(os.path.dirname(folder))).is_relative_to(os.path.realpath(folder))


def _plain(path: str) -> str:
    """A path as it is compared: whatever a sound's ending is, and without repositories' branches."""
    stem, ending = os.path.splitext(path)
    return _REPOSITORY.sub("", f"{stem}." if ending.lower() in SOUND else path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is wrong in a file is an error that names it.

    Raises:
        ValueError: something is missing in it, or is not what it should be.
    """
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{path.name} has no {error}") from error
    except (LookupError, ValueError, AttributeError, TypeError, csv.Error) as error:
        raise ValueError(f"{path.name}: {error}") from error


def moment(seconds: float) -> float:
    """A time that an annotation names, if it can be one.

    Raises:
        ValueError: it is negative, infinite, or no number.
    """
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{seconds} is no time in a sound, in seconds from its beginning")
    return seconds


def read_table(path: Path, *columns: str, separator: str = ",", quoted: bool = True) -> pd.DataFrame:
    """A table with a header, every cell a string without blanks around it.

    Nothing is guessed: `007` stays what it is, and an artist named "None" is not missing.

    Args:
        columns: that it must have.
        separator: between cells.
        quoted: whether quotation marks enclose cells, or are text.

    Raises:
        OSError, ValueError: it cannot be read, has no such column, or a row has more or fewer cells than the header.
    """
    import pandas as pd

    with naming(path), path.open(newline="", encoding="utf-8-sig") as file:
        cells = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
        # pandas' own reader would fill a short row up in silence
        header, *rows = [[cell.strip() for cell in row] for row in cells if row] or [[]]
        for number, row in enumerate(rows, start=1):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} cells, not {len(header)}: {row}")
    require_columns(path, header, columns)
    return pd.DataFrame(rows, columns=header, dtype=str)


def require_columns(path: Path, header: Iterable[Any], columns: Iterable[Any]) -> None:
    """Make sure that a table has these columns.

    Raises:
        ValueError: one is missing.
    """
    header = list(header)
    for column in columns:
        if column not in header:
            raise ValueError(f"{path.name} has no column {column!r}, but {', '.join(map(str, header[:10])) or 'none'}")
