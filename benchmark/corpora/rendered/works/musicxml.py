"""MusicXML as far as vocal scores need it: for each part its notes, and the score's keys, metres and bars.

Bars are read once, as written: repeats are not played. Read here, since music21, the test's oracle, takes half a second
for each chorale.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from benchmark.corpora.rendered.works.parts import Sung

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass
class Score:
    """A score's parts, the top one first; of the top one also what is written at its clef."""

    parts: list[list[Sung]] = field(default_factory=list)
    #: sharps, or flats as a negative number, and the mode, if it is written
    keys: list[tuple[int, str]] = field(default_factory=list)
    metres: list[tuple[int, int]] = field(default_factory=list)
    #: where each bar begins, in quarters
    bars: list[float] = field(default_factory=list)


def read_musicxml(path: Path) -> Score:
    """A compressed score (.mxl)."""
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("xml") and not n.startswith("META-INF"))
        root = ElementTree.fromstring(archive.read(name))
    score = Score()
    for part in root.findall("part"):
        notes, bars = _read_part(part)
        score.bars = score.bars or bars
        score.parts.append(notes)
    top = root.find("part")
    for attributes in [] if top is None else top.iter("attributes"):
        for key in attributes.findall("key"):
            score.keys.append((int(key.findtext("fifths", "0")), key.findtext("mode", "")))
        for time in attributes.findall("time"):
            score.metres.append((int(time.findtext("beats", "0")), int(time.findtext("beat-type", "0"))))
    return score


def _read_part(part: ElementTree.Element) -> tuple[list[Sung], list[float]]:
    notes: list[Sung] = []
    bars: list[float] = []
    start, divisions = 0.0, 1
    for measure in part.findall("measure"):
        bars.append(start)
        now = end = start
        for element in measure:
            divisions = int(element.findtext("divisions", str(divisions)))
            length = int(element.findtext("duration", "0")) / divisions
            if element.tag == "note" and element.find("chord") is None:
                notes += _sung(element, now, length)
            now += -length if element.tag == "backup" else 0 if element.find("chord") is not None else length
            end = max(end, now)
        start = end
    return notes, bars


def _sung(note: ElementTree.Element, now: float, length: float) -> list[Sung]:
    """The note, unless it is a rest."""
    pitch = note.find("pitch")
    if pitch is None:
        return []
    step, octave = _STEPS[pitch.findtext("step", "C")], int(pitch.findtext("octave", "4"))
    number = 12 * (octave + 1) + step + int(float(pitch.findtext("alter", "0")))
    joins = any(tie.get("type") == "stop" for tie in note.findall("tie"))
    return [Sung(now, length, number, joins)]
