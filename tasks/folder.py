"""Anybody's own audio: a CSV of files and labels becomes a corpus and a task per label (`--plugin tracks.csv`).

So does a folder whose sub-folders are classes: its label is called `class`.

Conventions
-----------
The table is in UTF-8 and has a row per track: `path`, relative to the table; perhaps `split` (train, val or test;
valid, validation and dev mean val), else 70/15/15 by the hash of the group; perhaps `group` (artist, say: never cut by
a split), else each file is its own; perhaps `start` and `seconds` of an excerpt (empty: from the beginning, to the
end). Every other column is a label, and becomes a task `CORPUS-COLUMN`, of a kind that its header may name: `genre` or
`genre:class` (accuracy), `mood:tags` (separated by `|`; mean average precision), `valence:number` (R2). The corpus is
called like the table's folder, and calls a label `COLUMN:KIND`. On a leaderboard such tasks make a level of their own,
`own`; `--by task` shows each.

A cell is what it says: `NA` and `None` are labels, and only an empty cell is none; of tags, write `-` where none
applies. Blanks around cells and tags do not count, and names are compared in Unicode's NFC.
`python -m benchmark data describe tracks.csv` says what was understood, and what is odd or wrong about it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.tables.files import on_disk
from benchmark.corpora.tables.table import Table, read_table, sound_below
from benchmark.interfaces import Finding, Info, Task, UserError
from tasks.kinds.classification import Classification
from tasks.kinds.regression import Regression
from tasks.kinds.tagging import Tagging

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.corpora.tables.labels import Label

KINDS: dict[str, type[Task]] = {"class": Classification, "tags": Tagging, "number": Regression}


def load(path: Path) -> list[type]:
    """The corpus of a table, and its tasks.

    Raises:
        UserError: it is no table, or something in it is wrong.
    """
    table = read_table(path)
    table.refuse(table.errors)
    return [_corpus(table), *(_task(table, label, number) for number, label in enumerate(table.labels))]


def load_sound(folder: Path) -> list[type]:
    """The corpus of all sound below a folder, to pre-train on.

    Raises:
        UserError: there is too little.
    """
    table = sound_below(folder)
    table.refuse(table.errors)
    return [_corpus(table)]


def _corpus(table: Table) -> type[_Folder]:
    return type(
        "Corpus",
        (_Folder,),
        {
            "__doc__": f"{len(table.tracks)} tracks of {table.path}.",
            "info": Info(table.corpus, table.corpus, str(table.path), version=2),
            "licence": "yours",
            "get": f"Put the files where {table.path} says",
            "disk": "yours",
            "table": table,
        },
    )


class _Folder(DataSet):
    """Files below the folder of a table."""

    table: Table

    @classmethod
    def home(cls) -> Path:
        """The table's folder."""
        return cls.table.home

    def index(self, home: Path) -> pd.DataFrame:
        """The table."""
        return self.table.tracks

    def file(self, home: Path, path: str) -> str:
        """Where a track's file lies, in either form of Unicode."""
        return on_disk(home, path)

    def inspect(self) -> list[Finding]:
        """What is odd about the table and its files' headers."""
        self.table.refuse(self.table.sound.errors)
        return [*self.table.warnings, *self.table.sound.warnings]

    def require(self, labels: tuple[str, ...]) -> None:
        """Make sure that a task can be made of each of these labels."""
        known = [label.column.key for label in self.table.labels]
        if absent := sorted(set(labels) - set(known)):
            raise UserError(
                f"{self.table.path} has no label {', '.join(map(repr, absent))}; as a corpus, its columns are "
                f"{', '.join(map(repr, known)) or 'none'}"
            )
        for label in self.table.labels:
            if label.column.key in labels:
                self.table.refuse(self.table.unusable(label))

    def require_readable(self) -> None:
        """Make sure that headers can be read."""
        self.table.refuse(self.table.unreadable())

    def training_seconds(self) -> list[float]:
        """As the headers say; what they do not say may be as long as anything."""
        pairs = zip(self.table.sound.seconds, self.table.tracks["split"], strict=True)
        return [seconds for seconds, split in pairs if split == "train" and not math.isnan(seconds)]


def _task(table: Table, label: Label, number: int) -> type[Task]:
    column = label.column
    fields: dict[str, Any] = {
        "__doc__": f"Column {column.header} of {table.path}.",
        "info": Info(column.task, column.name, str(table.path), version=3),
        "level": "own",
        "corpus": table.corpus,
        "labels": (column.key,),
        "classes": label.classes or (column.name,),
    }
    # numbered: no two columns make one class of the module that holds them
    return type(f"Task{number}", (KINDS[column.kind],), fields)
