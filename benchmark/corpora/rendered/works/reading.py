"""All works there are: read from music21's scores, or from a pack of them where no reader is installed."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.corpora.rendered.works.chorales import read_chorales, read_madrigals
from benchmark.corpora.rendered.works.essen import read_essen
from benchmark.corpora.rendered.works.folk import read_folk
from benchmark.corpora.rendered.works.groups import grouped
from benchmark.corpora.rendered.works.masses import read_masses
from benchmark.corpora.rendered.works.note_tables import Heads, flat, works_of
from benchmark.corpora.rendered.works.pack import is_needed, keep, kept_works, packed_works
from benchmark.corpora.rendered.works.work import Work
from benchmark.files import die_with
from benchmark.interfaces import UserError

if TYPE_CHECKING:
    import pandas as pd

#: of the folk tunes: more than processes, so that neither waits long for the other
FOLK_PARTS = 6


def corpus_folder() -> Path:
    """Where music21 keeps its scores (found without importing it)."""
    spec = importlib.util.find_spec("music21")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "corpus"


def read_works(reader: int) -> list[Work]:
    """All works with their groups, folk first: from a pack where there are no readers, else read once per data folder.

    Args:
        reader: version of the corpus.
    """
    if is_needed():
        return packed_works()
    works = kept_works(reader)
    if works is None:
        works = grouped(_read())
        keep(works, reader)
    return works


def _read() -> list[Work]:
    """Parsing is the slow part, so two processes share it: the longest parts go first, the order of works stays."""
    folder = corpus_folder()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, context, die_with, (os.getpid(),)) as pool:
        others = [pool.submit(_flat, read, folder) for read in (read_chorales, read_madrigals, read_essen, read_masses)]
        folk = [pool.submit(_flat, read_folk, folder, i, FOLK_PARTS) for i in range(FOLK_PARTS)]
        chorales, madrigals, essen, masses = others
        return [work for part in (*folk, essen, chorales, masses, madrigals) for work in works_of(*part.result())]


def _flat(read: Callable[..., Iterable[Work]], *args: object) -> tuple[Heads, pd.DataFrame]:
    works = list(read(*args))
    if not works:
        kind = read.__name__.removeprefix("read_")
        raise UserError(f"{args[0]}: music21's corpus has none of its {kind}; is it installed as a whole?")
    return flat(works)
