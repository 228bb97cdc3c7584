"""Bach's four-part chorales, as music21 ships them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.corpora.rendered.works.work import METRES, Work


def read_chorales(corpus_folder: Path, part: int, parts: int) -> Iterator[Work]:
    """The `part`-th of `parts` equal shares of the chorales.

    Kept: four parts, one key whose tonic ends the bass (modal ones drop out), and one metre.
    """
    from music21 import converter

    paths = sorted((corpus_folder / "bach").glob("*.mxl"))
    for path in paths[part * len(paths) // parts : (part + 1) * len(paths) // parts]:
        work = _read(converter.parse(path, forceSource=True), path.stem)
        if work is not None:
            yield work


def _read(score: Any, name: str) -> Work | None:
    parts = list(score.parts)
    keys = list(parts[0].recurse().getElementsByClass("KeySignature"))
    signatures = list(parts[0].recurse().getElementsByClass("TimeSignature"))
    if len(parts) != 4 or len(keys) != 1 or len(signatures) != 1:
        return None
    mode = getattr(keys[0], "mode", None)
    signature = (signatures[0].numerator, signatures[0].denominator)
    if mode not in ("major", "minor") or signature not in METRES:
        return None
    notes = _notes(parts)
    tonic = keys[0].tonic.pitchClass
    if notes[notes["part"] == 3].sort_values("onset")["pitch"].iloc[-1] % 12 != tonic:
        return None
    _, beat, beats = METRES[signature]
    first = parts[0].getElementsByClass("Measure")[0]
    downbeat = float(beat * beats - first.paddingLeft) % (beat * beats)
    bwv = re.match(r"bwv(\d+)", name)
    tie = f"bwv{bwv.group(1)}" if bwv else name
    return Work(f"bach/{name}", "bach", tie, tonic, mode, signature, downbeat, notes)


def _notes(parts: list[Any]) -> pd.DataFrame:
    rows: list[list[Any]] = []
    for i, part in enumerate(parts):
        for note in part.flatten().notes:
            tied = note.tie is not None and note.tie.type in ("stop", "continue")
            if tied and rows and rows[-1][0] == i and rows[-1][3] == note.pitches[-1].midi:
                rows[-1][2] += float(note.quarterLength)
            elif note.quarterLength > 0:
                rows.append([i, float(note.offset), float(note.quarterLength), note.pitches[-1].midi])
    return pd.DataFrame(rows, columns=["part", "onset", "duration", "pitch"])
