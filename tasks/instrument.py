"""Instrument family of the lead part: 8 classes, accuracy.

Conventions
-----------
Measured: which family (piano, mallets, free reed, guitar, strings, brass, reed, pipe) plays the melody of a clip.
Label: the General MIDI program drawn for the lead when the clip was arranged, independently of the work.
Test: tunes, rooms and (program, register) pairs that training did not hear; `accuracy_unseen_programs` adds programs
that training did not hear at all, for the same tunes.
Shortcuts removed: every family plays works, keys, tempi and levels of the same distribution; the accompaniment may
be played by any family.
Metric: accuracy over clips; and macro-F1. Intervals are about other tunes led by other programs.
"""

from __future__ import annotations

from benchmark.corpora.rendered.palette import FAMILIES
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Instrument(Classification):
    """Instrument family of the lead."""

    info = Info("instrument", "Instrument family of the lead", "General MIDI families; this project", version=3)
    level = "timbre"
    corpus = "rendered_scores"
    labels = ("family",)
    told_by = ("instruments",)
    classes = tuple(FAMILIES)
    crossed = ("program",)
    test_splits = {"": "test", "_unseen_programs": "transfer"}
