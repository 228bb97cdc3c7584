"""Which clips there are, in one order whose every prefix is balanced: splits by group, strata tempered."""

from __future__ import annotations

import concurrent.futures
import hashlib
import importlib.util
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmark.corpora.rendered_scores.arrange import generator
from benchmark.corpora.rendered_scores.chorales import read_chorales
from benchmark.corpora.rendered_scores.folk import read_folk
from benchmark.corpora.rendered_scores.pack import is_needed, packed_works
from benchmark.corpora.rendered_scores.works import METRES, Work

K = TypeVar("K")

#: more than processes, so that neither waits long for the other
CHORALE_PARTS = 6

SPLITS = {"train": 0.70, "val": 0.15, "test": 0.15}


@dataclass(frozen=True)
class Clip:
    """One clip to render: `transfer` clips play a test work with a program that training did not hear."""

    track: str
    split: str
    work: int


def corpus_folder() -> Path:
    """Where music21 keeps its scores (found without importing it)."""
    spec = importlib.util.find_spec("music21")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "corpus"


def read_works() -> list[Work]:
    """All works, folk first; parsing is the slow part, so two processes share it (the order stays)."""
    if is_needed():
        return packed_works()
    folder = corpus_folder()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        parts = [pool.submit(_folk, folder), *(pool.submit(_chorales, folder, i) for i in range(CHORALE_PARTS))]
        return [work for part in parts for work in part.result()]


def _folk(folder: Path) -> list[Work]:
    return list(read_folk(folder))


def _chorales(folder: Path, part: int) -> list[Work]:
    return list(read_chorales(folder, part, CHORALE_PARTS))


def split_of(group: str, version: int) -> str:
    """Train, val or test, from the group's name alone."""
    digest = hashlib.sha256(f"rendered_scores/{version}/{group}".encode()).digest()
    u = int.from_bytes(digest[:8], "little") / 2**64
    return "train" if u < SPLITS["train"] else "val" if u < SPLITS["train"] + SPLITS["val"] else "test"


def order(works: list[Work], groups: list[str], version: int) -> Iterator[Clip]:
    """All clips without end: a size is a prefix.

    Strata (mode, metre) are drawn in proportion to the square root of their size, so that rare ones (minor, 9/8) are
    heard without being most of the corpus; a work returns as another rendition, in its own split, when its stratum
    is used up.
    """
    pools: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for i in generator("order", version).permutation(len(works)).tolist():
        stratum = (works[i].mode, METRES[works[i].signature][0])
        pools[split_of(groups[i], version)][stratum].append(i)
    shares = {split: _tempered(strata) for split, strata in pools.items()}
    given: Counter[str] = Counter()
    drawn: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    while True:
        split = _most_owed({s: SPLITS[s] for s in pools}, given)
        given[split] += 1
        stratum = _most_owed(shares[split], drawn[split])
        rendition, position = divmod(drawn[split][stratum], len(pools[split][stratum]))
        drawn[split][stratum] += 1
        i = pools[split][stratum][position]
        yield Clip(f"{works[i].work}#{rendition}", split, i)
        if split == "test":
            yield Clip(f"{works[i].work}#{rendition}t", "transfer", i)


def _tempered(strata: dict[tuple[str, str], list[int]]) -> dict[tuple[str, str], float]:
    roots = {stratum: float(np.sqrt(len(members))) for stratum, members in sorted(strata.items())}
    return {stratum: root / sum(roots.values()) for stratum, root in roots.items()}


def _most_owed(shares: dict[K, float], given: Counter[K]) -> K:
    total = sum(given.values()) + 1
    return max(shares, key=lambda s: shares[s] * total - given[s])


def save_notes(works: list[Work], folder: Path) -> None:
    """Write the works needed to render, as two Parquet tables."""
    notes = pd.concat([w.notes.assign(work=w.work) for w in works])
    notes.to_parquet(folder / "notes.parquet", index=False)
    heads = [{k: v for k, v in vars(w).items() if k != "notes"} for w in works]
    pd.DataFrame(heads).to_parquet(folder / "works.parquet", index=False)


def load_notes(folder: Path, names: set[str]) -> dict[str, Work]:
    """Read the works called `names` back."""
    heads: list[dict[str, Any]] = pq.read_table(folder / "works.parquet").to_pylist()  # pandas turns None into NaN
    notes = dict(iter(pd.read_parquet(folder / "notes.parquet", filters=[("work", "in", names)]).groupby("work")))
    return {
        head["work"]: Work(
            **{**head, "signature": tuple(int(n) for n in head["signature"])},
            notes=notes[head["work"]].drop(columns="work"),
        )
        for head in heads
        if head["work"] in names
    }
