"""Bach's four-part chorales, and Monteverdi's madrigals, as music21 ships them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmark.corpora.rendered.works.musicxml import Score, read_musicxml
from benchmark.corpora.rendered.works.parts import first_downbeat, note_table
from benchmark.corpora.rendered.works.work import METRES, Mode, Work

CHORALE_VOICES = 4
#: Riemenschneider's number, BWV number, hymn, Kalmus's number: a line of the table in music21's chorales.py
_HYMN = re.compile(r"^ *\d+---\|\|---(\S+)---\|\|---(.*?)---\|\|---\d+", re.MULTILINE)


def read_chorales(corpus_folder: Path, part: int = 0, parts: int = 1) -> Iterator[Work]:
    """Chorales in four parts and one metre, every `parts`-th: those of one cantata or of one hymn are tied.

    Their key is the one that is written, if the bass ends on its tonic; the others, modal mostly, have none.
    """
    hymns = hymns_of(corpus_folder)
    for path in sorted((corpus_folder / "bach").glob("*.mxl"))[part::parts]:
        number = path.stem.removeprefix("bwv")
        cantata = re.match(r"bwv\d+", path.stem)
        tie = hymns.get(number) or (cantata.group() if cantata else path.stem)
        work = _read(path, "bach", tie)
        if work is not None and work.notes["part"].max() == CHORALE_VOICES - 1:
            yield work


def read_madrigals(corpus_folder: Path) -> Iterator[Work]:
    """Madrigals in four parts or more and one metre, most without a key; two editions of one (`_old`) are tied."""
    for path in sorted((corpus_folder / "monteverdi").glob("*.mxl")):
        work = _read(path, "monteverdi", path.stem.removesuffix("_old"))
        if work is not None and work.notes["part"].max() >= CHORALE_VOICES - 1:
            yield work


def hymns_of(corpus_folder: Path) -> dict[str, str]:
    """The hymn of each chorale, letters only, by BWV number."""
    table = (corpus_folder / "chorales.py").read_text(encoding="utf-8")
    return {number: re.sub(r"[\W_]", "", title).casefold() for number, title in _HYMN.findall(table)}


def _read(path: Path, collection: str, tie: str) -> Work | None:
    score = read_musicxml(path)
    if len(set(score.metres)) != 1 or score.metres[0] not in METRES or not all(score.parts):
        return None
    downbeat = first_downbeat(score.bars, score.metres[0])
    if downbeat is None:
        return None
    notes = note_table(score.parts)
    tonic, mode = _key(score, notes)
    return Work(f"{collection}/{path.stem}", collection, tie, tonic, mode, score.metres[0], downbeat, notes)


def _key(score: Score, notes: pd.DataFrame) -> tuple[int | None, Mode | None]:
    if len(set(score.keys)) != 1:
        return None, None
    fifths, mode = score.keys[0]
    tonic = (7 * fifths + (9 if mode == "minor" else 0)) % 12
    bass = notes[notes["part"] == notes["part"].max()].sort_values("onset")
    if mode not in ("major", "minor") or bass["pitch"].iloc[-1] % 12 != tonic:
        return None, None
    return tonic, "minor" if mode == "minor" else "major"
