"""Dance and air tunes in ABC notation, as music21 ships them, read by symusic (abc2midi inside)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.corpora.rendered.works.work import METRES, Mode, Work

COLLECTIONS = ("oneills1850", "airdsAirs", "ryansMammoth", "miscFolk")

_KEY = re.compile(r"^K:[ \t]*([A-G])([#b]?)[ \t]*([A-Za-z]*)", re.MULTILINE)
_RHYTHM = re.compile(r"^R:(.*)$", re.MULTILINE)
#: `R:` without blanks, in lower case -> dance; the rare ones (slip jig, strathspey, clog, air, ...) are none
_DANCES = {"reel": "reel", "jig": "jig", "doublejig": "jig", "hornpipe": "hornpipe"}
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: abc2midi plays the first note of each bar at this velocity, so its accents tell where the bars begin
_BAR_ACCENT = 105


def read_folk(corpus_folder: Path, part: int = 0, parts: int = 1) -> Iterator[Work]:
    """Tunes with one key, one metre that we classify, and regular bars: every `parts`-th file's.

    Modal ones (dorian, mixolydian) are kept without their key.
    """
    for collection in COLLECTIONS:
        for path in sorted((corpus_folder / collection).rglob("*.abc"))[part::parts]:
            text = path.read_text(encoding="utf-8", errors="replace")
            for i, tune in enumerate(re.split(r"(?m)^(?=X:)", text)[1:]):
                work = _read_tune(tune, collection, f"{collection}/{path.stem}-{i}")
                if work is not None:
                    yield work


def _read_tune(tune: str, collection: str, name: str) -> Work | None:
    key = _key(tune)
    if key is None:
        return None
    parsed = _parse(tune)
    if parsed is None:
        return None
    notes, velocity, signature = parsed
    downbeat = _first_downbeat(notes["onset"].to_numpy(), velocity, signature)
    if downbeat is None:
        return None
    return Work(name, collection, name, *key, signature, downbeat, notes, _dance(tune, signature))


def _dance(tune: str, signature: tuple[int, int]) -> str | None:
    """The dance that `R:` names, if it is one of the common ones.

    Ryan calls any jig a jig: one in 9/8 is a slip jig, too rare to be a class, and those in 2/4 (sand jigs) are other
    dances.
    """
    found = _RHYTHM.search(tune)
    dance = _DANCES.get("".join(found.group(1).lower().split())) if found else None
    return None if dance == "jig" and signature not in ((6, 8), (12, 8)) else dance


def _key(tune: str) -> tuple[int | None, Mode | None] | None:
    """Tonic and mode from `K:`, both None if modal; None if absent, or changing within the tune."""
    found = _KEY.findall(tune)
    if len(found) != 1 or "[K:" in tune:
        return None
    letter, accidental, word = found[0]
    tonic = (_NATURALS[letter] + {"#": 1, "b": -1, "": 0}[accidental]) % 12
    mode = word.lower()[:3]
    if mode in ("", "maj", "ion"):
        return tonic, "major"
    return (tonic, "minor") if mode in ("m", "min", "aeo") else (None, None)


def _parse(tune: str) -> tuple[pd.DataFrame, np.ndarray, tuple[int, int]] | None:
    import symusic

    with _silent_c():
        score: Any = symusic.Score.from_abc(tune)
    if len(score.tracks) != 1 or len(score.tracks[0].notes) < 16 or len(score.time_signatures) != 1:
        return None
    signature = (score.time_signatures[0].numerator, score.time_signatures[0].denominator)
    if signature not in METRES:
        return None
    table = score.tracks[0].notes.numpy()
    tpq = score.ticks_per_quarter
    notes = pd.DataFrame(
        {
            "part": 0,
            "onset": (table["time"] - 1) / tpq,  # abc2midi starts one tick late
            "duration": (table["duration"] + 1) / tpq,
            "pitch": table["pitch"],
        }
    )
    return notes, table["velocity"], signature


def _first_downbeat(onset: np.ndarray, velocity: np.ndarray, signature: tuple[int, int]) -> float | None:
    """Phase of the bars from abc2midi's accents; None if the bars are not regular throughout."""
    _, beat, beats = METRES[signature]
    bar = beat * beats
    accents = onset[1:][velocity[1:] == _BAR_ACCENT]  # the first note is accented even in an anacrusis
    if len(accents) < 4:
        return None
    phases = np.round(np.mod(accents, bar), 2)
    values, counts = np.unique(phases, return_counts=True)
    phase = float(values[counts.argmax()])
    downbeats = np.arange(phase, onset[-1] + 1e-3, bar)
    played = np.isin(np.round(downbeats, 2), np.round(accents, 2))
    # a few pick-ups within the tune carry an accent too; irregular bars would shift every later accent
    if counts.max() < 0.7 * len(accents) or played.mean() < 0.85:
        return None
    return phase


@contextmanager
def _silent_c() -> Iterator[None]:
    """Silence abc2midi, which prints thousands of warnings from C: file descriptors, not sys.stdout."""
    saved = os.dup(1), os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        yield
    finally:
        for fd, old in enumerate(saved, start=1):
            os.dup2(old, fd)
            os.close(old)
        os.close(null)
