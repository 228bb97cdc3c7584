"""The Essen folksong collection in ABC notation, as music21 ships it: one voice, no ornaments, no repeats.

What its files say is read with care. `K:` is the transcriber's tonic, always spelled as if major: a minor tune in F
says `K: F`, and flattens its thirds note by note. So the tonic is believed where the tune ends on it, and the mode is
what the notes say. A barline is left out where a phrase ends with its bar, and some tunes leave their metre: the
longest stretch in it is kept.

Read here and not by symusic, which starts abc2midi, the test's oracle, for each of 8,500 tunes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.corpora.rendered.works.work import METRES, Mode, Work

Floats = NDArray[np.float64]
Pitches = NDArray[np.int64]

#: files that test the converter: tunes of the others again
_TESTS = "test"
#: collection -> how the names of its files begin; all others are from Germany and its neighbors
_REGIONS = {"essenChina": "han"}
FEWEST_NOTES, FEWEST_BARS = 16, 4
#: share of its notes' time that a tune may spend outside its scale, and with the other third
_OUTSIDE, _OTHER_THIRD = 0.04, 0.1
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11)}

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: `Es` and `H` are German
_FIFTHS = {"Db": -5, "Ab": -4, "Eb": -3, "Es": -3, "Bb": -2, "F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_FIFTHS |= {"H": 5, "F#": 6}
_SHARPS = "FCGDAEB"
_FIELD = re.compile(r"^([MLK]):[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_TOKEN = re.compile(r"(\|)|(?:(z)|([_^=]*)([A-Ga-g])([,']*))(\d*)(-?)|(\S)")


def read_essen(corpus_folder: Path, part: int = 0, parts: int = 1) -> Iterator[Work]:
    """Songs with at least four bars in one metre that we classify: every `parts`-th file's."""
    for path in sorted((corpus_folder / "essenFolksong").glob("*.abc"))[part::parts]:
        if path.stem.startswith(_TESTS):
            continue
        collection = next((name for name, start in _REGIONS.items() if path.stem.startswith(start)), "essenGermany")
        text = path.read_text(encoding="latin-1")
        for i, song in enumerate(re.split(r"(?m)^(?=X:)", text)[1:]):
            work = _read_song(song, collection, f"{collection}/{path.stem}-{i}")
            if work is not None:
                yield work


def _read_song(song: str, collection: str, name: str) -> Work | None:
    fields = dict(_FIELD.findall(song))
    metre, unit = (re.fullmatch(r"(\d+)/(\d+)", fields[field]) for field in "ML")
    signature = (int(metre[1]), int(metre[2])) if metre else (0, 0)
    fifths = _FIFTHS.get(fields["K"])  # a dozen say `Dm`, and mean something else
    if unit is None or fifths is None or signature not in METRES:
        return None
    found = _notes(song[song.index("K:") :].partition("\n")[2], 4 * int(unit[1]) / int(unit[2]), fifths)
    if found is None:
        return None
    (onset, duration, pitch), bars = found
    _, beat, beats = METRES[signature]
    start, end, downbeat = _stretch(bars, beat * beats)
    kept = (onset >= start) & (onset < end)
    if kept.sum() < FEWEST_NOTES or end - start < FEWEST_BARS * beat * beats:
        return None
    tonic = 7 * fifths % 12
    mode = _mode(pitch[kept], duration[kept], tonic) if end > onset[-1] else None
    notes = {"part": 0, "onset": onset[kept] - start, "duration": duration[kept], "pitch": pitch[kept]}
    return Work(name, collection, name, tonic if mode else None, mode, signature, downbeat, pd.DataFrame(notes))


def _notes(body: str, unit: float, fifths: int) -> tuple[tuple[Floats, Floats, Pitches], list[float]] | None:
    """Onsets, durations and pitches of the notes, and where bars begin; None if there is what songs should not have.

    As arrays: 8,500 small tables take longer than all else here.
    """
    signature = dict.fromkeys(_SHARPS, 0)
    signature |= dict.fromkeys(_SHARPS[:fifths], 1) if fifths > 0 else dict.fromkeys(_SHARPS[::-1][:-fifths], -1)
    onsets: list[float] = []
    durations: list[float] = []
    pitches: list[int] = []
    altered, bars, now, tied = dict(signature), [0.0], 0.0, False
    for bar, rest, accidental, letter, octaves, length, tie, other in _TOKEN.findall(body):
        if other:
            return None
        if bar:
            bars, altered = [*bars, now], dict(signature)
            continue
        duration = unit * int(length or 1)
        if not rest:
            name = letter.upper()
            if accidental:  # holds to the end of the bar
                altered[name] = accidental.count("^") - accidental.count("_")
            octave = letter.islower() + octaves.count("'") - octaves.count(",")
            pitch = 60 + _NATURALS[name] + 12 * octave + altered[name]
            if tied and pitches[-1] == pitch:
                durations[-1] += duration
            else:
                onsets.append(now)
                durations.append(duration)
                pitches.append(pitch)
        now, tied = now + duration, bool(tie) and not rest
    if len(pitches) < FEWEST_NOTES:
        return None
    return (np.array(onsets), np.array(durations), np.array(pitches)), [*bars, now]


def _stretch(bars: list[float], bar: float) -> tuple[float, float, float]:
    """The longest stretch whose barlines lie on one grid: its start and end, and its first full bar from there.

    A song begins with an anacrusis if its first bar is shorter; what is before the first barline is counted from it.
    """
    lines = np.unique(np.round(bars, 6))
    if len(lines) < 3:
        return 0.0, 0.0, 0.0
    phases = np.round(np.mod(lines - lines[1], bar), 3) % bar
    phases[0] = phases[1]  # an anacrusis, or some full bars
    if phases[-1] != phases[-2] and lines[-1] - lines[-2] < bar:
        phases[-1] = phases[-2]  # the last bar lacks the anacrusis
    runs = [[i for i, _ in run] for _, run in groupby(enumerate(phases.tolist()), key=lambda pair: pair[1])]
    longest = max(runs, key=lambda run: (lines[run[-1]] - lines[run[0]], -run[0]))
    start, end = float(lines[longest[0]]), float(lines[longest[-1]])
    return start, end, float((lines[1] - start) % bar) if longest[0] == 0 else 0.0


def _mode(pitch: Pitches, duration: Floats, tonic: int) -> Mode | None:
    """What a song that ends on its tonic is in: by its third, within the scale, and neither mixolydian nor dorian."""
    degrees = (pitch - tonic) % 12
    shares = np.bincount(degrees, duration, 12) / duration.sum()
    mode: Mode = "major" if shares[4] > shares[3] else "minor"
    third, other = (shares[4], shares[3]) if mode == "major" else (shares[3], shares[4])
    outside = 1 - shares[list(_SCALES[mode])].sum()
    if degrees[-1] != 0 or third == 0 or other > _OTHER_THIRD * third or outside > _OUTSIDE:
        return None
    modal = shares[10] > shares[11] if mode == "major" else shares[9] > shares[8]
    return None if modal else mode
