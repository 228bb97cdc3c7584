"""What the columns of a table are: a few have a meaning of their own, all others are labels, each of a kind.

Names: a task is called `CORPUS-COLUMN`, in letters and digits of any script. Two columns never share a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.corpora.tables.cells import Findings, Row

#: columns with a meaning of their own, however they are capitalized
OWN = ("path", "split", "group", "start", "seconds")
KINDS = ("class", "tags", "number")
#: what others call how far an excerpt reaches
_LENGTHS = ("end", "stop", "duration", "length", "offset", "dur")
#: what pandas calls an index that was written without a name
_INDEX = re.compile(r"(Unnamed: \d+.*)?")
_LONGEST, _MOST_BYTES = 30, 90


@dataclass(frozen=True)
class Column:
    """A column of labels.

    Attributes:
        header: as the table has it.
        name: the header without the kind.
        at: its place.
        task: what its task is called.
    """

    header: str
    name: str
    kind: str
    at: int
    task: str

    @property
    def key(self) -> str:
        """What the corpus calls it: with a colon, which no column of the engine's has, whatever the label is called."""
        return f"{self.name}:{self.kind}"


def read_columns(corpus: str, header: Row, found: Findings) -> tuple[dict[str, int], list[Column]]:
    """Places of the columns that have a meaning of their own, and the columns of labels that can be told apart."""
    own: dict[str, int] = {}
    labels: list[Column] = []
    for at, text in enumerate(header.cells):
        if _INDEX.fullmatch(text):
            found.warn(f"column {at + 1} has no name{f' ({text!r})' if text else ''}: it is skipped", header.line)
        elif text.casefold() not in OWN:
            labels += _label(corpus, text, at, header.line, found)
        elif (meaning := text.casefold()) in own:
            found.fail(f"columns {header.cells[own[meaning]]!r} and {text!r} both mean {meaning}", header.line)
        else:
            own[meaning] = at
    if "start" in own and "seconds" not in own:
        for column in labels:
            if column.header.casefold() in _LENGTHS:
                what = "an excerpt lasts as long as the column 'seconds' says, and without one to the end of its file"
                found.fail(f"column {column.header!r}: {what}; a label would be '{column.header}:number'", header.line)
    labels = _told_apart(labels, header.line, found)
    if not labels:
        found.fail(f"no label column beside {', '.join(header.cells[at] for at in own.values())}", header.line)
    return own, labels


def _label(corpus: str, header: str, at: int, line: int, found: Findings) -> list[Column]:
    name, colon, kind = (part.strip() for part in header.rpartition(":"))
    if not colon:
        name, kind = header, "class"
    called = name_of(name)
    if kind.casefold() not in KINDS:
        found.fail(f"column {header!r}: a label is of kind {', '.join(KINDS)}, and not {kind!r}", line)
    elif not called:
        found.fail(f"column {header!r} holds no letter or digit to call a task by", line)
    else:
        return [Column(header, name, kind.casefold(), at, f"{corpus}-{called}")]
    return []


def _told_apart(labels: Sequence[Column], line: int, found: Findings) -> list[Column]:
    """Those whose tasks differ on a disk that knows no capitals, too: a later one must not take an earlier's place."""
    first: dict[str, Column] = {}
    for column in labels:
        earlier = first.setdefault(column.task.casefold(), column)
        if earlier is not column:
            found.fail(
                f"columns {earlier.header!r} and {column.header!r} would both be the task {earlier.task}: rename one",
                line,
            )
    return list(first.values())


def name_of(text: str) -> str:
    """The letters and digits of a text, of any script, joined by underscores: names reach paths and pages.

    At most 30 characters, and as many bytes as 30 of most scripts: some disks take no name of over 255. Empty if there
    are none.
    """
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in unicodedata.normalize("NFC", text))
    name = "_".join(kept.split())[:_LONGEST].encode()[:_MOST_BYTES].decode(errors="ignore")
    while name and not name[0].isalnum():  # a sign that belongs to a letter, without its letter
        name = name[1:]
    return name
