"""What `data describe` says of a corpus: tracks, groups and effective groups to train, choose and test on, by task."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark import registry
from benchmark.corpora.leaks import read_twins, words_of_groups, words_of_twins
from benchmark.corpora.verdicts import kinds, read_verdicts
from benchmark.interfaces import Corpus, Task, UserError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def told_of_corpus(cls: type[Corpus], size: str, data: Path | None = None) -> dict[str, Any]:
    """What a corpus holds at a size, by default its largest, for scripts.

    Args:
        cls: the corpus.
        size: its size.
        data: where its sound is, if it has been decoded: what is odd about that is told, too.
    """
    size = size or list(cls.sizes)[-1]
    if size not in cls.sizes:
        raise registry.unknown(f"sizes of {cls.info.name}", size, list(cls.sizes))
    corpus = cls()
    tracks = corpus.known_tracks()
    if tracks is None:
        with tempfile.TemporaryDirectory() as folder:
            tracks = corpus.catalog(Path(folder), corpus.size(size))
    tasks = []
    for name in registry.tasks.names():
        with contextlib.suppress(UserError):  # one that cannot be loaded has nothing to say of this corpus
            tasks.append(registry.tasks.get(name)())
    return {
        "corpus": cls.info.name,
        "version": cls.info.version,
        "size": size,
        "tracks": len(tracks),
        **_by_split(tracks, np.ones(len(tracks), bool)),
        "seconds": None if cls.track_seconds is None else len(tracks) * cls.track_seconds,
        "labels": {task.labels[0]: _label(task, tracks) for task in tasks if task.corpus == cls.info.name},
        "warnings": [{"what": said, "rows": []} for said in (*words_of_groups(tracks), *_heard(cls, size, data))],
        "errors": [],
    }


def _heard(cls: type[Corpus], size: str, data: Path | None) -> list[str]:
    """What was found about its sound; nothing before it is decoded."""
    folder = None if data is None else decoded(cls.info.name, size, data)
    if folder is None:
        return []
    return [*(said for said, _ in kinds(read_verdicts(folder))), *words_of_twins(read_twins(folder))]


def decoded(corpus: str, size: str, data: Path) -> Path | None:
    """The folder of the waveforms that a run would read from; None where there are none yet."""
    from benchmark.scheduler.grid import Audio
    from benchmark.scheduler.planning.keys import Plan
    from benchmark.scheduler.planning.waveforms import prepare
    from benchmark.store.artefacts import Store

    if not data.is_dir():
        return None
    try:
        key = prepare(Plan(), Audio(corpus=corpus, size=size, allow_missing=True), [])
        store = Store(data)
    except UserError:  # not on this disk, or the data folder is read-only
        return None
    return store.folder("waveforms", key) if store.is_done("waveforms", key) else None


def effective_groups(sizes: NDArray[np.int64]) -> float:
    """Kish: how many groups of equal size would make a mean over tracks as sure as groups of these sizes do."""
    return float(sizes.sum() ** 2 / np.square(sizes).sum()) if len(sizes) else 0.0


def _by_split(tracks: pd.DataFrame, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Tracks, groups and effective groups of each split, of these rows; and how many groups there are in all."""
    found: dict[str, Any] = {"splits": {}, "groups": int(tracks.loc[rows, "group"].nunique())}
    found |= {"split_groups": {}, "effective_groups": {}}
    for split in tracks["split"].drop_duplicates():
        sizes = tracks.loc[rows & (tracks["split"] == split).to_numpy(), "group"].value_counts().to_numpy()
        found["splits"][split] = int(sizes.sum())
        found["split_groups"][split] = len(sizes)
        found["effective_groups"][split] = round(effective_groups(sizes), 1)
    return found


def _label(task: Task, tracks: pd.DataFrame) -> dict[str, Any]:
    """What a task has to learn from and to be tested on; of each class, how many tracks and groups."""
    targets = task.targets(tracks)
    labelled = np.array([target is not None for target in targets])
    found: dict[str, Any] = {"task": task.info.name, "kind": task.output, **_by_split(tracks, labelled)}
    found["classes"], found["class_groups"] = {}, {}
    if task.output in ("multiclass", "multilabel") and not task.ordered:  # bins of a scale are no classes
        for index, name in enumerate(task.classes):
            of = _by_split(tracks, np.array([_has(target, index) for target in targets]))
            found["classes"][name], found["class_groups"][name] = of["splits"], of["split_groups"]
    return found


def _has(target: Any, index: int) -> bool:
    if target is None:
        return False
    return bool(target == index if np.ndim(target) == 0 else target[index] > 0)


def lines_of_corpus(found: dict[str, Any]) -> list[str]:
    """The same for people: a line for the corpus and for each task; a cell is tracks / groups / effective groups."""
    splits = list(found["splits"])
    rows = [[f"{found['corpus']} {found['version']}, {found['size']}", *splits, "fewest test groups of a class"]]
    rows.append(["all", *(_cell(found, split) for split in splits), ""])
    for label in found["labels"].values():
        fewest = {name: of["test"] for name, of in label["class_groups"].items() if "test" in of}
        name = min(fewest, key=lambda name: fewest[name], default="")
        least = f"{fewest[name]} ({name})" if fewest else ""
        rows.append([label["task"], *(_cell(label, split) for split in splits), least])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    warned = [f"warning: {one['what']}" for one in found["warnings"]]
    key = "tracks / groups / effective groups (Kish: as many of equal size tell as much)"
    return [*lines, key, *warned]


def _cell(found: dict[str, Any], split: str) -> str:
    return f"{found['splits'][split]} / {found['split_groups'][split]} / {found['effective_groups'][split]:.0f}"
