"""Instruments present: families that sound in a clip, 10 tags, mAP.

Conventions
-----------
Measured: which families play in a clip, in any role. Label: the families of the General MIDI programs drawn for the
lead and the accompaniment, and `drums`, each if its stem has a note within the clip. The tags are the eight families
of `instrument`, `bass` (programs 32 and 33, which only accompany; a low part on a piano is `piano`) and `drums`; the
string ensemble (48, only accompanies) is tagged `strings`. Two parts of one family are one tag.
Test: tunes and rooms that training did not hear, and leads in unheard (program, register) pairs; `_unseen_programs`
adds leads by programs that training did not hear at all, over accompaniments that it may have heard.
Shortcuts removed: programs are drawn independently of each other and of the work, so that no family implies another
or a style (in OpenMIC drums imply bass); an accompaniment is there in 80 % of the clips whatever the work, and is
6-16 dB below the lead, so that it takes more than the loudest sound.
Metric: mean average precision over tags (scikit-learn); chance is the mean prevalence, 0.22; and macro ROC-AUC.
Intervals are about other tunes led by other programs.
"""

from __future__ import annotations

from benchmark.corpora.rendered.palette import FAMILIES
from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging


class InstrumentsPresent(Tagging):
    """Families of lead, accompaniment and drums."""

    info = Info("instruments_present", "Instruments present", "General MIDI families; this project", version=2)
    level = "timbre"
    corpus = "rendered_scores"
    labels = ("instruments",)
    told_by = ("family",)
    classes = (*FAMILIES, "bass", "drums")
    crossed = ("program",)
    test_splits = {"": "test", "_unseen_programs": "transfer"}
