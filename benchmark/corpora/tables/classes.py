"""A folder whose sub-folders are classes, as a table: a row per sound below them, of the class that it lies in.

Grouped so that no recording is on both sides of a split: files of one content are one group, and so is what lies in a
folder of its own within a class (an album, an artist), where a class has three or more of those.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmark.corpora.datasets.dataset import drawn
from benchmark.corpora.datasets.layout import SOUND
from benchmark.corpora.datasets.signatures import sign
from benchmark.corpora.tables.cells import Findings, Row, tabular
from benchmark.corpora.tables.files import sounds_in
from benchmark.corpora.tables.tracks import SPLIT_WORDS
from benchmark.interfaces import UserError, many

#: folders within a class that are more than a detour to its files
_FOLDERS = 3


def read_classes(folder: Path, shares: dict[str, float], found: Findings) -> tuple[Row, list[Row]]:
    """Header and rows, as of a table with the columns path, group, split and class.

    Args:
        folder: with a sub-folder for each class.
        shares: of each class's groups that are drawn for val and test.
        found: takes what is odd about it.

    Raises:
        UserError: there are no two sub-folders with sound in them.
    """
    paths = sounds_in(folder, found)
    beside = [path for path in paths if "/" not in path]
    paths = [path for path in paths if "/" in path]
    classes = Counter(path.split("/")[0] for path in paths)
    if len(classes) < 2:
        there = f"there is sound in {len(classes)} of them" if classes else "there is none in any"
        raise UserError(
            f"{folder}: neither a table (a CSV with a column 'path') nor a folder of classes: that has a sub-folder "
            f"of sound for each, and {there}; files are known by their endings: {' '.join(sorted(SOUND))}"
        )
    if {name.strip().casefold() for name in classes} <= SPLIT_WORDS:
        raise UserError(
            f"{folder}: its sub-folders are called like splits ({', '.join(sorted(classes))}) and would be classes: "
            "give a table (a CSV with the columns path, split and a label), or a folder of classes"
        )
    for table in tabular(folder):
        found.warn(f"{table.name} has no column 'path' in a CSV, and is not read: the sub-folders are the classes")
    if beside:
        found.warn(f"{len(beside)} files lie beside the classes, in none of them, and are skipped: {beside[0]}, ...")
    groups = _groups(folder, paths, found)
    splits = _splits([path.split("/")[0] for path in paths], groups, shares)
    rows = [[path, group, splits[group], path.split("/")[0].strip()] for path, group in zip(paths, groups, strict=True)]
    return Row.unwritten(["path", "group", "split", "class"]), list(map(Row.unwritten, rows))


def _splits(classes: Sequence[str], groups: Sequence[str], shares: dict[str, float]) -> dict[str, str]:
    """By group: drawn class by class, so that each is in all parts if it can be; of two classes, with the first."""
    import pandas as pd

    found: dict[str, str] = {}
    for _, part in pd.Series(groups).groupby(pd.Series(classes)):
        new = part[~part.isin(list(found))]
        found |= dict(zip(new, drawn(new, shares, "classes"), strict=True))
    return found


def _groups(folder: Path, paths: Sequence[str], found: Findings) -> list[str]:
    """Of each file: the folder that it lies in within its class, the first of its content, or itself."""
    above = {path: "/".join(path.split("/")[:2]) for path in paths if path.count("/") > 1}
    several = Counter(inner.split("/")[0] for inner in set(above.values()))
    first: dict[str, str] = {}
    groups, classes = [], defaultdict[str, set[str]](set)
    for path, signature in zip(paths, sign([f"{folder}/{path}" for path in paths], f"{folder}"), strict=True):
        own = above[path] if path in above and several[path.split("/")[0]] >= _FOLDERS else path
        groups.append(first.setdefault(signature, own) if signature else own)
        classes[signature or path].add(path.split("/")[0])
    torn = [sorted(names) for names in classes.values() if len(names) > 1]
    if torn:
        listed = " and ".join(map(repr, torn[0]))
        found.warn(f"{many(len(torn), 'sound')} in several classes, with the same content: one in {listed}")
    return groups
