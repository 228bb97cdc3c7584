"""Anybody's own audio: a CSV of files and labels becomes a corpus and a task per label (`--plugin tracks.csv`).

Conventions
-----------
The table has a row per file: `path`, relative to the table; perhaps `split` (train, val, test), else 70/15/15 by the
hash of the group; perhaps `group` (artist, say: never cut by a split), else each file is its own; perhaps `start` and
`seconds` of an excerpt. Every other column is a label, and becomes a task `CORPUS-COLUMN`, of a kind that its header
may name: `genre` or `genre:class` (accuracy), `mood:tags` (separated by `|`; mean average precision), `valence:number`
(R2). An empty cell is no label; of tags, write `-` where none applies. The corpus is called like the table's folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.corpora.datasets.dataset import SPLITS, DataSet, held_out
from benchmark.interfaces import Info, Task, UserError
from tasks.kinds.classification import Classification
from tasks.kinds.regression import Regression
from tasks.kinds.tagging import Tagging

if TYPE_CHECKING:
    import pandas as pd

KINDS: dict[str, type[Task]] = {"class": Classification, "tags": Tagging, "number": Regression}
_OWN = ("path", "split", "group", "start", "seconds")


def load(path: Path) -> list[type]:
    """The corpus of a table, and its tasks.

    Raises:
        UserError: a column is missing or has no legal name, or a value is not what its column says.
    """
    table = _read(path)
    name = _name(path, path.absolute().parent.name)
    labels = [column for column in table.columns if column not in _OWN]
    if not labels:
        raise UserError(f"{path}: no label column beside {', '.join(c for c in table.columns if c in _OWN)}")
    index = _index(path, table, labels)
    corpus = type(
        _class_name(name),
        (_Folder,),
        {
            "__doc__": f"{len(index)} files of {path}.",
            "info": Info(name, name, str(path)),
            "licence": "yours",
            "get": f"Put the files where {path} says",
            "disk": "yours",
            "table": index,
            "root": path.absolute().parent,
        },
    )
    return [corpus, *(_task(path, name, column, index) for column in labels)]


class _Folder(DataSet):
    """Files below the folder of a table."""

    table: pd.DataFrame
    root: Path

    @classmethod
    def home(cls) -> Path:
        """The table's folder."""
        return cls.root

    def index(self, home: Path) -> pd.DataFrame:
        """The table."""
        return self.table


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skipinitialspace=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table in UTF-8 ({error})") from error
    if "path" not in table or table.empty:
        raise UserError(f"{path}: a table needs a header with a column 'path', and a row per file")
    return table


def _index(path: Path, table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Columns of the corpus; labels are called like their tasks."""
    for row, file in enumerate(table["path"], start=2):
        if not isinstance(file, str) or Path(file).is_absolute() or ".." in Path(file).parts:
            raise UserError(f"{path}, line {row}: path {file!r} does not lie below the table's folder")
    index = table[["path"]].assign(id=table["path"])
    index["group"] = table["group"].fillna(table["path"]) if "group" in table else table["path"]
    index["split"] = table["split"] if "split" in table else _drawn(index["group"])
    wrong = index.loc[~index["split"].isin(SPLITS), "split"]
    if len(wrong):
        raise UserError(f"{path}, line {wrong.index[0] + 2}: split {wrong.iloc[0]!r} is none of {', '.join(SPLITS)}")
    for column in ("start", "seconds"):
        if column in table:
            index[column] = _numbers(path, table, column)
    for label in labels:
        kind = _kind(path, label)
        values = table[label]
        if kind is Tagging:
            index[label] = values.map(lambda cell: [tag for tag in cell.split("|") if tag != "-"], na_action="ignore")
            index[label] = index[label].astype(object).where(values.notna(), None)
        else:
            index[label] = _numbers(path, table, label) if kind is Regression else values
    return index


def _drawn(groups: pd.Series[str]) -> pd.Series[str]:
    test, val = held_out(groups, 0.15, "test"), held_out(groups, 0.15 / 0.85, "val")
    return groups.mask(groups == groups, "train").mask(val, "val").mask(test, "test")


def _numbers(path: Path, table: pd.DataFrame, column: str) -> pd.Series[float]:
    import pandas as pd

    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = table.loc[numbers.isna() & table[column].notna(), column]
    if len(wrong):
        raise UserError(f"{path}, line {wrong.index[0] + 2}: {column} {wrong.iloc[0]!r} is not a number")
    return numbers


def _kind(path: Path, column: str) -> type[Task]:
    kind = column.partition(":")[2] or "class"
    if kind not in KINDS:
        raise UserError(f"{path}: column {column!r}: a label is of kind {', '.join(KINDS)}")
    return KINDS[kind]


def _task(path: Path, corpus: str, column: str, index: pd.DataFrame) -> type[Task]:
    kind, name = _kind(path, column), f"{corpus}-{_name(path, column.partition(':')[0])}"
    values = index[column].dropna()
    classes: tuple[Any, ...] = (column.partition(":")[0],)
    if kind is Classification:
        classes = tuple(sorted(values.unique()))
    elif kind is Tagging:
        classes = tuple(sorted({tag for tags in values for tag in tags}))
    return type(
        _class_name(name),
        (kind,),
        {
            "__doc__": f"Column {column} of {path}.",
            "info": Info(name, column.partition(":")[0], str(path)),
            "level": "style",
            "corpus": corpus,
            "labels": (column,),
            "classes": classes,
        },
    )


def _name(path: Path, text: str) -> str:
    """Letters, digits and underscores of a text: names reach paths and pages."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:30]
    if not name:
        raise UserError(f"{path}: {text!r} holds no letter or digit to call a corpus or task by")
    return name


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[_-]", name))
