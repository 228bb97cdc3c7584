"""Palestrina's masses in Humdrum **kern, as music21 ships them: a column is a part, a row what begins in it.

Movements for four voices, which chords and voices need, a few of each mass: more of one group hardly tell more. They
are modal, and have no key. Read here, since music21, the test's oracle, takes minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmark.corpora.rendered.works.parts import Sung, first_downbeat, note_table
from benchmark.corpora.rendered.works.work import METRES, Work

VOICES = 4
MOVEMENTS_OF_A_MASS = 4

_MASS = re.compile(r"^!!!OPR:\s*(.*?)\s*$", re.MULTILINE)
_METRE = re.compile(r"^\*M(\d+)/(\d+)", re.MULTILINE)
_FIELD = re.compile(r"(\d+)(\.*)([A-Ga-g]+|r)([#-]*)")
_NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def read_masses(corpus_folder: Path) -> Iterator[Work]:
    """Movements in one metre, of all masses; those on one model (`(1570)`, `(II)`) are tied."""
    taken: Counter[str] = Counter()
    for path in sorted((corpus_folder / "palestrina").glob("*.krn")):
        text = path.read_text(encoding="latin-1")
        found, metres = _MASS.search(text), set(_METRE.findall(text))
        signature = tuple(map(int, metres.pop())) if len(metres) == 1 else ()
        if found is None or signature not in METRES:
            continue
        mass = found.group(1).partition(" (")[0].lower()
        if taken[mass] < MOVEMENTS_OF_A_MASS:
            work = _read(text, f"palestrina/{path.stem}", mass, (signature[0], signature[1]))
            if work is not None:
                taken[mass] += 1
                yield work


def _read(text: str, name: str, mass: str, signature: tuple[int, int]) -> Work | None:
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("!")]
    if len(rows[0]) != VOICES or any(field in ("*^", "*v", "*x", "*+") for row in rows for field in row):
        return None
    parts: list[list[Sung]] = [[] for _ in range(VOICES)]
    clocks, bars = [0.0] * VOICES, [0.0]
    for row in rows:
        if row[0].startswith("="):
            bars.append(max(clocks))
        elif not row[0].startswith("*"):
            for i, field in enumerate(row):
                clocks[i] += _read_field(field, parts[i], clocks[i])
    downbeat = first_downbeat(sorted(set(bars)), signature)
    if downbeat is None:
        return None
    return Work(name, "palestrina", mass, None, None, signature, downbeat, note_table(parts[::-1]))


def _read_field(field: str, part: list[Sung], now: float) -> float:
    """Add the note that a field holds, if it does; how long the note or rest lasts, 0 if neither begins here."""
    found = _FIELD.search(field)
    if not found:
        return 0.0
    length, dots, letters, accidental = found.groups()
    # reciprocal: 2 is a half note, 0 a breve; a dot adds a half, two dots three quarters
    quarters = (8.0 if length == "0" else 4.0 / int(length)) * (2 - 0.5 ** len(dots))
    if letters != "r":
        octave = len(letters) + 4 if letters.islower() else 5 - len(letters)
        pitch = 12 * octave + _NATURALS[letters[0].lower()] + accidental.count("#") - accidental.count("-")
        part.append(Sung(now, quarters, pitch, "]" in field or "_" in field))
    return quarters
