"""A table of audio files as it was understood: tracks, labels, and what is odd or wrong about it, by line.

The one reader of such tables: `data describe`, a plan, a run and its workers draw from it alike.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.corpora.datasets.dataset import SPLITS, drawn
from benchmark.corpora.leaks import cut, words_of_groups
from benchmark.corpora.tables.cells import Findings, Row, read_cells, table_in
from benchmark.corpora.tables.classes import read_classes
from benchmark.corpora.tables.columns import name_of, read_columns
from benchmark.corpora.tables.files import Lengths
from benchmark.corpora.tables.labels import Label, number, read_label
from benchmark.corpora.tables.sounds import OWN, read_sounds
from benchmark.corpora.tables.tracks import read_tracks
from benchmark.corpora.usable import ALLOWED_UNREADABLE, lacking
from benchmark.interfaces import Finding, UserError, many

if TYPE_CHECKING:
    import pandas as pd

#: shares of the groups that are drawn where the table has no splits; and how few groups cannot be shared out, two each
SHARES, FEW = {"test": 0.15, "val": 0.15}, 6
#: errors that a message lists
_SHOWN = 10


@dataclass(frozen=True)
class Table:
    """A table, or a folder of classes as one, and what is known of it without a look at the audio.

    Attributes:
        path: of the table, or of the folder of classes.
        corpus: what its corpus is called: like its folder.
        tracks: `id`, `path`, `group`, `split`, perhaps `start` and `seconds`, and a column `NAME:KIND` of each label.
        lines: of the tracks.
        drawn: whether the table names no splits.
        warnings: what a run takes, but the user may not mean.
        errors: what no run can take; rows with errors are no tracks.
    """

    path: Path
    corpus: str
    tracks: pd.DataFrame
    lines: list[int]
    labels: list[Label]
    drawn: bool
    warnings: list[Finding]
    errors: list[Finding]

    @property
    def home(self) -> Path:
        """The folder that paths are relative to."""
        return _home(self.path)

    @cached_property
    def sound(self) -> Lengths:
        """How long its files last: reads their headers, once."""
        return Lengths.of(self.home, self.tracks, self.lines)

    def counts(self, label: Label) -> dict[str, dict[str, int]]:
        """Labeled tracks by class and split."""
        found = {name: dict.fromkeys(SPLITS, 0) for name in label.classes}
        for value, split in zip(label.values, self.tracks["split"], strict=True):
            for name in label.names(value):
                found[name][split] += 1
        return found

    def unusable(self, label: Label) -> list[Finding]:
        """Why no task can be made of a label, if there is a reason."""
        groups = self.tracks["group"].nunique()
        if self.drawn and groups < FEW:
            few = f"there is no column 'split', and {groups} groups are too few to draw train, val and test from"
            return [Finding(f"{few}: say which is which")]
        labeled = [value is not None for value in label.values]
        splits = Counter(self.tracks["split"][labeled])
        drawn = f"; there is no column 'split', and {groups} groups were shared out by chance: say which is which"
        missing = lacking(splits["train"], splits["val"], splits["test"])
        if missing and not self.drawn and splits["train"]:
            missing[-1] += ": mark some of the others so, or leave out the column 'split', and they are drawn"
        return [
            Finding(f"column {label.column.header!r}: {what}{drawn if self.drawn else ''}")
            for what in missing or self._unteachable(label)
        ]

    def _unteachable(self, label: Label) -> list[str]:
        """Whether there is nothing to learn, or nothing to see it by: titles and names are no labels."""
        if label.column.kind == "number":
            values = zip(label.values, self.tracks["split"], strict=True)
            known = {(split, value) for value, split in values if value is not None}
            alike = [name for name in ("train", "test") if sum(split == name for split, _ in known) == 1]
            what = f"all numbers in {' and in '.join(alike)} are the same: there is nothing to tell apart"
            return [what] if alike else []
        counts = self.counts(label)
        again = sum(bool(found["train"] and found["test"]) for found in counts.values())
        if again >= 2 or (label.column.kind == "tags" and again):
            return []
        what = f"{again} of {len(counts)} classes are both in train and in test, where two would be something to learn"
        header = label.column.header
        are_numbers = bool(counts) and all(number(name, header, 0, Findings()) is not None for name in counts)
        advice = f"; if these are numbers, call the column '{header.partition(':')[0]}:number'" if are_numbers else ""
        return [f"{what}{advice}"]

    def odd(self, label: Label) -> list[Finding]:
        """What a run takes of a label, but the user may not mean: classes that nobody can have learned."""
        new = [name for name, found in self.counts(label).items() if found["test"] and not found["train"]]
        listed = ", ".join(map(repr, new[:3])) + (", ..." if len(new) > 3 else "")
        what = f"column {label.column.header!r}: in test, but not in train, where nobody learns them: {listed}"
        return [Finding(what)] * bool(new)

    def unreadable(self) -> list[Finding]:
        """Whether too many files cannot be read, as far as their headers tell."""
        if self.sound.unreadable <= ALLOWED_UNREADABLE * len(self.tracks):
            return []
        share = f"{self.sound.unreadable} of {len(self.tracks)} tracks have no audio that can be read"
        return [Finding(f"{share}, more than a run takes without --allow-missing")]

    def refuse(self, errors: Sequence[Finding]) -> None:
        """Raise the errors, if there are any.

        Raises:
            UserError: names each, with its lines.
        """
        if not errors:
            return
        more = len(errors) - _SHOWN
        told = [f"{self.path}{error.where}: {error.what}" for error in errors[:_SHOWN]]
        told += [f"and {more} more: 'python -m benchmark data describe {self.path}' lists them"] if more > 0 else []
        raise UserError("\n".join(told))


def read_table(path: Path) -> Table:
    """Read a table, that of a folder, or else a folder whose sub-folders are classes, whatever is wrong in it.

    Raises:
        UserError: it is no table in UTF-8 with a column `path`, nor such a folder, or one that holds several tables.
    """
    path = table_in(path) if path.is_dir() else path
    found = Findings()
    corpus = name_of(_home(path).name)
    if not corpus:
        found.fail(f"the folder {_home(path).name!r} holds no letter or digit to call a corpus by")
    header, rows = read_classes(path, SHARES, found) if path.is_dir() else read_cells(path, found)
    own, columns = read_columns(corpus, header, found)
    if "path" not in own:
        listed = ", ".join(map(repr, header.cells))
        what = "a table needs a header with a column 'path', and a row per file"
        signs = [sign for sign in ";\t|" if any(sign in cell for cell in header.cells)]
        advice = f"; cells seem to be separated by {signs[0]!r}: save the table with commas" if signs else ""
        raise UserError(f"{path}: {what}; there is {listed}{advice}")
    records, kept = read_tracks(own, rows, found)
    labels = [read_label(column, kept, found) for column in columns]
    drawn = path.is_dir() or "split" not in own
    return _table(path, corpus, records, kept, {"start", "seconds"} & own.keys(), labels, drawn, found)


def sound_below(folder: Path) -> Table:
    """All sound below a folder, without labels.

    Raises:
        UserError: there is too little.
    """
    found, name = Findings(), name_of(_home(folder).name)
    records, kept = read_tracks(OWN, read_sounds(folder, found), found)
    return _table(folder, f"folder-{name}", records, kept, set(), [], True, found)


def _table(
    path: Path,
    corpus: str,
    records: list[dict[str, Any]],
    kept: list[Row],
    excerpts: set[str],
    labels: list[Label],
    drawn: bool,
    found: Findings,
) -> Table:
    tracks = _frame(records, excerpts, labels)
    for sentence in words_of_groups(tracks):
        shared = tracks["group"].isin(cut(tracks))
        found.warn(sentence, *(row.line for row, both in zip(kept, shared, strict=True) if both))
    torn = tracks["path"].isin(cut(tracks.assign(group=tracks["path"]))) & ~tracks["group"].isin(cut(tracks))
    if torn.any():
        files = many(tracks.loc[torn, "path"].nunique(), "file")
        what = f"excerpts of {files} are on both sides of the split, in groups of their own: is that meant?"
        found.warn(what, *(row.line for row, both in zip(kept, torn, strict=True) if both))
    return Table(path, corpus, tracks, [r.line for r in kept], labels, drawn, found.warnings, found.errors)


def _home(path: Path) -> Path:
    whole = Path(os.path.abspath(path))  # as it is called, though it may lie elsewhere; `..` has no name
    return whole if path.is_dir() else whole.parent


def _frame(records: list[dict[str, Any]], excerpts: set[str], labels: list[Label]) -> pd.DataFrame:
    import pandas as pd

    columns = ["path", "id", "group", "split", *sorted(excerpts)]
    types = {column: float if column in excerpts else object for column in columns}
    frame = pd.DataFrame(records, columns=columns).astype(types)
    undecided = frame["split"].isna()
    if undecided.any():
        frame["split"] = drawn(frame["group"], SHARES, "table")
    held = {label.column.key: (label.values, label.column.kind) for label in labels}
    return frame.assign(
        **{key: pd.Series(values, dtype=float if kind == "number" else object) for key, (values, kind) in held.items()}
    )
