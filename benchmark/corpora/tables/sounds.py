"""A folder of sound as a table without labels, to pre-train on: whatever lengths and formats, some held out.

What is held out to watch the training is never of an artist that is heard in it, as far as tags or folders tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.corpora.datasets.dataset import drawn
from benchmark.corpora.datasets.layout import SOUND
from benchmark.corpora.tables.cells import Findings, Row, composed
from benchmark.corpora.tables.files import sounds_in
from benchmark.interfaces import UserError

#: of the tracks, to watch the training by
HELD_OUT = {"val": 0.1}
#: how alike embeddings are takes two of them
FEWEST_HELD_OUT = 2
#: where the columns of a row stand
OWN = {"path": 0, "group": 1, "split": 2}


def read_sounds(folder: Path, found: Findings) -> list[Row]:
    """A row per sound below a folder.

    Args:
        found: takes what is odd about it.

    Raises:
        UserError: there are no two that could be told apart by artist, folder or name.
    """
    import pandas as pd

    paths = sounds_in(folder, found)
    groups = [composed(_artist(folder / path) or _above(path)) for path in paths]
    if len(paths) < 3 or len(set(groups)) < 2:
        raise UserError(
            f"{folder}: {len(paths)} sounds of {len(set(groups))} artists or folders: pre-training needs three, two of "
            f"them to watch it by; files are known by their endings: {' '.join(sorted(SOUND))}"
        )
    return _rows(paths, groups, drawn(pd.Series(groups), HELD_OUT, "sounds").tolist())


def _rows(paths: Sequence[str], groups: Sequence[str], splits: list[str]) -> list[Row]:
    while splits.count("val") < FEWEST_HELD_OUT:  # of a few groups: the smallest of those that are left
        heard = {group for group, split in zip(groups, splits, strict=True) if split == "train"}
        if len(heard) < 2:
            break
        smallest = min(sorted(heard), key=groups.count)
        splits = ["val" if group == smallest else split for group, split in zip(groups, splits, strict=True)]
    return [Row.unwritten(list(cells)) for cells in zip(paths, groups, splits, strict=True)]


def _artist(path: Path) -> str:
    """As the file's tag says; empty if it says nothing."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return str(file.copy_metadata().get("artist", "")).strip().casefold()
    except (OSError, soundfile.SoundFileError):
        return ""


def _above(path: str) -> str:
    """The folder that a file lies in, or itself, where it lies in none."""
    return path.rpartition("/")[0] or path
